package avro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"kafka-firehose/connector/convert/jsontext"
)

// Bounds of a schema, its references included.
const (
	maxValues    = 150_000   // values and names: some 20 MiB while they are read
	maxTypes     = 30_000    // types, fields and names of types: some 50 MiB while they are compiled
	maxLevels    = 1_000_000 // the sum of the levels of all of them: each is read once for each level around it
	maxNameBytes = 512       // bytes of a name or a namespace, which becomes a part of others
)

// keywords are the members of a schema that say how a value is written. The others are for
// readers with another schema and for people: defaults, aliases, documentation, properties of
// other programs. They have no effect here, and the time to compile a default can double with
// each level.
var keywords = map[string]bool{
	"type": true, "name": true, "namespace": true, "fields": true, "items": true, "values": true, "symbols": true,
	"size": true, "logicalType": true, "precision": true, "scale": true,
}

// ownKeywords are the keywords that belong to one type. Beside other types they mean nothing.
var ownKeywords = map[string][]string{
	"fields": {"record", "error"}, "symbols": {"enum"}, "items": {"array"}, "values": {"map"}, "size": {"fixed"},
}

// textPruner removes everything but the keywords from schemas, and counts the rest.
type textPruner struct{ types, levels int }

// pruneText returns a schema without all that has no effect.
func (p *textPruner) pruneText(text string) (string, error) {
	if values, ok := jsontext.CountValues([]byte(text)); !ok {
		return "", fmt.Errorf("it is not JSON, or nested too deep: more than %d levels", jsontext.MaxDepth)
	} else if values > maxValues {
		return "", fmt.Errorf("it has %d values and names, at most %d are taken", values, maxValues)
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
func (p *textPruner) walkValue(v any, level int) error {
	if p.types++; p.types > maxTypes {
		return fmt.Errorf("it has more than %d types, fields and names of types", maxTypes)
	}
	if p.levels += level; p.levels > maxLevels {
		return fmt.Errorf("it has so many types in one another that the sum of their levels is above %d", maxLevels)
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

func (p *textPruner) pruneKeyword(of map[string]any, keyword string, value any, level int) error {
	if name, ok := of["type"].(string); ok && ownKeywords[keyword] != nil && kinds[name] != kindNull && !slices.Contains(ownKeywords[keyword], name) {
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
		if !keywords[keyword] {
			delete(of, keyword)
		}
	}
	return nil
}

func (p *textPruner) pruneName(s string) error {
	if len(s) > maxNameBytes {
		return fmt.Errorf("a name or a namespace has %d bytes, at most %d are taken", len(s), maxNameBytes)
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
	// The library refuses schemas with tens of thousands of digits. A value with more than maxDigits is an error of its own, and there may be none.
	scale = min(scale, maxDigits+1)
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
