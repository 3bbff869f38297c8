package kafka

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// fenced ends the process when another one has come to the group under its name. The
// client would try to get back in for ever, and would not be let in: the name is the
// other's now. It is the same for whoever wakes up after a long sleep, to find that
// it was replaced, and for two that were given one name by mistake.
type fenced struct{ source *Source }

// OnGroupManageError implements kgo.HookGroupManageError.
func (f fenced) OnGroupManageError(err error) {
	if errors.Is(err, kerr.FencedInstanceID) {
		f.source.fail(fmt.Errorf("another process is in group %s under the name %q of KAFKA_GROUP_INSTANCE_ID: give each process a name of its own: %w",
			f.source.cfg.GroupID, f.source.cfg.GroupInstanceID, err))
	}
}
