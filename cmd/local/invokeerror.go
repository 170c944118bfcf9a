package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/lambda/messages"
)

// An apiError is an error of Lambda's own, before there is an invocation.
type apiError struct {
	status             int
	errorType, message string
}

func (e *apiError) Error() string { return e.errorType + ": " + e.message }

func invalidParameter(message string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidParameterValueException", fmt.Sprintf(message, args...)}
}

// refuse writes an error as Lambda does. Its SDKs find the type in the header.
func refuse(w http.ResponseWriter, err error) {
	failed, ok := errors.AsType[*apiError](err)
	if !ok {
		failed = &apiError{http.StatusInternalServerError, "ServiceException", err.Error()}
	}
	member := "message"
	switch failed.errorType { // Lambda spells it in both ways
	case "ResourceNotFoundException", "ServiceException", "AccessDeniedException":
		member = "Message"
	}
	body, _ := json.Marshal(map[string]string{"Type": "User", member: failed.message}) // strings
	w.Header().Set("X-Amzn-Errortype", failed.errorType)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(failed.status)
	w.Write(body)
}

// functionError is a failure of the function itself, as Lambda reports it.
func functionError(errorType, message string, args ...any) messages.InvokeResponse_Error {
	return messages.InvokeResponse_Error{Type: errorType, Message: fmt.Sprintf(message, args...)}
}
