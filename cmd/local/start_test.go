package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"voxkv/allowlist"
	"voxkv/internal/settings"
)

// TestExamples pastes the printed command lines into a shell, one after the other, whatever keys are allowed. The first
// finds an item.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	tests := []struct{ allowed, read, value, write string }{
		{"", "order:1001", "ringing", "order:2000"},
		{"secret:*, order:*", "order:1001", "ringing", "order:2000"},
		{"order:1001", "order:1001", "ringing", "order:1001"},
		{"status:*", "status:1001", "ringing", "status:2000"},
		{"greeting", "greeting", "ringing", "greeting"},
		{".,..,a;b", "a%3Bb", "semicolon", "a%3Bb"},
		{"имя#*", "%D0%B8%D0%BC%D1%8F%231001", "ringing", "%D0%B8%D0%BC%D1%8F%232000"},
		{"*", "order:1001", "ringing", "order:2000"},
	}
	for _, tt := range tests {
		t.Run(tt.allowed, func(t *testing.T) {
			t.Parallel()
			_, printed := start(t, map[string]string{}, "-allowed-keys", tt.allowed)
			var answers []string
			for line := range strings.Lines(printed) {
				if strings.HasPrefix(line, "  curl ") {
					answers = append(answers, paste(t, line))
				}
			}
			for i, want := range []string{"HTTP/1.1 200 OK\r\n", "HTTP/1.1 204 ", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 204 "} {
				if len(answers) != 4 || !strings.HasPrefix(answers[i], want) {
					t.Fatalf("the command lines answer %q; want four, and number %d to be %q\n%s", answers, i+1, want, printed)
				}
			}
			if !strings.Contains(answers[0], `"value":"`+tt.value+`"`) || !strings.Contains(printed, "/v1/items/"+tt.read) || !strings.Contains(printed, "/v1/items/"+tt.write) {
				t.Errorf("the first command line answers %s; want %s to be %s, and %s to be written\n%s", answers[0], tt.read, tt.value, tt.write, printed)
			}
		})
	}
}

// paste returns what a command line prints.
func paste(t *testing.T, line string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-c", line)
	command.Env = append(os.Environ(), "NO_PROXY=*", "no_proxy=*")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return string(out)
}

// TestAboutMaxAge: what is said of max-age is what an item that has just been written answers with.
func TestAboutMaxAge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		environ map[string]string
		said    string
		number  int
	}{
		{map[string]string{}, "about half", 43},
		{map[string]string{"CACHE_SCOPE": "private", "CACHE_MAX_AGE": "10m"}, "what is left of them", 87},
		{map[string]string{"CACHE_MAX_AGE": "20s"}, "the most that the settings allow", 20},
		{map[string]string{"CACHE_MAX_AGE": "0s"}, "", 0},
	}
	for _, tt := range tests {
		tt.environ["LOCAL_MAX_AGE"] = "0s"
		root, printed := start(t, tt.environ)
		_, said, found := strings.Cut(printed, "The third answers with max-age=")
		digits := regexp.MustCompile(`^\d+`).FindString(said)
		if number, _ := strconv.Atoi(digits); found != (tt.said != "") || number != tt.number || !strings.Contains(said, tt.said) {
			t.Errorf("%v: printed %s; want max-age=%d and %q", tt.environ, printed, tt.number, tt.said)
		}
		check(t, "PUT", root+"/storage/order:2000?ttl=90s", "on its way", 204, "")
		res, _ := send(t, "GET", root+"/v1/items/order:2000", "")
		match := regexp.MustCompile(`max-age=(\d+)`).FindStringSubmatch(res.Header.Get("Cache-Control"))
		if (match == nil) != (tt.number == 0) {
			t.Fatalf("%v: Cache-Control = %q", tt.environ, res.Header.Get("Cache-Control"))
		}
		if match == nil {
			continue
		}
		// A slow machine takes something off.
		if got, _ := strconv.Atoi(match[1]); got > tt.number+1 {
			t.Errorf("%v: max-age = %d; said was %d", tt.environ, got, tt.number)
		}
	}
}

// TestPrintedForRules: what is said of rules with claims and with a max-age.
func TestPrintedForRules(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args []string
		want []string
	}{
		{[]string{"-allowed-keys", "order:{sub}:*"}, []string{"No rule of ALLOWED_KEYS gives a key to paste here.", `{"key":"…"}`}},
		{[]string{"-allowed-keys", "order:{sub}:*", "-claims", `{"sub":"42"}`}, []string{"/v1/items/order:42:1001\n", "/storage/order:42:2000?ttl=90s", "max-age=60, the most that the settings allow"}},
		{[]string{"-allowed-keys", "order:* max-age=2s"}, []string{"max-age=2, the most that the settings allow", "the function's for 1s, one in a browser or another cache until 2s\n(the max-age of the rule)", "NOT_FOUND_MAX_AGE=2s"}},
	}
	for _, tt := range tests {
		_, printed := start(t, map[string]string{}, tt.args...)
		for _, part := range tt.want {
			if !strings.Contains(printed, part) {
				t.Errorf("%q: printed %s; want %q in it", tt.args, printed, part)
			}
		}
	}
}

// TestKeptFor: how long copies may be used is what the rule for the key says, whoever asks.
func TestKeptFor(t *testing.T) {
	t.Parallel()
	root, _ := start(t, map[string]string{}, "-allowed-keys", "order:*, status:{sub} max-age=3s, long max-age=2h")
	for key, want := range map[string]string{
		"order:1001": `"local_ms":10000,"cache_ms":60000`, "status:1": `"local_ms":1500,"cache_ms":3000`, "long": `"local_ms":10000,"cache_ms":7200000`,
		"secret:token": `"local_ms":0,"cache_ms":0`,
	} {
		check(t, "PUT", root+"/storage/"+key, "v", 204, "")
		_, list := send(t, "GET", root+"/storage/", "")
		_, item, _ := strings.Cut(list, `{"key":"`+key+`"`)
		item, _, _ = strings.Cut(item, "}")
		if !strings.HasSuffix(item, want) {
			t.Errorf("%s is listed as %s; want %s", key, item, want)
		}
	}
}

func TestPrintedCommandLineOfARealAccount(t *testing.T) {
	t.Parallel()
	root, printed := start(t, map[string]string{"VOXIMPLANT_API_URL": newAPI(t)}, "-credentials", credentialsFile(t), "-application-id", "42", "-allowed-keys", "order:*")
	for _, part := range []string{"  curl -i " + root + "/v1/items/order:1001\n", `{"key":"order:1001"}`, "with a key of yours"} {
		if !strings.Contains(printed, part) {
			t.Errorf("printed %s; want %q in it", printed, part)
		}
	}
	for _, part := range []string{"/storage/", "embedded", "demo"} {
		if strings.Contains(printed, part) {
			t.Errorf("printed %s; want nothing of %q", printed, part)
		}
	}
}

func TestExampleKey(t *testing.T) {
	t.Parallel()
	tests := []struct{ list, want string }{
		{"a,order:*", "a"},
		{"order:*,a", "order:1001"},
		{" x* , y", "x1001"},
		{"*", "z"},
		{".,..", ""},
		{"order:{sub}:*,b", "order:42:1001"},
		{"call:{sub} max-age=2s", "call:42"},
		{"order:{phone}:*", ""},
		{strings.Repeat("k", 198) + "*,b", "b"},
	}
	for _, tt := range tests {
		s, err := settings.Read(map[string]string{"ALLOWED_KEYS": tt.list, "VOXIMPLANT_SECRET_ID": "x", "VOXIMPLANT_APPLICATION_ID": "1"})
		if err != nil {
			t.Fatal(err)
		}
		if got := exampleKey(s, tt.list, "1001", allowlist.Caller{Claims: allowlist.Claims{"sub": "42"}}, "z"); got != tt.want {
			t.Errorf("exampleKey(%q) = %q; want %q", tt.list, got, tt.want)
		}
	}
}

// TestNotes: what is given and has no effect is said, without its value.
func TestNotes(t *testing.T) {
	t.Parallel()
	real := []string{"-credentials", credentialsFile(t), "-application-id", "42", "-allowed-keys", "order:*"}
	tests := []struct {
		name    string
		environ map[string]string
		args    []string
		want    string
	}{
		{"nothing", map[string]string{"CACHE_MAX_AGE": "20s", "PATH": "hidden"}, nil, ""},
		{"a misspelt name", map[string]string{"CACHE_MAXAGE": "hidden"}, nil,
			"local: the environment has CACHE_MAXAGE, which is not a setting and has no effect; did you mean CACHE_MAX_AGE?\n"},
		{"a flag and a variable", map[string]string{"ALLOWED_KEYS": "hidden"}, []string{"-allowed-keys", "order:*"},
			"local: -allowed-keys counts, and not ALLOWED_KEYS of the environment\n"},
		{"a flag and the same in a variable", map[string]string{"ALLOWED_KEYS": "order:*"}, []string{"-allowed-keys", "order:*"}, ""},
		{"a real account's settings without -credentials", map[string]string{"VOXIMPLANT_APPLICATION_ID": "hidden", "VOXIMPLANT_API_URL": "hidden"}, nil,
			"local: without -credentials the storage is the embedded one: no effect of VOXIMPLANT_APPLICATION_ID, VOXIMPLANT_API_URL\n"},
		{"a secret and a name beside flags", map[string]string{"VOXIMPLANT_SECRET_ID": "hidden", "VOXIMPLANT_APPLICATION_NAME": "hidden", "VOXIMPLANT_APPLICATION_ID": "43"}, real,
			"local: the key is that of -credentials: no effect of VOXIMPLANT_SECRET_ID\n" +
				"local: -application-id counts: no effect of VOXIMPLANT_APPLICATION_NAME\n" +
				"local: -application-id counts, and not VOXIMPLANT_APPLICATION_ID of the environment\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if len(tt.args) > 2 {
				tt.environ["VOXIMPLANT_API_URL"] = newAPI(t)
			}
			var said bytes.Buffer
			log := &lockedWriter{w: &said}
			_, printed := startLogging(t, log, tt.environ, tt.args...)
			log.mu.Lock()
			defer log.mu.Unlock()
			if !strings.HasPrefix(said.String(), tt.want) || tt.want == "" && strings.Contains(said.String(), "local: ") || strings.Contains(printed, "hidden") {
				t.Errorf("said %q; want %q\nprinted %s", said.String(), tt.want, printed)
			}
		})
	}
}

// TestPrintedSettings: the settings as they are, and where they come from.
func TestPrintedSettings(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(".env", []byte("CACHE_MAX_AGE=20s\nLOCAL_MAX_AGE=never\nLOG_LEVL=info\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	log := &lockedWriter{w: &said}
	_, printed := startLogging(t, log, map[string]string{"LOCAL_MAX_AGE": "3s"}, "-allowed-keys", "a;b,order:*")
	want := []string{
		"ALLOWED_KEYS=a;b,order:* (-allowed-keys)",
		"CACHE_MAX_AGE=20s (.env)",
		"NOT_FOUND_MAX_AGE=5s (the default)",
		"LOCAL_MAX_AGE=3s (the environment)",
		"UPSTREAM_TIMEOUT=1m (the environment)",
		"LOG_KEYS=true (the demo)",
		"RAW_VALUES=true (the demo)",
		"Read " + dir + "/.env.",
	}
	var got []string
	for line := range strings.Lines(printed) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	if !strings.Contains(strings.Join(got, "\n"), strings.Join(want, "\n")) {
		t.Errorf("printed %s; want %s", printed, strings.Join(want, "\n"))
	}
	log.mu.Lock()
	if !strings.Contains(said.String(), ".env has LOG_LEVL, which is not a setting and has no effect; did you mean LOG_LEVEL?") {
		t.Errorf("said %q; want the misspelt name of .env", said.String())
	}
	log.mu.Unlock()
	if err := os.Remove(".env"); err != nil {
		t.Fatal(err)
	}
	if _, printed := start(t, map[string]string{}); !strings.Contains(printed, "There is no .env file in this directory.") {
		t.Errorf("printed %s; want that there is no .env", printed)
	}
}
