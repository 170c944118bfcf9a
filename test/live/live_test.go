package live

import (
	"os"
	"strings"
	"testing"

	"voxkv/auth"
	"voxkv/internal/voximplanttest"
	"voxkv/test/tools"
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
	storage := tools.NewStorage(t, &voximplanttest.Server{ApplicationID: 7, ApplicationName: "support"})
	key, err := storage.Key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	everything(t, probe{
		root: storage.URL + "/platform_api", key: key, applicationID: "7", applicationName: "support", writes: true,
	})
	if left := storage.Items(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
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
