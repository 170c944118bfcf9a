package voximplanttest

import "fmt"

// A refusal is an error object of the Management API.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"msg"`
}

// Error makes a refusal pass through the token parser, which knows only errors.
func (r *refusal) Error() string { return fmt.Sprintf("code %d: %s", r.Code, r.Message) }

// refuse returns a refusal. The codes and their wording are those of the constants in
// the official PHP and Node clients.
func refuse(code int, format string, args ...any) *refusal {
	return &refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

type errorBody struct {
	Error  *refusal   `json:"error"`
	Errors []*refusal `json:"errors"`
}

func failure(r *refusal) errorBody {
	return errorBody{Error: r, Errors: []*refusal{r}}
}

func unauthorized() *refusal { return refuse(100, "Authorization failed") }

func badToken() *refusal { return refuse(447, "Invalid token format.") }

func missing(name string) *refusal { return refuse(485, "Specify the '%s' parameter.", name) }

func invalid(name string) *refusal { return refuse(496, "The '%s' parameter is invalid.", name) }

func outOfRange(name string, low, high int64) *refusal {
	return refuse(497, "%s should be in range of %d..%d", name, low, high)
}

func tooLong(name string, limit int) *refusal {
	return refuse(477, "The '%s' parameter length should not exceed %d symbols.", name, limit)
}
