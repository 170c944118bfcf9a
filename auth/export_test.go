package auth

// ParseKey is ParseServiceAccountKey with another least number of bits.
var ParseKey = parseKey
