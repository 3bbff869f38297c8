package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Field is one member of the envelope: its source, its name, and, for a
// key, a value and headers, its form.
type Field struct {
	Source string // one of sources, header(NAME) or const(TEXT)
	Form   string // "json", "text" or "base64"; "date" or "hour" of the timestamp; empty for the other sources
	Name   string
}

// Fields are the members of the envelope in their order.
type Fields []Field

// sources are the properties of a record that a field can have, and the default form of those that hold
// bytes of the record.
var sources = []struct{ name, form string }{
	{"id", ""},
	{"topic", ""},
	{"partition", ""},
	{"offset", ""},
	{"timestamp", ""},
	{"timestamp_ms", ""},
	{"key", "json"},
	{"headers", "text"},
	{"value", "json"},
	{"tombstone", ""},
}

// defaultFields is the envelope when RECORD_FIELDS is not set.
const defaultFields = "id,topic,partition,offset,timestamp,key,headers,value"

// markerSuffix is what a key or a value in base64 adds to its name for the member
// that says so.
const markerSuffix = "_encoding"

// maxName is far above any name that a table takes for a column.
const maxName = 128

// Decode reads source[:form][=name], comma separated; envconfig calls it.
func (fs *Fields) Decode(s string) error {
	var all Fields
	for i, entry := range strings.Split(s, ",") {
		f, err := decodeField(strings.TrimSpace(entry))
		if err != nil {
			return fmt.Errorf("entry %d: %w", i+1, err)
		}
		all = append(all, f)
	}
	if err := all.checkDistinct(); err != nil {
		return err
	}
	*fs = all
	return nil
}

// argumentOf returns the text in the parentheses of header(NAME) or const(TEXT).
func argumentOf(source, function string) (argument string, ok bool) {
	if argument, ok = strings.CutPrefix(source, function+"("); ok {
		argument, ok = strings.CutSuffix(argument, ")")
	}
	return argument, ok && argument != ""
}

// decodeFunction reads header(NAME)[:form]=name and const(TEXT)=name.
func decodeFunction(entry string) (Field, error) {
	end := strings.IndexByte(entry, ')') + 1
	form, name, named := strings.Cut(entry[end:], "=")
	f := Field{Source: entry[:end], Name: name}
	_, header := argumentOf(f.Source, "header")
	_, constant := argumentOf(f.Source, "const")
	form, formed := strings.CutPrefix(form, ":")
	switch {
	case !header && !constant || !named || !formed && form != "" || !utf8.ValidString(f.Source):
		return f, fmt.Errorf("%q is no field; want header(NAME)=field or const(TEXT)=field, without commas and closing parentheses in it", entry)
	case header && !formed:
		f.Form = "text"
	case header && (form == "json" || form == "text" || form == "base64"):
		f.Form = form
	case formed:
		return f, fmt.Errorf("%s can't be written as %q; want text, base64 or json for a header, and none for a constant", f.Source, form)
	}
	return f, f.checkName()
}

func decodeField(entry string) (Field, error) {
	if strings.HasPrefix(entry, "header(") || strings.HasPrefix(entry, "const(") {
		return decodeFunction(entry)
	}
	what, name, named := strings.Cut(entry, "=")
	source, form, formed := strings.Cut(what, ":")
	f := Field{Source: source, Form: form, Name: source}
	if named {
		f.Name = name
	}
	i := slices.IndexFunc(sources, func(s struct{ name, form string }) bool { return s.name == source })
	if i < 0 {
		var names []string
		for _, s := range sources {
			names = append(names, s.name)
		}
		return f, fmt.Errorf("%q is no field; want one of %s", source, strings.Join(names, ", "))
	}
	switch byDefault := sources[i].form; {
	case source == "timestamp" && (form == "date" || form == "hour"):
		if !named {
			f.Name = form
		}
	case source == "timestamp" && formed:
		return f, fmt.Errorf("timestamp can't be written as %q; want date or hour, or timestamp alone", form)
	case !formed:
		f.Form = byDefault
	case byDefault == "":
		return f, fmt.Errorf("%s has one form only; want %s without %q", source, source, ":"+form)
	case form != "json" && form != "text" && form != "base64", form == "json" && source == "headers":
		return f, fmt.Errorf("%s can't be written as %q; want text, base64 or, for key and value, json", source, form)
	}
	return f, f.checkName()
}

func (f Field) checkName() error {
	if f.Name == "" || len(f.Name) > maxName || strings.ContainsFunc(f.Name, isUnnamable) {
		return fmt.Errorf("%q is no name; want 1 to %d printable ASCII characters, without quotes and backslashes", f.Name, maxName)
	}
	return nil
}

func isUnnamable(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }

// checkDistinct refuses fields that would make an object with a name in it twice, or have the
// same source twice.
func (fs Fields) checkDistinct() error {
	chosen, named := map[string]bool{}, map[string]bool{}
	for _, f := range fs {
		names := []string{f.Name}
		if f.Source == "key" || f.Source == "value" || strings.HasPrefix(f.Source, "header(") {
			names = append(names, f.Name+markerSuffix)
		}
		for _, name := range names {
			if named[name] {
				return fmt.Errorf("two fields would be called %q", name)
			}
			named[name] = true
		}
		source := f.Source
		if source == "timestamp" {
			source += f.Form
		}
		if chosen[source] {
			return fmt.Errorf("%s is there twice", f.Source)
		}
		chosen[source] = true
	}
	if len(fs) == 0 {
		return errors.New("want one field or more")
	}
	return nil
}

// String returns fs in a form that Decode reads.
func (fs Fields) String() string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = f.Source
		if f.Form != "" {
			out[i] += ":" + f.Form
		}
		if f.Name != f.Source {
			out[i] += "=" + f.Name
		}
	}
	return strings.Join(out, ",")
}

// EnvelopeName returns the name of the envelope's member that holds a source, such as "id", of a record. It is empty if
// records are sent without an envelope or without that member.
func (c Config) EnvelopeName(source string) string {
	if !c.hasEnvelope() {
		return ""
	}
	for _, f := range c.envelopeFields() {
		if f.Source == source && (source != "timestamp" || f.Form == "") {
			return f.Name
		}
	}
	return ""
}

// envelopeFields are those of the envelope.
func (c Config) envelopeFields() Fields {
	fields := c.Fields
	if len(fields) == 0 {
		if err := fields.Decode(defaultFields); err != nil {
			panic("convert: " + err.Error())
		}
	}
	return fields
}
