package lookup

import "voxkv/voximplant"

// A KeyError says why a key is not one that the storage can hold. It does not
// quote the key.
type KeyError struct{ Reason string }

func (e *KeyError) Error() string { return "lookup: not a key: " + e.Reason }

// CheckKey is voximplant.CheckKey with a *KeyError.
func CheckKey(key string) error {
	if err := voximplant.CheckKey(key); err != nil {
		return &KeyError{err.Error()}
	}
	return nil
}
