package secretsmanagertest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// A refusal is an error of the service. All but the injected ones have status 400.
type refusal struct {
	Type    string `json:"__type"`
	Message string `json:",omitempty"`
}

func refuse(typ, format string, args ...any) *refusal {
	return &refusal{Type: typ, Message: fmt.Sprintf(format, args...)}
}

func (r *refusal) write(w http.ResponseWriter) { write(w, http.StatusBadRequest, r) }

// WriteError writes an error as the service does, for use in Intercept. The service's
// ThrottlingException and AccessDeniedException have status 400, its
// InternalServiceError has 500.
func WriteError(w http.ResponseWriter, status int, typ, message string) {
	write(w, status, refusal{Type: typ, Message: message})
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

// writeUnknown answers what is not a call in this protocol at all, which AWS does in XML.
func writeUnknown(w http.ResponseWriter) {
	w.WriteHeader(http.StatusNotFound)
	w.Write([]byte("<UnknownOperationException/>\n"))
}
