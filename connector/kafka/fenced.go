package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// fencedMember ends the process when another one has come to the group under its name. The
// client would try to get back in without end, and would not be let in: the name is the
// other's now. The same happens to a member that wakes up after a long sleep, to find that
// it was replaced, and to two that were given one name by mistake.
type fencedMember struct{ source *Source }

// OnGroupManageError implements kgo.HookGroupManageError.
func (f fencedMember) OnGroupManageError(err error) {
	if f.source.cfg.GroupInstanceID == "" {
		return // the error can't be about a name
	}
	if errors.Is(err, kerr.FencedInstanceID) || errors.Is(err, kerr.UnreleasedInstanceID) && f.source.wasReplaced() {
		f.source.failWith(fmt.Errorf("another process is in group %s under the name %q of KAFKA_GROUP_INSTANCE_ID: give each process a name of its own: %w",
			f.source.cfg.GroupID, f.source.cfg.GroupInstanceID, err))
	}
}

// wasReplaced reports whether the name that this process is refused under with KIP-848 is
// another's for good. A process that has just begun waits for it: it may be the successor
// of one that was killed, whose session is not over. One that was in the group before may
// meet its own old self, for a session at most; after two it was replaced.
func (s *Source) wasReplaced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turnedAway.IsZero() {
		s.turnedAway = time.Now()
	}
	return s.wasMember && time.Since(s.turnedAway) > 2*s.cfg.SessionTimeout
}
