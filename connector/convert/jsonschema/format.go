package jsonschema

import (
	"errors"
	"slices"
)

// format checks a text.
type format struct {
	valid func(any) error
	regex bool
}

// validRegex is the error for a text that is no regular expression. It compiles nothing.
func validRegex(v any) error {
	s, _ := v.(string)
	if len(s) > maxPatternBytes {
		return errors.New("it is too long")
	}
	t, err := translatePattern(s)
	if errors.Is(err, errNoForm) {
		return nil
	}
	if err == nil {
		_, err = parseTranslated(t.text)
	}
	for _, other := range t.ahead {
		if err == nil {
			_, err = parseTranslated(other.text)
		}
	}
	return err
}

// formats are those that each draft has added. Serializers leave others alone, as the drafts have it.
var formats = map[int][]string{
	4: {"date-time", "email", "hostname", "ipv4", "ipv6", "uri"},
	6: {"uri-reference", "uri-template", "json-pointer"},
	7: {"date", "time", "regex", "idn-email", "idn-hostname", "iri", "iri-reference", "relative-json-pointer"},
}

func hasFormat(draft int, name string) bool {
	for since, names := range formats {
		if draft >= since && slices.Contains(names, name) {
			return true
		}
	}
	return draft > 7
}
