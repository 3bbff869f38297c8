package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector/convert"
)

// schemaAnswer is a schema as the registry returns it. Only the fields that are used are read, and
// the list of references is bounded while it is read: in memory an answer of 8 MiB of empty
// ones would take thirty times as much.
type schemaAnswer struct {
	Schema     string                           `json:"schema"`
	Type       sr.SchemaType                    `json:"schemaType"`
	References artifactList[sr.SchemaReference] `json:"references"`
}

// allReferences are those of the schema.
func (a schemaAnswer) allReferences() (all []schemaReference) {
	for _, r := range a.References {
		all = append(all, schemaReference{name: r.Name, subject: r.Subject, version: strconv.Itoa(r.Version)})
	}
	return all
}

// artifactList is a list of references. No more are read than are followed.
type artifactList[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *artifactList[T]) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	begin, err := d.Token()
	switch {
	case err != nil || begin == nil: // null
		return err
	case begin != json.Delim('['):
		return errors.New("the references of the schema are no list")
	}
	for d.More() {
		if len(*l) == convert.MaxReferences {
			return errReferences
		}
		var one T
		if err := d.Decode(&one); err != nil {
			return err
		}
		*l = append(*l, one)
	}
	return nil
}

// someList reports whether JSON is a list with an element. It doesn't keep the elements.
type someList bool

// UnmarshalJSON implements json.Unmarshaler.
func (s *someList) UnmarshalJSON(b []byte) error {
	inside, ok := bytes.CutPrefix(bytes.TrimSpace(b), []byte("["))
	if !ok {
		return errors.New("the answer is no list")
	}
	*s = someList(!bytes.HasPrefix(bytes.TrimSpace(inside), []byte("]")))
	return nil
}
