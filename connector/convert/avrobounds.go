package convert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"kafka-firehose/connector/convert/jsontext"
)

// Bounds of an Avro schema, its references included.
const (
	maxAvroTypes = 30_000    // types, fields and names of types: some 50 MiB while they are compiled
	maxAvroLevel = 1_000_000 // the sum of the levels of all of them: each is read once for each level around it
	maxAvroName  = 512       // bytes of a name or a namespace, which becomes a part of others
)

// avroKeywords are the members of a schema that say how a value is written. The others are for
// readers with another schema and for people: defaults, aliases, documentation, properties of
// other programs. They have no effect here, and the time to compile a default can double with
// each level.
var avroKeywords = map[string]bool{
	"type": true, "name": true, "namespace": true, "fields": true, "items": true, "values": true, "symbols": true,
	"size": true, "logicalType": true, "precision": true, "scale": true,
}

// avroOwn are the keywords that belong to one type. Beside other types they mean nothing.
var avroOwn = map[string][]string{
	"fields": {"record", "error"}, "symbols": {"enum"}, "items": {"array"}, "values": {"map"}, "size": {"fixed"},
}

// avroPruner removes everything but the keywords from schemas, and counts the rest.
type avroPruner struct{ types, levels int }

// pruneText returns a schema without all that has no effect.
func (p *avroPruner) pruneText(text string) (string, error) {
	if values, ok := jsontext.CountValues([]byte(text)); !ok {
		return "", fmt.Errorf("it is not JSON, or nested too deep: more than %d levels", jsontext.MaxDepth)
	} else if values > maxSchemaValues {
		return "", fmt.Errorf("it has %d values and names, at most %d are taken", values, maxSchemaValues)
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var schema any
	if err := d.Decode(&schema); err != nil {
		return "", err
	}
	if err := p.walkValue(schema, 1); err != nil {
		return "", err
	}
	out, err := json.Marshal(schema)
	return string(out), err
}

// walkValue prunes a type, a field, or a list of them.
func (p *avroPruner) walkValue(v any, level int) error {
	if p.types++; p.types > maxAvroTypes {
		return fmt.Errorf("it has more than %d types, fields and names of types", maxAvroTypes)
	}
	if p.levels += level; p.levels > maxAvroLevel {
		return fmt.Errorf("it has so many types in one another that the sum of their levels is above %d", maxAvroLevel)
	}
	switch v := v.(type) {
	case string:
		return p.pruneName(v)
	case []any:
		for _, each := range v {
			if err := p.walkValue(each, level+1); err != nil {
				return err
			}
		}
	case map[string]any:
		pruneLogical(v)
		for keyword, value := range v {
			if err := p.pruneKeyword(v, keyword, value, level); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *avroPruner) pruneKeyword(of map[string]any, keyword string, value any, level int) error {
	if name, ok := of["type"].(string); ok && avroOwn[keyword] != nil && avroKinds[name] != avroNull && !slices.Contains(avroOwn[keyword], name) {
		delete(of, keyword)
		return nil
	}
	switch keyword {
	case "type", "fields", "items", "values":
		return p.walkValue(value, level+1)
	case "name", "namespace":
		if s, ok := value.(string); ok {
			return p.pruneName(s)
		}
	default:
		if !avroKeywords[keyword] {
			delete(of, keyword)
		}
	}
	return nil
}

func (p *avroPruner) pruneName(s string) error {
	if len(s) > maxAvroName {
		return fmt.Errorf("a name or a namespace has %d bytes, at most %d are taken", len(s), maxAvroName)
	}
	return nil
}

// pruneLogical removes a logical type that the specification calls invalid: then the type itself is read. Of a
// decimal, the precision has no part in reading it.
func pruneLogical(of map[string]any) {
	_, isText := of["logicalType"].(string)
	if of["logicalType"] == "decimal" {
		precision, ok := wholeNumber(of["precision"])
		scale, given := wholeNumber(of["scale"])
		size, _ := wholeNumber(of["size"])
		isText = ok && (given || of["scale"] == nil) && precision > 0 && scale >= 0 && scale <= precision &&
			(of["type"] != "fixed" || precision <= decimalDigits(size))
	}
	if !isText {
		delete(of, "logicalType")
	}
	if of["logicalType"] != "decimal" {
		delete(of, "precision")
		delete(of, "scale")
		return
	}
	scale, _ := wholeNumber(of["scale"])
	of["precision"], of["scale"] = max(scale, 1), scale
}

// wholeNumber is the value of a number without a fraction.
func wholeNumber(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(string(n), 10, 32)
	return int(i), err == nil
}

// decimalDigits returns the number of digits that every number of that many bytes fits in.
func decimalDigits(size int) int { return int(float64(8*size-1) * math.Log10(2)) }
