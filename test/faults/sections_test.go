//go:build linux

package faults

// A section is a part of docs/faults.md.
type section struct {
	title string
	rows  []row
}

func sections() []section {
	return []section{
		{"Voximplant answers with an error code", codeRows()},
		{"Voximplant answers with an HTTP status and no error code", statusRows()},
		{"Voximplant answers something else", answerRows()},
		{"The way to Voximplant", wayRows()},
		{"Time", timeRows()},
		{"Secrets Manager, before there is a key", noKeyRows()},
		{"Secrets Manager, once there is a key", keyRows()},
	}
}
