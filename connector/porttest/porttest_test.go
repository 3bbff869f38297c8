package porttest_test

import (
	"net"
	"testing"

	"kafka-firehose/connector/porttest"
)

// TestReserve: what is reserved can be listened on again and again, nobody else gets it,
// and it can be had again when it is released.
func TestReserve(t *testing.T) {
	t.Parallel()
	held := map[string]*porttest.Port{}
	for range 200 {
		p, err := porttest.Reserve()
		if err != nil {
			t.Fatal(err)
		}
		if held[p.Addr()] != nil {
			t.Errorf("%s is reserved twice", p.Addr())
		}
		held[p.Addr()] = p
	}
	for addr, p := range held {
		for range 2 {
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			_ = l.Close()
		}
		if lock, err := net.ListenPacket("udp", addr); err == nil {
			_ = lock.Close()
			t.Errorf("another process could reserve %s", addr)
		}
		p.Release()
		lock, err := net.ListenPacket("udp", addr)
		if err != nil {
			t.Errorf("released: %v", err)
			continue
		}
		_ = lock.Close()
	}
}
