package auth

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"kafka-firehose/connector/certificates"
)

// dialTimeout bounds a new connection, its TLS handshake included.
const dialTimeout = 10 * time.Second

// DialFunc makes a connection, as net.Dialer does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// DialError is a connection that could not be made, or a TLS handshake that did not end. The client
// wraps it, so that it is known wherever it comes up.
type DialError struct {
	Addr      string
	handshake bool
	err       error
}

func (e *DialError) Error() string { return e.err.Error() }

func (e *DialError) Unwrap() error { return e.err }

// brokerDialer makes the connections to brokers.
type brokerDialer struct {
	dial  DialFunc
	cfg   TLSConfig
	files *certificates.WatchedFiles // they may change; nil without TLS
}

// NewDialer returns the function that connects to brokers; with TLS, the handshake is part of it. It makes no connection. dial is for those under TLS.
// onExpiry gets the time at which the client's certificate ends, each time that its file is read. The error is about files.
func (c Config) NewDialer(dial DialFunc, log *slog.Logger, onExpiry func(time.Time)) (DialFunc, error) {
	d := brokerDialer{dial: dial, cfg: c.TLS}
	if c.TLS.Enabled {
		var err error
		if d.files, err = certificates.WatchFiles(c.TLS.certificateFiles(), log, onExpiry); err != nil {
			return nil, err
		}
	}
	return d.dialBroker, nil
}

// dialBroker is a DialFunc. The handshake is part of it, so that its errors are those of
// a dial.
func (d brokerDialer) dialBroker(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := d.dial(ctx, network, addr)
	if err != nil {
		return nil, &DialError{Addr: addr, err: err}
	}
	if d.files == nil {
		return conn, nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	secure := tls.Client(conn, d.hostConfig(host))
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, &DialError{Addr: addr, handshake: true, err: err}
	}
	return secure, nil
}

// hostConfig returns the settings of a new connection to a host.
func (d brokerDialer) hostConfig(host string) *tls.Config {
	config := d.files.CurrentConfig().Clone()
	config.InsecureSkipVerify = d.cfg.InsecureSkipVerify
	config.ServerName = cmp.Or(d.cfg.ServerName, host)
	return config
}
