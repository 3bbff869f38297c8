package env

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Load fills cfg, a pointer to a struct, from its defaults and then from the environment. A variable
// that is set but empty counts as unset. The error joins a Fault for each variable that could not be
// read; its field keeps the default.
//
// envconfig stops at the first fault and takes an empty variable for a value. It is therefore asked
// for one field at a time, in a struct made for it, and only for what there is to read.
func Load(cfg any) error {
	SetDefaults(cfg)
	var check Check
	for _, f := range configFields(reflect.ValueOf(cfg).Elem()) {
		value := os.Getenv(f.name)
		if f.isSecret() {
			check.AddFault(f.loadSecret(value, os.Getenv(f.name+twin)))
		} else if value != "" {
			check.AddFault(f.loadValue(value))
		}
	}
	return check.Err()
}

// SetDefaults fills cfg, a pointer to a struct, with the defaults of its tags and reads no variable.
// It panics if a tag doesn't parse or a secret could be shown, which is a mistake in the program.
func SetDefaults(cfg any) {
	for _, f := range configFields(reflect.ValueOf(cfg).Elem()) {
		value, err := f.parseDefault(f.tag.Get("default"))
		if err != nil {
			panic(fmt.Sprintf("default of %s: %v", f.name, err))
		}
		if isSecretName(f.name) && !f.isSecret() {
			panic(f.name + " holds a secret and is not of type Secret")
		}
		f.value.Set(value)
	}
}

// parseDefault reads a text as a default.
func (f configField) parseDefault(text string) (reflect.Value, error) {
	// The environment has no name with a = in it: with this prefix, envconfig finds only the tag.
	return decodeField("=", f.value.Type(), reflect.StructTag("default:"+strconv.Quote(text)))
}

// configField is one setting of a tree of structs.
type configField struct {
	name  string // the variable
	tag   reflect.StructTag
	value reflect.Value
}

func (f configField) isSecret() bool { return f.value.Type() == reflect.TypeFor[Secret]() }

// configFields lists the settings of s in their order, going down into structs that aren't one themselves.
func configFields(s reflect.Value) []configField {
	var all []configField
	for t, v := range s.Fields() {
		switch name := t.Tag.Get("envconfig"); {
		case name != "":
			all = append(all, configField{name, t.Tag, v})
		case v.Kind() == reflect.Struct && t.IsExported():
			all = append(all, configFields(v)...)
		}
	}
	return all
}

// decodeField has envconfig fill one value of a type.
func decodeField(prefix string, t reflect.Type, tag reflect.StructTag) (reflect.Value, error) {
	one := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Value", Type: t, Tag: tag}}))
	err := envconfig.Process(prefix, one.Interface())
	return one.Elem().Field(0), err
}

// loadValue sets the field to what its variable holds.
func (f configField) loadValue(held string) *Fault {
	tag := reflect.StructTag("envconfig:" + strconv.Quote(f.name))
	value, err := decodeField("", f.value.Type(), tag)
	return f.set(held, value, err)
}

// set sets the field to the value that was read of a text, with this error.
func (f configField) set(held string, value reflect.Value, err error) *Fault {
	if _, number := reflect.TypeAssert[int](value); err == nil && number && !isDecimal(held) {
		err = strconv.ErrSyntax
	}
	if err != nil {
		return HoldsFault(f.name, held, f.wantedForm(err))
	}
	if list, ok := reflect.TypeAssert[[]string](value); ok {
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
	}
	f.value.Set(value)
	return nil
}

// Set sets the setting of cfg, a pointer to a struct, whose variable is name, as if the environment held value. The
// fault is that of the variable. It panics for a name that is no setting, and for a secret.
func Set(cfg any, name, value string) *Fault {
	for _, f := range configFields(reflect.ValueOf(cfg).Elem()) {
		if f.name == name && !f.isSecret() {
			read, err := f.parseDefault(value)
			return f.set(value, read, err)
		}
	}
	panic(name + " is no setting that can be set")
}

// isDecimal keeps out what strconv reads as another number than people do: 010 is 8 to it.
func isDecimal(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

// wantedForm says what the variable accepts: by its tag, by its type, or in the words of its decoder.
func (f configField) wantedForm(err error) string {
	if want := f.tag.Get("want"); want != "" {
		return "want " + want
	}
	switch f.value.Interface().(type) {
	case time.Duration:
		return "want a duration such as 500ms, 10s or 2m"
	case bool:
		return "want true or false"
	case int:
		return "want a whole number"
	case slog.Level:
		return "want debug, info, warn or error"
	}
	if parse, ok := errors.AsType[*envconfig.ParseError](err); ok {
		return parse.Err.Error()
	}
	return err.Error()
}
