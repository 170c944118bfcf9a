// Command naive is what a good engineer writes in an hour: AWS's types, the
// SDK's default configuration, secret and token once per cold start,
// http.DefaultClient, no local copies. With PER_REQUEST=1 it reads the secret
// and signs a token for each request, as most samples do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/golang-jwt/jwt/v5"
)

type serviceAccount struct {
	AccountID  int64  `json:"account_id"`
	KeyID      string `json:"key_id"`
	PrivateKey string `json:"private_key"`
}

type server struct {
	secrets *secretsmanager.Client
	token   string // empty: one for each request
	signed  int
}

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{secrets: secretsmanager.NewFromConfig(cfg)}
	if os.Getenv("PER_REQUEST") == "" {
		if s.token, err = s.newToken(ctx); err != nil {
			log.Fatal(err)
		}
	}
	lambda.Start(s.handle)
}

func (s *server) handle(ctx context.Context, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	none := events.APIGatewayV2HTTPResponse{}
	token := s.token
	if token == "" {
		var err error
		if token, err = s.newToken(ctx); err != nil {
			return none, err
		}
	}
	item, err := getItem(ctx, token, strings.TrimPrefix(e.RawPath, "/v1/items/"))
	if err != nil {
		return none, err
	}
	body, err := json.Marshal(item)
	return events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusOK,
		Headers: map[string]string{
			"Content-Type":  "application/json",
			"Cache-Control": "public, max-age=60",
			"X-Signatures":  strconv.Itoa(s.signed), // for the benchmark
		},
		Body: string(body),
	}, err
}

func (s *server) newToken(ctx context.Context) (string, error) {
	out, err := s.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(os.Getenv("VOXIMPLANT_SECRET_ID")),
	})
	if err != nil {
		return "", err
	}
	var account serviceAccount
	if err := json.Unmarshal([]byte(*out.SecretString), &account); err != nil {
		return "", err
	}
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(account.PrivateKey))
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": account.AccountID,
		"iat": time.Now().Add(-5 * time.Second).Unix(),
		"exp": time.Now().Add(50 * time.Minute).Unix(),
	})
	token.Header["kid"] = account.KeyID
	s.signed++
	return token.SignedString(key)
}

type item struct {
	Key       string `json:"key"`
	Value     string `json:"value"`
	ExpiresAt int64  `json:"expires_at"`
}

func getItem(ctx context.Context, token, key string) (*item, error) {
	form := url.Values{"application_id": {os.Getenv("VOXIMPLANT_APPLICATION_ID")}, "key": {key}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("VOXIMPLANT_API_URL")+"/GetKeyValueItem", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var body struct{ Result *item }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		return nil, err
	}
	if body.Result == nil {
		return nil, errors.New("no item")
	}
	return body.Result, nil
}
