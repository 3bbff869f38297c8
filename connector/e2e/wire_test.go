package e2e_test

import (
	"context"
	"net"
	"sync"
)

// wire is a member's way to Kafka, with a switch in it: a process that was killed
// says nothing any more, not even goodbye, and one that is cut off finds nobody. The
// judge listens in, unless it is encrypted.
type wire struct {
	w     *world
	dials func(ctx context.Context, network, host string) (net.Conn, error)
	mu    sync.Mutex
	down  bool
	open  []net.Conn
}

func (k *wire) dial(ctx context.Context, network, host string) (net.Conn, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down {
		return nil, net.ErrClosed
	}
	conn, err := k.dials(ctx, network, host)
	if err != nil {
		return nil, err
	}
	k.open = append(k.open, conn)
	if k.w.door.tls != nil {
		return conn, nil
	}
	return newTap(conn, k.w.judge.hear, heard...), nil
}

// cut closes the connections and lets the member make no others until mend.
func (k *wire) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = true
	for _, c := range k.open {
		_ = c.Close()
	}
	k.open = nil
}

func (k *wire) mend() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = false
}
