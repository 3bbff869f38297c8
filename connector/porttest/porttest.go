// Package porttest gives tests loopback ports that stay theirs while they don't listen on
// them: a broker that is down, or a network that is partitioned, has to come back on
// its old port.
package porttest

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports are below those that Linux hands out by itself, which a connection or a
// listener of anybody could get while ours is not listened on.
const least, most = 15_000, 30_000

// Port is a loopback address that no other Port of this machine has.
type Port struct {
	addr string
	// lock is the UDP port of the same number, which is otherwise unused. Two processes of tests
	// that look for a port at the same time can't both have it, and it is free again when
	// its process is gone, however that ended.
	lock net.PacketConn
}

// Reserve finds a port without a listener.
func Reserve() (*Port, error) {
	for range 1000 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(least+rand.IntN(most-least)))
		lock, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			_ = lock.Close()
			continue
		}
		_ = l.Close()
		return &Port{addr, lock}, nil
	}
	return nil, errors.New("no free port between " + strconv.Itoa(least) + " and " + strconv.Itoa(most))
}

// Addr is the address, as host:port.
func (p *Port) Addr() string { return p.addr }

// Release lets others have the port.
func (p *Port) Release() { _ = p.lock.Close() }
