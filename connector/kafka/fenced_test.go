package kafka

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestFencedMember: an error about the name of a member ends only a process that has one, and says what is known of the cause.
func TestFencedMember(t *testing.T) {
	for _, tt := range []struct {
		name      string
		wasMember bool
		says      string
	}{
		{"", true, "<nil>"},
		{"one", true, `another process is in group g under the name "one" of KAFKA_GROUP_INSTANCE_ID`},
		{"one", false, `group g gave the name "one" of KAFKA_GROUP_INSTANCE_ID away while this process joined: the coordinator has moved`},
	} {
		var end error
		s := &Source{cfg: Config{GroupID: "g", GroupInstanceID: tt.name}, wasMember: tt.wasMember, failWith: func(err error) { end = err }}
		fencedMember{s}.OnGroupManageError(kerr.FencedInstanceID)
		if !strings.HasPrefix(fmt.Sprint(end), tt.says) {
			t.Errorf("name %q: it ends with %v, want %s", tt.name, end, tt.says)
		}
	}
}
