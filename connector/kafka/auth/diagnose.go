package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Diagnosis explains an error of access to Kafka: the refusal, one of
// metrics.Refusals, and the operator's remedy.
type Diagnosis struct {
	Refused string
	Hint    string
}

// Diagnose explains the errors of the login and of TLS, and returns false for all others.
func (c Config) Diagnose(err error) (Diagnosis, bool) {
	if d, ok := c.diagnoseLogin(err); ok {
		return d, true
	}
	return c.diagnoseTLS(err)
}

func (c Config) diagnoseLogin(err error) (Diagnosis, bool) {
	switch {
	case errors.As(err, new(*CredentialsError)):
		return Diagnosis{Refused: "login", Hint: "this process has no valid credentials to log in with: " + c.RefusedAdvice()}, true
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.As(err, new(*tokenRefused)):
		return Diagnosis{Refused: "login", Hint: "the broker does not accept the credentials: " + c.RefusedAdvice()}, true
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return Diagnosis{Refused: "login", Hint: "the broker does not offer " + c.SASL.Mechanism + " on this port: look at " + saslMechanism + " and KAFKA_BROKERS"}, true
	case errors.Is(err, kerr.IllegalSaslState):
		return Diagnosis{Refused: "login", Hint: "the broker wants no login on this port: look at KAFKA_BROKERS and " + saslMechanism}, true
	}
	return Diagnosis{}, false
}

func (c Config) diagnoseTLS(err error) (Diagnosis, bool) {
	const refused = "connection"
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	var remote *net.OpError
	var closed *kgo.ErrFirstReadEOF
	switch {
	case errors.As(err, &unknown) && c.TLS.CAFile == "":
		return Diagnosis{Refused: refused, Hint: "the system trusts no authority that signed the broker's certificate: set " + tlsCAFile}, true
	case errors.As(err, &unknown):
		return Diagnosis{Refused: refused, Hint: "the broker's certificate is not signed by an authority in " + tlsCAFile + " (" + c.TLS.CAFile + ")"}, true
	case errors.As(err, &host) && len(host.Certificate.DNSNames) == 0 && len(host.Certificate.IPAddresses) == 0:
		return Diagnosis{Refused: refused, Hint: "the broker's certificate has no subjectAltName, and its common name (" + host.Certificate.Subject.CommonName + ") does not count: issue it again with a subjectAltName for the host that the broker is reached at"}, true
	case errors.As(err, &host):
		return Diagnosis{Refused: refused, Hint: "the broker's certificate is for another host: look at KAFKA_BROKERS and the brokers' advertised.listeners, or set KAFKA_TLS_SERVER_NAME to the name it is for"}, true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Diagnosis{Refused: refused, Hint: "the broker's certificate is valid from " + validitySpan(invalid.Cert) + ": renew it, or look at this machine's clock"}, true
	case errors.As(err, &invalid):
		return Diagnosis{Refused: refused, Hint: "the broker's certificate is not valid"}, true
	case errors.As(err, &plain):
		return Diagnosis{Refused: refused, Hint: "the broker does not speak TLS on this port: look at KAFKA_BROKERS and " + tlsEnabled}, true
	case errors.As(err, &remote) && remote.Op == "remote error":
		return Diagnosis{Refused: refused, Hint: c.TLS.explainAlert(remote.Err.Error())}, true
	case strings.Contains(err.Error(), "tls alert record"): // of the client's own, where it reads a length
		return Diagnosis{Refused: refused, Hint: "the broker speaks TLS on this port: set " + tlsEnabled + "=true, or look at KAFKA_BROKERS"}, true
	case errors.As(err, &closed):
		return Diagnosis{Refused: refused, Hint: c.ClosedAtOnce()}, true
	}
	return Diagnosis{}, false
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

// ClosedAtOnce explains a broker that hangs up without a word, which is what one does
// that is spoken to in another protocol than its listener's.
func (c Config) ClosedAtOnce() string {
	may := "want TLS or a login: look at KAFKA_BROKERS, " + tlsEnabled + " and " + saslMechanism
	if c.TLS.Enabled {
		may = "be one without TLS, or want a login or a client certificate: look at KAFKA_BROKERS, " + tlsEnabled + ", " + saslMechanism + " and " + tlsCertFile
	}
	return "the broker hangs up; if that lasts, this port may " + may
}
