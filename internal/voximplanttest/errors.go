package voximplanttest

import "fmt"

// An apiError is an error object of the Management API.
type apiError struct {
	Code    int    `json:"code"`
	Message string `json:"msg"`
}

// Error makes an apiError an error, because the token parser returns only errors.
func (e *apiError) Error() string { return fmt.Sprintf("code %d: %s", e.Code, e.Message) }

// newError returns an apiError. The codes and their wording are those of the constants in
// the official PHP and Node clients.
func newError(code int, format string, args ...any) *apiError {
	return &apiError{Code: code, Message: fmt.Sprintf(format, args...)}
}

type errorBody struct {
	Error  *apiError   `json:"error"`
	Errors []*apiError `json:"errors"`
}

func failure(e *apiError) errorBody {
	return errorBody{Error: e, Errors: []*apiError{e}}
}

func unauthorized() *apiError { return newError(100, "Authorization failed") }

func badToken() *apiError { return newError(447, "Invalid token format.") }

func missing(name string) *apiError { return newError(485, "Specify the '%s' parameter.", name) }

func invalid(name string) *apiError { return newError(496, "The '%s' parameter is invalid.", name) }

func outOfRange(name string, low, high int64) *apiError {
	return newError(497, "%s should be in range of %d..%d", name, low, high)
}

func tooLong(name string, limit int) *apiError {
	return newError(477, "The '%s' parameter length should not exceed %d symbols.", name, limit)
}
