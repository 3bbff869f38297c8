package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LeaveGroup leaves the group; a static member keeps its place. It does not commit.
// The error says that the group was not told in time, or would not hear it, and will
// find out by the session timeout.
func (s *Source) LeaveGroup(ctx context.Context) error {
	close(s.leaving)
	done := make(chan error, 1)
	go func() {
		var err error
		if s.cfg.GroupProtocol == "consumer" && s.cfg.GroupInstanceID != "" {
			err = s.stepOut(ctx)
		}
		s.client.CloseAllowingRebalance()
		s.lag.closeIdle()
		s.standing.closeIdle()
		done <- err
	}()
	defer s.metrics.Member.Set(0)
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("leave group %s: %w", s.cfg.GroupID, err)
	}
	return nil
}

// steppedOut is the epoch by which a static member of KIP-848 says that it will be
// back: its partitions stay reserved.
const steppedOut = -2

// stepOut says so, for a static member of the consumer protocol. The client's own
// word, when it leaves, lacks the name of the instance (franz-go 1.22), so brokers
// refuse it: they would reserve the partitions for a member that is gone, and turn its
// successor away, until the session is over.
//
// The client leaves first, which ends its heartbeats. One of them after ours would be
// answered that the member is fenced, and it would join once more.
func (s *Source) stepOut(ctx context.Context) error {
	member, _ := s.client.GroupMetadata()
	if member == "" {
		return nil
	}
	s.client.AllowRebalance()
	_ = s.client.LeaveGroupContext(ctx) // what the broker makes of it is known
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch = s.cfg.GroupID, member, steppedOut
	req.InstanceID = &s.cfg.GroupInstanceID
	resp, err := req.RequestWith(ctx, s.client)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil && !errors.Is(err, kerr.UnknownMemberID) && !errors.Is(err, kerr.GroupIDNotFound) {
		return err
	}
	return nil
}
