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
	fenced := errors.Is(err, kerr.FencedInstanceID)
	if !fenced && (!errors.Is(err, kerr.UnreleasedInstanceID) || !f.source.wasReplaced()) {
		return
	}
	says := "another process is in group %s under the name %q of KAFKA_GROUP_INSTANCE_ID: give each process a name of its own: %w"
	if fenced && !f.source.hasBeenMember() {
		says = "group %s gave the name %q of KAFKA_GROUP_INSTANCE_ID away while this process joined: the coordinator has moved, and the next start gets in, or another process has the name, and each needs one of its own: %w"
	}
	f.source.failWith(fmt.Errorf(says, f.source.cfg.GroupID, f.source.cfg.GroupInstanceID, err))
}

// hasBeenMember reports whether this process was in the group once. If it was not, its name may have been taken by nobody but itself: the
// coordinator answers its request to join with an id for the member, and moves before it has stored that. The next coordinator knows
// the name under the id of the process before, and refuses the new one; the client keeps it for as long as it lives.
func (s *Source) hasBeenMember() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wasMember
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
