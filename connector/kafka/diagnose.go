package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// errorDiagnosis explains an error of access to Kafka: the refusal, one of
// metrics.Refusals, and the operator's remedy.
type errorDiagnosis struct {
	refused string
	hint    string
}

// diagnoseError tells errors of access from all others, which pass by themselves.
func (c Config) diagnoseError(err error) (errorDiagnosis, bool) {
	if err == nil {
		return errorDiagnosis{}, false
	}
	for _, look := range []func(error) (errorDiagnosis, bool){c.diagnoseLogin, c.diagnoseTLS, c.diagnoseACL, c.diagnoseName, c.diagnoseMembership} {
		if d, ok := look(err); ok {
			return d, true
		}
	}
	return errorDiagnosis{}, false
}

func (c Config) diagnoseLogin(err error) (errorDiagnosis, bool) {
	switch {
	case errors.As(err, new(*credentialsError)):
		return errorDiagnosis{"login", "this process has no valid credentials to log in with: " + c.SASL.loginSource()}, true
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.As(err, new(*tokenRefused)):
		return errorDiagnosis{"login", "the broker does not accept the credentials: " + c.SASL.loginSource()}, true
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return errorDiagnosis{"login", "the broker does not offer " + c.SASL.Mechanism + " on this port: look at " + saslMechanism + " and KAFKA_BROKERS"}, true
	case errors.Is(err, kerr.IllegalSaslState):
		return errorDiagnosis{"login", "the broker wants no login on this port: look at KAFKA_BROKERS and " + saslMechanism}, true
	}
	return errorDiagnosis{}, false
}

func (c Config) diagnoseTLS(err error) (errorDiagnosis, bool) {
	const refused = "connection"
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	var remote *net.OpError
	var closed *kgo.ErrFirstReadEOF
	switch {
	case errors.As(err, &unknown) && c.TLS.CAFile == "":
		return errorDiagnosis{refused, "the system trusts no authority that signed the broker's certificate: set " + tlsCAFile}, true
	case errors.As(err, &unknown):
		return errorDiagnosis{refused, "the broker's certificate is not signed by an authority in " + tlsCAFile + " (" + c.TLS.CAFile + ")"}, true
	case errors.As(err, &host) && len(host.Certificate.DNSNames) == 0 && len(host.Certificate.IPAddresses) == 0:
		return errorDiagnosis{refused, "the broker's certificate has no subjectAltName, and its common name (" + host.Certificate.Subject.CommonName + ") does not count: issue it again with a subjectAltName for the host that the broker is reached at"}, true
	case errors.As(err, &host):
		return errorDiagnosis{refused, "the broker's certificate is for another host: look at KAFKA_BROKERS and the brokers' advertised.listeners, or set KAFKA_TLS_SERVER_NAME to the name it is for"}, true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errorDiagnosis{refused, "the broker's certificate is valid from " + validitySpan(invalid.Cert) + ": renew it, or look at this machine's clock"}, true
	case errors.As(err, &invalid):
		return errorDiagnosis{refused, "the broker's certificate is not valid"}, true
	case errors.As(err, &plain):
		return errorDiagnosis{refused, "the broker does not speak TLS on this port: look at KAFKA_BROKERS and " + tlsEnabled}, true
	case errors.As(err, &remote) && remote.Op == "remote error":
		return errorDiagnosis{refused, c.TLS.explainAlert(remote.Err.Error())}, true
	case strings.Contains(err.Error(), "tls alert record"): // of the client's own, where it reads a length
		return errorDiagnosis{refused, "the broker speaks TLS on this port: set " + tlsEnabled + "=true, or look at KAFKA_BROKERS"}, true
	case errors.As(err, &closed):
		return errorDiagnosis{refused, c.closedAtOnce()}, true
	}
	return errorDiagnosis{}, false
}

func validitySpan(c *x509.Certificate) string {
	return c.NotBefore.UTC().Format(time.RFC3339) + " to " + c.NotAfter.UTC().Format(time.RFC3339)
}

// explainAlert explains what the broker says before it hangs up in the handshake.
func (c TLSConfig) explainAlert(text string) string {
	switch {
	case c.CertFile == "":
		return "the broker refuses the TLS handshake, most likely because it wants a client certificate: set " + tlsCertFile + " and " + tlsKeyFile
	case strings.Contains(text, "certificate"):
		return "the broker does not accept this client's certificate, which may have expired or come from an authority that it does not trust: look at " + tlsCertFile + " (" + c.CertFile + ")"
	}
	return "the broker refuses the TLS handshake: look at " + tlsCertFile + " (" + c.CertFile + ") and at what the listener wants"
}

// closedAtOnce explains a broker that hangs up without a word, which is what one does
// that is spoken to in another protocol than its listener's.
func (c Config) closedAtOnce() string {
	may := "want TLS or a login: look at KAFKA_BROKERS, " + tlsEnabled + " and " + saslMechanism
	if c.TLS.Enabled {
		may = "be one without TLS, or want a login or a client certificate: look at KAFKA_BROKERS, " + tlsEnabled + ", " + saslMechanism + " and " + tlsCertFile
	}
	return "the broker hangs up; if that lasts, this port may " + may
}

func (c Config) diagnoseACL(err error) (errorDiagnosis, bool) {
	who := c.principalHint()
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return errorDiagnosis{"topic", fmt.Sprintf("%s needs the operations READ and DESCRIBE on the topic", who)}, true
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return errorDiagnosis{"group", fmt.Sprintf("%s needs the operations READ and DESCRIBE on group %s (KAFKA_GROUP_ID)", who, c.GroupID)}, true
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		return errorDiagnosis{"group", fmt.Sprintf("%s needs an operation on the cluster; the brokers' log says which", who)}, true
	}
	return errorDiagnosis{}, false
}

// diagnoseName is for a member of the consumer protocol that is turned away because
// another one has its name. (With the classic protocol it is the other one that has to
// go, see fencedMember.) It keeps asking: if the other one was this process and was killed,
// the name is free when its session is over.
func (c Config) diagnoseName(err error) (errorDiagnosis, bool) {
	if !errors.Is(err, kerr.UnreleasedInstanceID) {
		return errorDiagnosis{}, false
	}
	return errorDiagnosis{"group", fmt.Sprintf("another process is in group %s under the name %q of KAFKA_GROUP_INSTANCE_ID: give each process a name of its own; if it was this one and was killed, it gets in when the broker's group.consumer.session.timeout.ms is over",
		c.GroupID, c.GroupInstanceID)}, true
}

// diagnoseMembership is for brokers that do not let this process into the group.
func (c Config) diagnoseMembership(err error) (errorDiagnosis, bool) {
	var hint string
	switch {
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		hint = fmt.Sprintf("the members of group %s share partitions in another way, and this process offers %s alone: stop them first, or choose another KAFKA_GROUP_ID", c.GroupID, balancer)
		if c.GroupProtocol == "consumer" {
			hint = fmt.Sprintf("the members of group %s speak the protocol classic, and KAFKA_GROUP_PROTOCOL is consumer: stop them first, set classic, or choose another KAFKA_GROUP_ID", c.GroupID)
		}
	case errors.Is(err, kerr.GroupMaxSizeReached):
		hint = fmt.Sprintf("group %s has as many members as the brokers allow: run fewer processes, or raise %s", c.GroupID, c.maxSizeSetting())
	case errors.Is(err, kerr.InvalidSessionTimeout):
		hint = fmt.Sprintf("the brokers do not allow KAFKA_SESSION_TIMEOUT=%s: set it between their group.min.session.timeout.ms and group.max.session.timeout.ms", c.SessionTimeout)
	case errors.Is(err, kerr.InvalidGroupID):
		hint = fmt.Sprintf("the brokers do not allow a group of the name %q: change KAFKA_GROUP_ID", c.GroupID)
	case errors.Is(err, kerr.UnsupportedAssignor):
		hint = "the brokers do not offer a way to share partitions that this process asks for: look at their group.consumer.assignors, or set KAFKA_GROUP_PROTOCOL=classic"
	default:
		return errorDiagnosis{}, false
	}
	return errorDiagnosis{"group", hint}, true
}

// maxSizeSetting is the broker's setting for the number of a group's members.
func (c Config) maxSizeSetting() string {
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

// diagnoseSession says why a session of the group has ended. It knows more than diagnoseError: the same errors for other
// requests say nothing about the group.
func (c Config) diagnoseSession(err error) (errorDiagnosis, bool) {
	if d, ok := c.diagnoseError(err); ok {
		return d, true
	}
	broker, ok := errors.AsType[*kerr.Error](err)
	if !ok || slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) }) {
		return errorDiagnosis{}, false
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
	return errorDiagnosis{"group", hint}, true
}

// principalHint is whom the brokers' ACLs have to name.
func (c Config) principalHint() string {
	switch {
	case c.SASL.Username != "":
		return "principal User:" + c.SASL.Username
	case c.SASL.Mechanism != "":
		return "the principal of " + c.SASL.Mechanism
	case c.TLS.CertFile != "":
		return "the principal of the certificate in " + tlsCertFile
	}
	return "principal User:ANONYMOUS (there is no login)"
}
