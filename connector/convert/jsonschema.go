package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var (
	errNotJSON = errors.New("it is not JSON in UTF-8, or nested too deep")
	errNumber  = errors.New("a number has too many digits, or too high an exponent, to be compared with a schema")
	errDiffers = errors.New("it is not what its schema says")
)

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
	agrees *jsonschema.Schema // says whether, and builds nothing to say more
	schema *jsonschema.Schema // says why not
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
	var w instanceWeight
	if !w.add(instance, 0) {
		return dst, errNumber
	}
	switch {
	case s.agrees.Validate(instance) == nil:
		return out, nil
	case w > mostBlamed:
		return dst, errDiffers
	default:
		return dst, violated(s.schema.Validate(instance))
	}
}

// instanceWeight is the memory, in bytes, that it takes to say of each part of an
// instance what is wrong with it. The library does that with the whole path to each:
// for what is large and nested it would be gigabytes.
type instanceWeight int

const (
	mostBlamed   instanceWeight = 32 << 20
	blameWeight  instanceWeight = 200
	blamePerStep instanceWeight = 16
)

// add weighs v, which is at some depth. It is false when there is a number in v that
// the library must not see: it makes a fraction of each, digit by digit, so that
// 1e999999 takes a long time, and it dereferences nil for 1e1000001.
func (w *instanceWeight) add(v any, depth instanceWeight) bool {
	*w += blameWeight + depth*blamePerStep
	switch v := v.(type) {
	case json.Number:
		return countable(string(v))
	case []any:
		for i := range v {
			if !w.add(v[i], depth+1) {
				return false
			}
		}
	case map[string]any:
		for name := range v {
			if !w.add(v[name], depth+1) {
				return false
			}
		}
	}
	return true
}

// countable reports whether a number has a size that one can calculate with.
func countable(n string) bool {
	if len(n) > mostDigits {
		return false
	}
	at := strings.IndexAny(n, "eE")
	if at < 0 {
		return true
	}
	exponent, err := strconv.Atoi(n[at+1:])
	return err == nil && exponent >= -mostDigits && exponent <= mostDigits
}

// violated names the rule that was broken, and nothing of the instance.
func violated(err error) error {
	v, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return errDiffers
	}
	for len(v.Causes) > 0 {
		v = v.Causes[0]
	}
	_, at, _ := strings.Cut(v.SchemaURL, "#")
	for _, keyword := range v.ErrorKind.KeywordPath() {
		at += "/" + keyword
	}
	return fmt.Errorf("%w at #%s", errDiffers, at)
}

const (
	// schemaURL is the address of a schema that has no $id.
	schemaURL = "registry:///schema.json"
	// agreesURL is that of one that says the same twice negated: the library collects no
	// reasons for what is inside of a negation.
	agreesURL  = "registry:///agrees.json"
	agreesText = `{"$schema":"http://json-schema.org/draft-07/schema#","not":{"not":{"$ref":"` + schemaURL + `"}}}`
)

func compileJSONSchema(d Definition) (Schema, error) {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7) // where $schema says nothing, as the serializers have it
	c.UseLoader(references(d.References))
	for url, text := range map[string]string{schemaURL: d.Text, agreesURL: agreesText} {
		schema, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(url, schema); err != nil {
			return nil, err
		}
	}
	s, err := c.Compile(schemaURL)
	if err != nil {
		return nil, err
	}
	agrees, err := c.Compile(agreesURL)
	return jsonSchema{schema: s, agrees: agrees}, err
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
