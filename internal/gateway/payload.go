package gateway

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A payloadType says what an invocation's payload is.
type payloadType int

const (
	unsupported payloadType = iota
	directInvocation
	httpEvent // whoever has sent it
)

// typeOf returns what payload is. All that begins like an array is a direct invocation: no event is an array, and Direct
// can say what is wrong with a broken one.
func typeOf(payload []byte) payloadType {
	var d discriminator
	switch kind := jsontext.Value(payload).Kind(); {
	case kind == jsontext.KindBeginArray:
		return directInvocation
	case kind != jsontext.KindBeginObject || unmarshal(payload, &d) != nil:
		return unsupported
	case d.isDirect():
		return directInvocation
	case d.isNotification(), d.isAuthorizer():
		return unsupported
	}
	return httpEvent
}

// unmarshal decodes a whole payload. Names are case-sensitive. It is an error if any object has two members of one name,
// because a reader on the way may have taken the other one. Bytes that are not UTF-8 are replaced.
func unmarshal(payload []byte, v any) error {
	return json.Unmarshal(payload, v, jsontext.AllowInvalidUTF8(true))
}

// A discriminator has the members that tell direct invocations, HTTP events and other payloads apart.
type discriminator struct {
	Key            jsontext.Value `json:"key"`
	Keys           jsontext.Value `json:"keys"`
	Operation      jsontext.Value `json:"operation"`
	Records        jsontext.Value `json:"Records"`
	Source         jsontext.Value `json:"source"`
	DetailType     jsontext.Value `json:"detail-type"`
	Type           jsontext.Value `json:"type"`
	RequestContext jsontext.Value `json:"requestContext"`
}

// isDirect reports whether the payload is a direct invocation: it has a member that only those have, or it lacks what all
// events have.
func (d *discriminator) isDirect() bool {
	if !isEmpty(d.Key) || !isEmpty(d.Keys) || !isEmpty(d.Operation) {
		return true
	}
	hasContext := d.RequestContext.Kind() == jsontext.KindBeginObject || !isEmpty(d.RequestContext)
	return !hasContext && !d.isNotification()
}

// isNotification reports whether the payload is from a service such as SQS or S3, or an event of EventBridge.
func (d *discriminator) isNotification() bool {
	return !isEmpty(d.Records) || !isEmpty(d.Source) && !isEmpty(d.DetailType)
}

// isAuthorizer reports whether the payload asks a Lambda authorizer for its decision. But for the type it looks like the
// event that the decision is about.
func (d *discriminator) isAuthorizer() bool { return !isEmpty(d.Type) }

// isEmpty reports whether value says nothing: it is absent, null, or an empty string, array or object. Languages without
// types write an empty map as [], and an empty string for what is absent.
func isEmpty(value jsontext.Value) bool {
	switch value.Kind() {
	case jsontext.KindInvalid, jsontext.KindNull:
		return true
	case jsontext.KindString, jsontext.KindBeginArray, jsontext.KindBeginObject:
		return len(bytes.TrimSpace(value[1:len(value)-1])) == 0
	}
	return false
}
