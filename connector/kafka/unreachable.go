package kafka

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// dialError is a connection that could not be made, to where, or a TLS handshake that did not end. The client
// wraps it, so that it is known wherever it comes up.
type dialError struct {
	addr      string
	handshake bool
	err       error
}

func (e *dialError) Error() string { return e.err.Error() }

func (e *dialError) Unwrap() error { return e.err }

// diagnoseConnection says why there is no connection to a broker at addr, for errors that diagnose does not know.
// Most of them pass by themselves: a broker that is restarted refuses connections, too.
func (c Config) diagnoseConnection(addr string, err error) errorDiagnosis {
	const refused = "connection"
	dial, _ := errors.AsType[*dialError](err)
	name, _ := errors.AsType[*net.DNSError](err)
	timeout, _ := errors.AsType[net.Error](err)
	late := errors.Is(err, context.DeadlineExceeded) || timeout != nil && timeout.Timeout()
	place := c.originHint(addr)
	switch {
	case name != nil && name.IsNotFound:
		return errorDiagnosis{refused, "the name of the broker does not resolve: " + place}
	case name != nil:
		return errorDiagnosis{refused, "the name server does not answer for the name of the broker: look at the DNS settings of this machine, or " + place}
	case errors.Is(err, syscall.ECONNREFUSED):
		return errorDiagnosis{refused, "nothing listens at this address: start the broker, or " + place}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return errorDiagnosis{refused, "there is no route to this address: open one, or " + place}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return errorDiagnosis{refused, "this machine has no file or port left for a connection: raise the limit (ulimit -n), or look for a process that uses them up"}
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return errorDiagnosis{refused, "this machine forbids the connection: look at its firewall and network policies"}
	case late && dial != nil && dial.handshake:
		return errorDiagnosis{refused, "the broker does not answer the TLS handshake; this port may be one without TLS: look at KAFKA_BROKERS and " + tlsEnabled}
	case late && dial != nil:
		return errorDiagnosis{refused, "no answer from this address within " + dialTimeout.String() + ": open the way to it (security groups, network policies, firewalls), or " + place}
	case late:
		return errorDiagnosis{refused, "the broker takes the connection and does not answer: it hangs, or something else listens there; look at its log, or " + place}
	case hungUp(err) && c.SASL.Mechanism != "" && dial == nil:
		return errorDiagnosis{"login", "the broker hangs up during the login: it may not accept it; " + c.SASL.loginSource()}
	case hungUp(err):
		return errorDiagnosis{refused, c.closedAtOnce()}
	}
	return errorDiagnosis{refused, place}
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// originHint says where an address comes from, and so where to correct it.
func (c Config) originHint(addr string) string {
	if slices.Contains(c.Brokers, addr) {
		return "look at KAFKA_BROKERS, and at what is between: networks, security groups, policies"
	}
	return "the broker says in advertised.listeners that it is to be reached there: correct that, or open the way"
}

// outageAfter is how long every connection to a broker fails before that counts as a refusal. A broker that is
// restarted leaves the cluster's metadata sooner, and is not tried then.
const outageAfter = 15 * time.Second

// brokerOutage is a broker to which every connection has failed since first.
type brokerOutage struct{ first, last time.Time }

// noteUnreached looks at a connection to a broker that could not be made, for a reason that may pass.
func (a *accessFaults) noteUnreached(addr string, err error) {
	if errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled) {
		return
	}
	d, now := a.cfg.diagnoseConnection(addr, err), time.Now()
	a.mu.Lock()
	maps.DeleteFunc(a.outages, func(_ string, o brokerOutage) bool { return now.Sub(o.last) >= refusedFor })
	o, known := a.outages[addr]
	if !known {
		o.first = now
	}
	o.last = now
	a.outages[addr] = o
	a.mu.Unlock()
	if now.Sub(o.first) >= outageAfter {
		a.noteRefusal(place{d.refused, addr}, d.hint, err)
		return
	}
	a.log.Warn("no connection to a broker; trying again", "at", addr, "refused", d.refused, "hint", d.hint, "error", err)
}

// noteReached ends an outage.
func (a *accessFaults) noteReached(addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.outages, addr)
}
