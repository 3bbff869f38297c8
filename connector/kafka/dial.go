package kafka

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// dialTimeout bounds a new connection, its TLS handshake included.
const dialTimeout = 10 * time.Second

// DialFunc makes a connection, as net.Dialer does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// brokerDialer makes the connections to brokers.
type brokerDialer struct {
	dial   DialFunc
	secure *securedDialer // nil without TLS
}

// dialBroker is a DialFunc. The handshake is part of it, so that its errors are those of
// a dial.
func (d brokerDialer) dialBroker(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := d.dial(ctx, network, addr)
	if err != nil {
		return nil, &dialError{addr: addr, err: err}
	}
	if d.secure == nil {
		return conn, nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	secure := tls.Client(conn, d.secure.hostConfig(host))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, &dialError{addr: addr, handshake: true, err: err}
	}
	return secure, nil
}
