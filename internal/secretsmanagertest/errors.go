package secretsmanagertest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// A serviceError is the body of an error of the service. Its status is 400, unless
// WriteError gives another.
type serviceError struct {
	Type    string `json:"__type"`
	Message string `json:",omitempty"`
}

func newError(typ, format string, args ...any) *serviceError {
	return &serviceError{Type: typ, Message: fmt.Sprintf(format, args...)}
}

func (e *serviceError) write(w http.ResponseWriter) { write(w, http.StatusBadRequest, e) }

// WriteError writes an error as the service does, for use in Intercept. The service's
// ThrottlingException and AccessDeniedException have status 400, its
// InternalServiceError has 500.
func WriteError(w http.ResponseWriter, status int, typ, message string) {
	write(w, status, serviceError{Type: typ, Message: message})
}

func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("X-Amzn-Requestid", "00000000-0000-4000-8000-000000000000")
	w.WriteHeader(status)
	w.Write(body)
}

// writeUnknown answers a request that is no call in this protocol. AWS answers such in XML.
func writeUnknown(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNotFound)
	w.Write([]byte("<UnknownOperationException/>\n"))
}
