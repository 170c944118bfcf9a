package live

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"voxkv/auth"
	"voxkv/internal/voximplanttest"
)

func TestLive(t *testing.T) {
	for _, name := range []string{"VOXIMPLANT_CREDENTIALS", "VOXIMPLANT_APPLICATION_ID"} {
		if os.Getenv(name) == "" {
			t.Skipf("%s is not set: the real API is not asked", name)
		}
	}
	key, err := auth.KeyFile(os.Getenv("VOXIMPLANT_CREDENTIALS"))(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root := os.Getenv("VOXIMPLANT_API_URL")
	if root == "" {
		root = "https://api.voximplant.com/platform_api"
	}
	everything(t, probe{
		root: strings.TrimRight(root, "/"), key: key,
		applicationID:   os.Getenv("VOXIMPLANT_APPLICATION_ID"),
		applicationName: os.Getenv("VOXIMPLANT_APPLICATION_NAME"),
		writes:          os.Getenv("VOXKV_LIVE_WRITES") == "1",
	})
}

// The questions must not break while nobody has an account at hand.
func TestStandIn(t *testing.T) {
	account, err := voximplanttest.NewServiceAccount(1234567)
	if err != nil {
		t.Fatal(err)
	}
	storage := &voximplanttest.Server{AccountID: 1234567, ApplicationID: 7, ApplicationName: "support"}
	storage.AddKey(account.KeyID, &account.PrivateKey.PublicKey)
	server := httptest.NewServer(storage)
	defer server.Close()
	key, err := auth.ParseServiceAccountKey(account.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	everything(t, probe{
		root: server.URL + "/platform_api", key: key, applicationID: "7", applicationName: "support", writes: true,
	})
	for _, item := range storage.Items() {
		if item.ExpiresAt.After(time.Now().Add(time.Minute)) {
			t.Errorf("left behind: %v", item.Key)
		}
	}
}

// everything asks the questions one after another.
func everything(t *testing.T, p probe) {
	for _, question := range []struct {
		name   string
		writes bool
		ask    func(*probe)
	}{
		{"key that does not exist or is none", false, (*probe).absentKeys},
		{"item that has expired", true, (*probe).expiredItem},
		{"wrong application", false, (*probe).wrongApplication},
		{"authorization", false, (*probe).authorization},
		{"application name", false, (*probe).applicationNames},
		{"fast reads", false, (*probe).fastReads},
		{"ttl and expires_at", true, (*probe).lifetimes},
		{"lengths and letters", true, (*probe).lengths},
		{"read after write", true, (*probe).readAfterWrite},
		{"overwriting", true, (*probe).overwriting},
		{"response headers", false, (*probe).responseHeaders},
		{"lists", true, (*probe).lists},
		{"billing", false, (*probe).billing},
	} {
		t.Run(question.name, func(t *testing.T) {
			p := p
			p.t = t
			if question.writes && !p.writes {
				t.Skip("VOXKV_LIVE_WRITES is not 1: nothing is written")
			}
			question.ask(&p)
			if question.writes {
				p.clean()
			}
		})
	}
}
