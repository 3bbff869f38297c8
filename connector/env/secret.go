package env

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// Secret is a setting that nothing shows: however it is printed, logged or encoded, it is ***.
//
// Its variable ends in _PASSWORD, _SECRET or _TOKEN and has a twin with _FILE behind the name, which
// points at a file that holds the secret instead. The file is read for each use, so that one that
// was changed is used from then on.
type Secret struct {
	name string        // the variable
	path string        // of the file
	held func() string // returns the variable's value; a function, because reflection can't look into it
}

// twin is the suffix that turns the name of a secret's variable into that of its file.
const twin = "_FILE"

// NewSecret returns a secret that is held by no variable.
func NewSecret(value string) Secret { return Secret{held: func() string { return value }} }

// NewSecretFile returns a secret that is read from a file; name is the variable that it belongs to.
func NewSecretFile(name, path string) Secret { return Secret{name: name, path: path} }

// IsSet reports whether there is a secret or a file for it.
func (s Secret) IsSet() bool { return s.plainValue() != "" || s.path != "" }

func (s Secret) plainValue() string {
	if s.held == nil {
		return ""
	}
	return s.held()
}

// VariableName returns which variable of the two is set, that of the secret being name.
func (s Secret) VariableName(name string) string {
	if s.path != "" {
		return name + twin
	}
	return name
}

// ReadValue returns the secret. The error is a Fault that names the variable and the file.
func (s Secret) ReadValue() (string, error) {
	if s.path == "" {
		return s.plainValue(), nil
	}
	value, fault := s.readFile()
	if fault != nil {
		return "", fault
	}
	return value, nil
}

// maxSecret is more than any secret has; a path that was mistaken is not read to its end.
const maxSecret = 64 << 10

// readFile leaves out the line end that editors and echo put behind it.
func (s Secret) readFile() (string, *Fault) {
	f, err := os.Open(s.path)
	if err != nil {
		return "", s.readFault(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch value := strings.TrimRight(string(text), "\r\n"); {
	case err != nil:
		return "", s.readFault(err)
	case len(text) > maxSecret:
		return "", s.readFault(fmt.Errorf("the file is larger than %s, which no secret is", Bytes(maxSecret)))
	case value == "":
		return "", s.readFault(errors.New("the file is empty"))
	default:
		return value, nil
	}
}

// readFault is a fault of the file. The path is shown where it is certain to be one: the secret itself,
// put there by mistake, must not come out.
func (s Secret) readFault(err error) *Fault {
	name, path := s.name+twin, fmt.Sprintf("%q", s.path)
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err // the path comes before
	}
	if !filepath.IsAbs(s.path) && !strings.HasPrefix(s.path, ".") {
		path, err = "something that is not shown", errors.New("want the path of a file, such as /run/secrets/kafka-password")
	}
	return &Fault{Variable: name, text: fmt.Sprintf("%s holds %s: %s", name, path, err)}
}

// loadSecret reads the variable, or its twin.
func (f configField) loadSecret(held, path string) *Fault {
	if held == "" && path == "" {
		return nil
	}
	s := Secret{name: f.name, path: path, held: func() string { return held }}
	if held != "" && path != "" {
		return (&Fault{Variable: f.name + twin, text: f.name + twin + " and " + f.name + " are both set: want only one of them"}).WithSettings(f.name)
	}
	if path != "" {
		if _, fault := s.readFile(); fault != nil {
			return fault.WithSettings(f.name)
		}
	}
	f.value.Set(reflect.ValueOf(s))
	return nil
}

// isSecretName reports whether a variable of this name has to be a Secret.
func isSecretName(name string) bool {
	return strings.HasSuffix(name, "_PASSWORD") || strings.HasSuffix(name, "_SECRET") || strings.HasSuffix(name, "_TOKEN")
}

const stars = "***"

// Equal compares the settings, for package cmp.
func (s Secret) Equal(o Secret) bool {
	return s.name == o.name && s.path == o.path && s.plainValue() == o.plainValue()
}

// Format implements fmt.Formatter, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }

// String implements fmt.Stringer.
func (Secret) String() string { return stars }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(stars) }

// MarshalText keeps the secret out of JSON and its kind.
func (Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }

// Decode is there for envconfig, which takes the type for a struct of settings otherwise.
func (s *Secret) Decode(value string) error {
	*s = NewSecret(value)
	return nil
}
