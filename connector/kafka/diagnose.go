package kafka

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"kafka-firehose/connector/kafka/auth"
)

// DiagnoseError tells errors of access from all others, which pass by themselves.
func (c Config) DiagnoseError(err error) (auth.Diagnosis, bool) {
	if err == nil {
		return auth.Diagnosis{}, false
	}
	if d, ok := c.Auth().Diagnose(err); ok {
		return d, true
	}
	return c.diagnoseRefusal(err)
}

// diagnoseRefusal is for ACLs, and for brokers that do not let this process into the group.
func (c Config) diagnoseRefusal(err error) (auth.Diagnosis, bool) {
	who, refused := c.Auth().Principal(), "group"
	var hint string
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		refused, hint = "topic", fmt.Sprintf("%s needs the operations READ and DESCRIBE on the topic", who)
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		hint = fmt.Sprintf("%s needs the operations READ and DESCRIBE on group %s (KAFKA_GROUP_ID)", who, c.GroupID)
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		hint = fmt.Sprintf("%s needs an operation on the cluster; the brokers' log says which", who)
	case errors.Is(err, kerr.UnreleasedInstanceID):
		// A member of the consumer protocol is turned away because another one has its name. (With the classic protocol it is
		// the other one that has to go, see fencedMember.) It keeps asking: if the other one was this process and was killed,
		// the name is free when its session is over.
		hint = fmt.Sprintf("another process is in group %s under the name %q of KAFKA_GROUP_INSTANCE_ID: give each process a name of its own; if it was this one and was killed, it gets in when the broker's group.consumer.session.timeout.ms is over",
			c.GroupID, c.GroupInstanceID)
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		hint = fmt.Sprintf("the members of group %s share partitions in another way, and this process offers %s alone: stop them first, or choose another KAFKA_GROUP_ID", c.GroupID, ClassicBalancer)
		if c.GroupProtocol == "consumer" {
			hint = fmt.Sprintf("the members of group %s speak the protocol classic, and KAFKA_GROUP_PROTOCOL is consumer: stop them first, set classic, or choose another KAFKA_GROUP_ID", c.GroupID)
		}
	case errors.Is(err, kerr.GroupMaxSizeReached):
		hint = fmt.Sprintf("group %s has as many members as the brokers allow: run fewer processes, or raise %s", c.GroupID, c.MaxSizeSetting())
	case errors.Is(err, kerr.InvalidSessionTimeout):
		hint = fmt.Sprintf("the brokers do not allow KAFKA_SESSION_TIMEOUT=%s: set it between their group.min.session.timeout.ms and group.max.session.timeout.ms", c.SessionTimeout)
	case errors.Is(err, kerr.InvalidGroupID):
		hint = fmt.Sprintf("the brokers do not allow a group of the name %q: change KAFKA_GROUP_ID", c.GroupID)
	case errors.Is(err, kerr.UnsupportedAssignor):
		hint = "the brokers do not offer a way to share partitions that this process asks for: look at their group.consumer.assignors, or set KAFKA_GROUP_PROTOCOL=classic"
	default:
		return auth.Diagnosis{}, false
	}
	return auth.Diagnosis{Refused: refused, Hint: hint}, true
}

// MaxSizeSetting is the broker's setting for the number of a group's members.
func (c Config) MaxSizeSetting() string {
	if c.GroupProtocol == "consumer" {
		return "group.consumer.max.size"
	}
	return "group.max.size"
}

// passing are the errors of a group's session by which the protocol itself tells a member to join again.
var passing = []error{
	kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.MemberIDRequired,
	kerr.FencedMemberEpoch, kerr.StaleMemberEpoch, kerr.FencedInstanceID,
}

// diagnoseSession says why a session of the group has ended. It knows more than DiagnoseError: the same errors for other
// requests say nothing about the group.
func (c Config) diagnoseSession(err error) (auth.Diagnosis, bool) {
	if d, ok := c.DiagnoseError(err); ok {
		return d, true
	}
	broker, ok := errors.AsType[*kerr.Error](err)
	if !ok || slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
		return auth.Diagnosis{}, false
	}
	hint := "the group's coordinator answers " + broker.Message + "; its log says why"
	switch {
	case errors.Is(err, kerr.CoordinatorNotAvailable), errors.Is(err, kerr.NotCoordinator):
		hint = fmt.Sprintf("group %s has no coordinator: its partition of __consumer_offsets has no leader, or offsets.topic.replication.factor asks for more brokers than there are; look at the cluster", c.GroupID)
	case errors.Is(err, kerr.CoordinatorLoadInProgress):
		hint = fmt.Sprintf("the coordinator of group %s still reads its partition of __consumer_offsets; if that lasts, look at the broker's log and at the size of that topic", c.GroupID)
	case errors.Is(err, kerr.GroupIDNotFound) && c.GroupProtocol == "consumer":
		hint = fmt.Sprintf("group %s is none of the protocol consumer: its members speak classic; stop them first, or set KAFKA_GROUP_PROTOCOL=classic", c.GroupID)
	case errors.Is(err, kerr.UnsupportedVersion) && c.GroupProtocol == "consumer":
		hint = "the brokers have the protocol consumer switched off: set KAFKA_GROUP_PROTOCOL=classic, or look at their group.coordinator.rebalance.protocols and group.version"
	case errors.Is(err, kerr.UnsupportedVersion):
		hint = "the brokers do not support a request that this process needs: they are too old, or something between changes what they offer"
	}
	return auth.Diagnosis{Refused: "group", Hint: hint}, true
}
