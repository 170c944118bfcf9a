// Command link makes links to items for people without a login, for a voxkv
// behind CloudFront with a link key.
//
//	export VOXKV_URL=https://d111111abcdef8.cloudfront.net LINK_KEY_ID=K2JCJMDEHXQW5F LINK_PRIVATE_KEY=private.pem
//	go run . order:1001 3600   # a link to that item, for an hour
//
// Only the place that makes links has the private key: never a page.
package main

import (
	"crypto"
	"fmt"
	"log"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"
)

// ItemLink returns a link with which anybody reads the item under key, and
// nothing else, until end. root is where voxkv is.
func ItemLink(root, key string, end time.Time, keyID string, privateKey crypto.Signer) (string, error) {
	place := "/" + url.PathEscape(key)
	if key == "." || key == ".." { // a URL's path cannot hold these two; the query can
		place = "?key=" + key
	}
	return sign.NewURLSigner(keyID, privateKey).Sign(root+"/v1/items"+place, end)
}

func main() {
	link, err := run(os.Args[1:])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(link)
}

func run(args []string) (string, error) {
	if len(args) != 2 {
		return "", fmt.Errorf("%d arguments; accepted are a key and seconds", len(args))
	}
	lifetime, err := time.ParseDuration(args[1] + "s")
	if err != nil {
		return "", err
	}
	file, err := os.Open(os.Getenv("LINK_PRIVATE_KEY"))
	if err != nil {
		return "", err
	}
	defer file.Close()
	privateKey, err := sign.LoadPEMPrivKeyPKCS8AsSigner(file)
	if err != nil {
		return "", err
	}
	return ItemLink(os.Getenv("VOXKV_URL"), args[0], time.Now().Add(lifetime), os.Getenv("LINK_KEY_ID"), privateKey)
}
