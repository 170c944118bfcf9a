package main

import (
	"io"
	"net/http"
	"strings"
	"time"
)

const noFault = "off"

// slowness is a noticeable wait that is still shorter than the time after which the function tries again.
const slowness = 1500 * time.Millisecond

// A fault is a way for the embedded storage to fail.
type fault struct {
	Name  string
	About string // what the storage does, for the page

	// intercept answers in place of the storage, or returns false.
	intercept func(w http.ResponseWriter, r *http.Request) bool
}

func faults() []fault {
	return []fault{
		{noFault, "answers", nil},
		{"throttled", "says that we ask too often (340)", answer(http.StatusOK, `{"error":{"code":340,"msg":"Rate limit exceed"}}`)},
		{"unavailable", "fails (HTTP 503)", answer(http.StatusServiceUnavailable, "")},
		{"slow", "takes 1.5 seconds longer", func(_ http.ResponseWriter, r *http.Request) bool {
			select {
			case <-time.After(slowness):
			case <-r.Context().Done():
			}
			return false
		}},
		{"hang", "never answers", func(_ http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}},
		{"garbage", "answers with a web page", answer(http.StatusOK, "<!doctype html><title>Welcome</title>")},
		{"refused", "refuses our key (433)", answer(http.StatusOK, `{"error":{"code":433,"msg":"Invalid key id."}}`)},
	}
}

func answer(status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		io.WriteString(w, body)
		return true
	}
}

func faultNamed(name string) (fault, bool) {
	for _, f := range faults() {
		if f.Name == name {
			return f, true
		}
	}
	return fault{}, false
}

func faultNames() string {
	var names []string
	for _, f := range faults() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// setFault makes the storage fail in the named way from now on. It reports false if there is no fault of this name.
func (s *embeddedAPI) setFault(name string) bool {
	f, ok := faultNamed(name)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = name
	s.Intercept(f.intercept)
	return true
}

func (s *embeddedAPI) fault() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing
}

// serveFault takes the name of a fault.
func (s *embeddedAPI) serveFault(w http.ResponseWriter, r *http.Request) {
	name, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 100)) // a longer name is none of a fault
	if !s.setFault(string(name)) {
		http.Error(w, "accepted: "+faultNames(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
