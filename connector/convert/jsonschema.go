package convert

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var errNotJSON = errors.New("it is not JSON in UTF-8, or nested too deep")

// plainJSON reads what claims to be JSON and has its schema looked at by nobody.
type plainJSON struct{}

// Append implements Schema.
func (plainJSON) Append(dst, payload []byte, _ Index, most int) ([]byte, error) {
	blanks, ok := scanJSON(payload)
	switch {
	case len(payload)-blanks > most:
		return dst, errTooLong
	case !ok || !utf8.Valid(payload):
		return dst, errNotJSON
	case blanks == 0:
		return append(dst, payload...), nil
	default:
		return appendCompact(dst, payload), nil
	}
}

// jsonSchema is plainJSON that a schema has to agree with.
type jsonSchema struct {
	plainJSON
	schema *jsonschema.Schema
}

// Append implements Schema.
func (s jsonSchema) Append(dst, payload []byte, index Index, most int) ([]byte, error) {
	out, err := s.plainJSON.Append(dst, payload, index, most)
	if err != nil {
		return dst, err
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return dst, errNotJSON
	}
	if err := s.schema.Validate(instance); err != nil {
		return dst, violated(err)
	}
	return out, nil
}

// violated names the rule that was broken, and nothing of the instance.
func violated(err error) error {
	v, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return errors.New("it is not what its schema says")
	}
	for len(v.Causes) > 0 {
		v = v.Causes[0]
	}
	_, at, _ := strings.Cut(v.SchemaURL, "#")
	for _, keyword := range v.ErrorKind.KeywordPath() {
		at += "/" + keyword
	}
	return fmt.Errorf("it is not what its schema says at #%s", at)
}

// schemaURL is the address of a schema that has no $id.
const schemaURL = "registry:///schema.json"

func compileJSONSchema(d Definition) (Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7) // where $schema says nothing, as the serializers have it
	c.UseLoader(references(d.References))
	text, err := jsonschema.UnmarshalJSON(strings.NewReader(d.Text))
	if err != nil {
		return nil, err
	}
	if err := c.AddResource(schemaURL, text); err != nil {
		return nil, err
	}
	s, err := c.Compile(schemaURL)
	if err != nil {
		return nil, err
	}
	return jsonSchema{schema: s}, nil
}

// references are the only schemas that another may refer to: no file is read and no
// address asked because a schema says so.
type references []Reference

// Load implements jsonschema.URLLoader. A reference is found by the name that it was
// registered with, whatever the address is that this was taken to be relative to.
func (rs references) Load(url string) (any, error) {
	for _, r := range rs {
		if url == r.Name || strings.HasSuffix(url, "/"+strings.TrimPrefix(r.Name, "/")) {
			return jsonschema.UnmarshalJSON(strings.NewReader(r.Text))
		}
	}
	return nil, fmt.Errorf("it refers to %s, which is not among its references", url)
}
