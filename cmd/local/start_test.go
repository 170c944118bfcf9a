package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"voxkv/allowlist"
	"voxkv/internal/settingstest"
	"voxkv/test/tools"
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
		{"greeting", "greeting", "ringing", "greeting"},
		{".,..,a;b", "a%3Bb", "semicolon", "a%3Bb"},
		{"имя#*", "%D0%B8%D0%BC%D1%8F%231001", "ringing", "%D0%B8%D0%BC%D1%8F%232000"},
	}
	for _, tt := range tests {
		t.Run(tt.allowed, func(t *testing.T) {
			t.Parallel()
			_, printed := start(t, nil, "-allowed-keys", tt.allowed)
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
		res, _ := tools.Do(t, "GET", root+"/v1/items/order:2000", "")
		var got int // a slow machine takes something off
		if match := regexp.MustCompile(`max-age=(\d+)`).FindStringSubmatch(res.Header.Get("Cache-Control")); match != nil {
			got, _ = strconv.Atoi(match[1])
		}
		if got > tt.number+1 || (got == 0) != (tt.number == 0) {
			t.Errorf("%v: max-age = %d; said was %d", tt.environ, got, tt.number)
		}
	}
}

// TestPrinted: what is said of rules with claims and with a max-age, and of a real account.
func TestPrinted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		start func(t *testing.T, environ map[string]string, args ...string) (root, printed string)
		args  []string
		want  []string
		never []string
	}{
		{start, []string{"-allowed-keys", "order:{sub}:*"}, []string{"No rule of ALLOWED_KEYS gives a key to paste here.", `{"key":"…"}`}, []string{"  curl "}},
		{start, []string{"-allowed-keys", "order:{sub}:*", "-claims", `{"sub":"42"}`}, []string{"/v1/items/order:42:1001\n", "/storage/order:42:2000?ttl=90s", "max-age=60, the most that the settings allow"}, nil},
		{start, []string{"-allowed-keys", "order:* max-age=2s"}, []string{"max-age=2, the most that the settings allow", "the function's for 1s, one in a browser or another cache until 2s\n(the max-age of the rule)", "NOT_FOUND_MAX_AGE=2s"}, nil},
		{startReal, nil, []string{"  curl -i ROOT/v1/items/order:1001\n", `{"key":"order:1001"}`, "with a key of yours", "VOXIMPLANT_APPLICATION_ID=42 (-application-id)\n"}, []string{"/storage/", "embedded", "demo"}},
	}
	for _, tt := range tests {
		root, printed := tt.start(t, nil, tt.args...)
		printed = strings.ReplaceAll(printed, root, "ROOT")
		for _, part := range tt.want {
			if !strings.Contains(printed, part) {
				t.Errorf("%q: printed %s; want %q in it", tt.args, printed, part)
			}
		}
		for _, part := range tt.never {
			if strings.Contains(printed, part) {
				t.Errorf("%q: printed %s; want nothing of %q", tt.args, printed, part)
			}
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
		s := settingstest.Read(t, settingstest.Environ("ALLOWED_KEYS", tt.list))
		if got := exampleKey(s, tt.list, "1001", allowlist.Caller{Claims: allowlist.Claims{"sub": "42"}}, "z"); got != tt.want {
			t.Errorf("exampleKey(%q) = %q; want %q", tt.list, got, tt.want)
		}
	}
}
