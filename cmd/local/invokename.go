package main

import (
	"fmt"
	"net/http"
	"regexp"
)

// plainName is what a function may be called.
var plainName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// qualifiedName is Lambda's FunctionName: a name, an ARN or the end of one, and a qualifier behind it. Account and region
// are not looked at: here they are all one.
var qualifiedName = regexp.MustCompile(`^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d:)?(?:\d{12}:)?(?:function:)?` +
	`([a-zA-Z0-9_.-]+)(?::(\$LATEST|[a-zA-Z0-9_-]+))?$`)

// resolve returns the ARN of the function that a caller names. Of its versions there is $LATEST alone, and the alias that
// template.yaml makes points to it.
func (l *lambdaAPI) resolve(name, qualifier string) (arn string, err error) {
	const maxName = 256
	parts := qualifiedName.FindStringSubmatch(name)
	if parts == nil || len(name) > maxName {
		return "", invalidParameter("%q is no FunctionName; accepted: a name, an ARN or the end of one, such as 123456789012:function:%s, and :qualifier behind it", name, l.name)
	}
	name, inName := parts[1], parts[2]
	switch {
	case qualifier == "":
		qualifier = inName
	case inName != "" && inName != qualifier:
		return "", invalidParameter("The derived qualifier from the function name does not match the specified qualifier.")
	}
	arn = "arn:aws:lambda:us-east-1:000000000000:function:" + name
	if qualifier != "" {
		arn += ":" + qualifier
	}
	if name != l.name || qualifier != "" && qualifier != "live" && qualifier != "$LATEST" {
		return "", &apiError{http.StatusNotFound, "ResourceNotFoundException",
			fmt.Sprintf("Function not found: %s; here is only %s, with the qualifiers live and $LATEST (flag -function-name)", arn, l.name)}
	}
	return arn, nil
}
