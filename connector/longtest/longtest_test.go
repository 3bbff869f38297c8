package longtest_test

import (
	"testing"

	"kafka-firehose/connector/longtest"
)

// recorder counts skips in place of a *testing.T.
type recorder struct{ skips int }

func (r *recorder) Helper()     {}
func (r *recorder) Skip(...any) { r.skips++ }

func TestVariable(t *testing.T) {
	for value, long := range map[string]bool{"": false, "0": false, "no": false, "1": true, "true": true} {
		t.Setenv(longtest.Variable, value)
		var r recorder
		longtest.Require(&r)
		picked := longtest.Pick("quick", "long")
		if longtest.Enabled() != long || (r.skips == 0) != long || (picked == "long") != long {
			t.Errorf("%s=%q: enabled %v, %d skips, picked %s; want long: %v", longtest.Variable, value, longtest.Enabled(), r.skips, picked, long)
		}
	}
}
