package main

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestVariables: flags count before the environment, and what has no effect is noted, without its value.
func TestVariables(t *testing.T) {
	t.Parallel()
	real := realFlags(t)
	type values = map[string]string
	tests := []struct {
		name    string
		environ values
		args    []string
		want    values // "" for a variable that is not set
		notes   []string
	}{
		{"nothing", values{"PATH": "hidden"}, nil,
			values{"ALLOWED_KEYS": demoKeys, "LOG_KEYS": "true", "RAW_VALUES": "true", "VOXIMPLANT_APPLICATION_ID": "1"}, nil},
		{"other settings than the demo's", values{"ALLOWED_KEYS": "secret:*", "LOG_KEYS": "false", "RAW_VALUES": "false"}, nil,
			values{"ALLOWED_KEYS": "secret:*", "LOG_KEYS": "false", "RAW_VALUES": "false"}, nil},
		{"misspelt names", values{"LOG_KEY": "hidden", "CACHE_MAXAGE": "hidden", "LOG_LEVEL": "info"}, nil, nil,
			[]string{"the environment has CACHE_MAXAGE, which is not a setting and has no effect; did you mean CACHE_MAX_AGE?",
				"the environment has LOG_KEY, which is not a setting and has no effect; did you mean LOG_KEYS?"}},
		{"a flag and a variable", values{"ALLOWED_KEYS": "hidden"}, []string{"-allowed-keys", "order:*"},
			values{"ALLOWED_KEYS": "order:*"}, []string{"-allowed-keys counts, and not ALLOWED_KEYS of the environment"}},
		{"a flag and the same in a variable", values{"ALLOWED_KEYS": "order:*"}, []string{"-allowed-keys", "order:*"},
			values{"ALLOWED_KEYS": "order:*"}, nil},
		{"a real account's settings without -credentials", values{"VOXIMPLANT_SECRET_ID": "hidden", "VOXIMPLANT_APPLICATION_ID": "hidden", "VOXIMPLANT_APPLICATION_NAME": "hidden", "VOXIMPLANT_API_URL": "hidden"}, nil,
			values{"VOXIMPLANT_SECRET_ID": "embedded", "VOXIMPLANT_APPLICATION_ID": "1", "VOXIMPLANT_APPLICATION_NAME": "", "VOXIMPLANT_API_URL": ""},
			[]string{"without -credentials the storage is the embedded one: no effect of VOXIMPLANT_SECRET_ID, VOXIMPLANT_APPLICATION_ID, VOXIMPLANT_APPLICATION_NAME, VOXIMPLANT_API_URL"}},
		{"a real account by flags", nil, real,
			values{"VOXIMPLANT_APPLICATION_ID": "42", "ALLOWED_KEYS": "order:*", "LOG_KEYS": ""}, nil},
		{"a real account by variables", values{"VOXIMPLANT_APPLICATION_NAME": "app.example", "ALLOWED_KEYS": "*"}, real[:2],
			values{"VOXIMPLANT_APPLICATION_ID": "", "VOXIMPLANT_APPLICATION_NAME": "app.example", "ALLOWED_KEYS": "*"}, nil},
		{"a real account by flags and by variables", values{"VOXIMPLANT_SECRET_ID": "hidden", "VOXIMPLANT_APPLICATION_NAME": "hidden", "VOXIMPLANT_APPLICATION_ID": "43"}, real,
			values{"VOXIMPLANT_APPLICATION_ID": "42", "VOXIMPLANT_APPLICATION_NAME": ""},
			[]string{"the key is that of -credentials: no effect of VOXIMPLANT_SECRET_ID", "-application-id counts: no effect of VOXIMPLANT_APPLICATION_NAME",
				"-application-id counts, and not VOXIMPLANT_APPLICATION_ID of the environment"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := parse(append([]string{"-addr", "127.0.0.1:0"}, tt.args...), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			v, err := gather(tt.environ, "none.env")
			if err != nil {
				t.Fatal(err)
			}
			listener, err := prepare(t.Context(), o, v)
			if err != nil {
				t.Fatal(err)
			}
			listener.Close()
			for name, want := range tt.want {
				if v.values[name] != want {
					t.Errorf("%s is %q; want %q", name, v.values[name], want)
				}
			}
			if !slices.Equal(v.notes, tt.notes) {
				t.Errorf("the notes are %q; want %q", v.notes, tt.notes)
			}
		})
	}
}

// TestPrintedSettings: the settings as they are and where they come from, and what has no effect.
func TestPrintedSettings(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(".env", []byte("CACHE_MAX_AGE=20s\nLOCAL_MAX_AGE=never\nLOG_LEVL=hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	log := &lockedWriter{w: &said}
	_, printed := startLogging(t, log, map[string]string{"LOCAL_MAX_AGE": "3s", "ALLOWED_KEYS": "hidden"}, "-allowed-keys", "a;b,order:*")
	want := strings.Join([]string{
		"ALLOWED_KEYS=a;b,order:* (-allowed-keys)",
		"CACHE_MAX_AGE=20s (.env)",
		"NOT_FOUND_MAX_AGE=5s (the default)",
		"LOCAL_MAX_AGE=3s (the environment)",
		"UPSTREAM_TIMEOUT=1m (the environment)",
		"LOG_KEYS=true (the demo)",
		"RAW_VALUES=true (the demo)",
		"Read " + dir + "/.env.",
	}, "\n")
	if got := strings.ReplaceAll(printed, "\n  ", "\n"); !strings.Contains(got, want) || strings.Contains(got, "hidden") {
		t.Errorf("printed %s; want %s", printed, want)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	const notes = "local: .env has LOG_LEVL, which is not a setting and has no effect; did you mean LOG_LEVEL?\n" +
		"local: -allowed-keys counts, and not ALLOWED_KEYS of the environment\n"
	if !strings.HasPrefix(said.String(), notes) {
		t.Errorf("said %q; want %q", said.String(), notes)
	}
	if err := os.Remove(".env"); err != nil {
		t.Fatal(err)
	}
	if _, printed := start(t, nil); !strings.Contains(printed, "There is no .env file in this directory.") {
		t.Errorf("printed %s; want that there is no .env", printed)
	}
}
