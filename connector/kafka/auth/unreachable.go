package auth

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
)

// DiagnoseConnection says why there is no connection to a broker, for errors that Diagnose does not know. place says where to correct the broker's address.
// Most of them pass by themselves: a broker that is restarted refuses connections, too.
func (c Config) DiagnoseConnection(err error, place string) Diagnosis {
	const refused = "connection"
	dial, _ := errors.AsType[*DialError](err)
	name, _ := errors.AsType[*net.DNSError](err)
	timeout, _ := errors.AsType[net.Error](err)
	late := errors.Is(err, context.DeadlineExceeded) || timeout != nil && timeout.Timeout()
	switch {
	case name != nil && name.IsNotFound:
		return Diagnosis{Refused: refused, Hint: "the name of the broker does not resolve: " + place}
	case name != nil:
		return Diagnosis{Refused: refused, Hint: "the name server does not answer for the name of the broker: look at the DNS settings of this machine, or " + place}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Diagnosis{Refused: refused, Hint: "nothing listens at this address: start the broker, or " + place}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Diagnosis{Refused: refused, Hint: "there is no route to this address: open one, or " + place}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return Diagnosis{Refused: refused, Hint: "this machine has no file or port left for a connection: raise the limit (ulimit -n), or look for a process that uses them up"}
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return Diagnosis{Refused: refused, Hint: "this machine forbids the connection: look at its firewall and network policies"}
	case late && dial != nil && dial.handshake:
		return Diagnosis{Refused: refused, Hint: "the broker does not answer the TLS handshake; this port may be one without TLS: look at KAFKA_BROKERS and " + tlsEnabled}
	case late && dial != nil:
		return Diagnosis{Refused: refused, Hint: "no answer from this address within " + dialTimeout.String() + ": open the way to it (security groups, network policies, firewalls), or " + place}
	case late:
		return Diagnosis{Refused: refused, Hint: "the broker takes the connection and does not answer: it hangs, or something else listens there; look at its log, or " + place}
	case hungUp(err) && c.SASL.Mechanism != "" && dial == nil:
		return Diagnosis{Refused: "login", Hint: "the broker hangs up during the login: it may not accept it; " + c.RefusedAdvice()}
	case hungUp(err):
		return Diagnosis{Refused: refused, Hint: c.ClosedAtOnce()}
	}
	return Diagnosis{Refused: refused, Hint: place}
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
