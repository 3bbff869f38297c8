package convert

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
)

// Schemas and payloads come from outside, and libraries read them. Where one of these
// panics the process must not go down: it would read the same record again after its
// start, without end. The input can't be used, then, and the error says that the
// fault is the program's, and where. The value of the panic may repeat the input, so
// only its type is reported.
func recoverError(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("a fault of the program, which you may want to report: %T in %s", v, panicOrigin())
	}
}

// panicOrigin is where the panic that is being recovered from began.
func panicOrigin() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") || !more {
			return fmt.Sprintf("%s, line %d", f.Function, f.Line)
		}
	}
}

// guardedCompile is compile without its panics, and without those of its Schema.
func guardedCompile(compile func(SchemaDefinition) (Schema, error), d SchemaDefinition) (s Schema, err error) {
	defer recoverError(&err)
	if s, err = compile(d); err != nil {
		return nil, shortenError(err)
	}
	return guardedSchema{s, d.Kind}, nil
}

// maxErrorBytes limits the text of an error about a schema: the libraries may repeat the
// whole of it, and the error is kept as long as the schema is known to be bad.
const maxErrorBytes = 500

func shortenError(err error) error {
	text := err.Error()
	if len(text) <= maxErrorBytes {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:maxErrorBytes], "") + "...")
}

// guardedSchema is a Schema that does not panic.
type guardedSchema struct {
	Schema
	kind string // the format that it is for
}

// Weight implements schemaWeigher.
func (g guardedSchema) Weight() int { return SchemaWeight(g.Schema) }

// AppendJSON implements Schema.
func (g guardedSchema) AppendJSON(dst, payload []byte, index MessageIndex, most int) (out []byte, err error) {
	defer func() {
		if out == nil { // after a panic
			out = dst
		}
	}()
	defer recoverError(&err)
	return g.Schema.AppendJSON(dst, payload, index, most)
}
