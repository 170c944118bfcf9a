package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"voxkv/internal/settings"
)

// misspelt says of the variables of a place which ones look like settings, and are none.
func misspelt(place string, variables map[string]string) []string {
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if meant := meantBy(name); meant != "" {
			notes = append(notes, fmt.Sprintf("%s has %s, which is not a setting and has no effect; did you mean %s?", place, name, meant))
		}
	}
	return notes
}

// meantBy returns the settings that somebody probably means by name; "" if name is a setting, or is like none.
func meantBy(name string) string {
	const ours = "VOXIMPLANT_"
	var close, sameStart []string
	for _, v := range settings.Variables() {
		if v.Name == name {
			return ""
		}
		if distance(plain(name), plain(v.Name)) <= len(v.Name)/6 {
			close = append(close, v.Name)
		}
		if strings.HasPrefix(v.Name, ours) && strings.HasPrefix(name, ours) {
			sameStart = append(sameStart, v.Name)
		}
	}
	if len(close) == 0 {
		close = sameStart
	}
	return strings.Join(close, " or ")
}

// plain is a name without what is most often mistaken.
func plain(name string) string { return strings.ReplaceAll(strings.ToUpper(name), "_", "") }

// distance is how many characters must be put in, taken out or replaced to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // the distances of a's first i bytes to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
