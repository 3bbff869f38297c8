package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestFencedWithoutAName: an error about the name of a member ends only a process that has one.
func TestFencedWithoutAName(t *testing.T) {
	for _, name := range []string{"", "one"} {
		var end error
		s := &Source{cfg: Config{GroupID: "g", GroupInstanceID: name}, failWith: func(err error) { end = err }}
		fencedMember{s}.OnGroupManageError(kerr.FencedInstanceID)
		if ended := end != nil; ended != (name != "") {
			t.Errorf("name %q: it ends with %v", name, end)
		}
	}
}
