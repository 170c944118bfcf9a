package gateway

import (
	"context"

	"github.com/go-json-experiment/json/jsontext"

	"voxkv/allowlist"
)

// withClaims returns ctx with the caller whose claims the gateway has verified. Only the context of the request tells them:
// headers, query and body are the client's.
func (e *event) withClaims(ctx context.Context, from sender) context.Context {
	if from.claims == nil || len(e.RequestContext.Authorizer) == 0 {
		return ctx
	}
	claims, ok := from.claims(e.RequestContext.Authorizer)
	if !ok {
		return ctx
	}
	return allowlist.WithCaller(ctx, allowlist.Caller{Claims: claims})
}

// v2Claims are those of a JWT authorizer, or the context that a Lambda authorizer returned. A route has one authorizer at
// most. A Function URL and IAM have a member of another name, with what AWS knows of the caller, and no claims.
func v2Claims(authorizer jsontext.Value) (allowlist.Claims, bool) {
	jwt, isJWT := member(authorizer, "jwt")
	context, isLambda := member(authorizer, "lambda")
	switch {
	case isJWT == isLambda: // neither, or what no HTTP API sends
		return nil, false
	case isLambda:
		return allowlist.ParseClaims(context)
	}
	claims, _ := member(jwt, "claims")
	return allowlist.ParseClaims(claims)
}

// v1Claims are those of a Cognito or a JWT authorizer, or else the context that a Lambda authorizer returned, with the
// principal that it named. That context holds no objects, so claims tell the two apart. The latency is the gateway's own.
func v1Claims(authorizer jsontext.Value) (allowlist.Claims, bool) {
	if claims, ok := member(authorizer, "claims"); ok {
		return allowlist.ParseClaims(claims)
	}
	claims, ok := allowlist.ParseClaims(authorizer)
	delete(claims, "integrationLatency")
	return claims, ok
}

// member returns a member of an object that is an object itself. ok is false if there is none.
func member(object jsontext.Value, name string) (value jsontext.Value, ok bool) {
	var members map[string]jsontext.Value
	if object.Kind() != jsontext.KindBeginObject || unmarshal(object, &members) != nil {
		return nil, false
	}
	value = members[name]
	return value, value.Kind() == jsontext.KindBeginObject
}
