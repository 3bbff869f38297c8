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
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("a fault of the program, which you may want to report: %T in %s", v, origin())
	}
}

// origin is where the panic that is being recovered from began.
func origin() string {
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
func guardedCompile(compile func(Definition) (Schema, error), d Definition) (s Schema, err error) {
	defer recovered(&err)
	if s, err = compile(d); err != nil {
		return nil, shortened(err)
	}
	return guarded{s, d.Kind}, nil
}

// maxErrorBytes limits the text of an error about a schema: the libraries may repeat the
// whole of it, and the error is kept as long as the schema is known to be bad.
const maxErrorBytes = 500

func shortened(err error) error {
	text := err.Error()
	if len(text) <= maxErrorBytes {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:maxErrorBytes], "") + "...")
}

// guarded is a Schema that does not panic.
type guarded struct {
	Schema
	kind string // the format that it is for
}

// Weight implements weigher.
func (g guarded) Weight() int { return Weight(g.Schema) }

// Append implements Schema.
func (g guarded) Append(dst, payload []byte, index Index, most int) (out []byte, err error) {
	defer func() {
		if out == nil { // after a panic
			out = dst
		}
	}()
	defer recovered(&err)
	return g.Schema.Append(dst, payload, index, most)
}
