package e2e_test

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// door is how one gets into the cluster: what the brokers demand, and how the
// producer and the admin of the test meet that.
type door struct {
	cluster []kfake.Opt
	client  []kgo.Opt
	tls     *tls.Config // the client's
}

// dialing is how a client of the test's own gets in.
func (b *broker) dialing() []kgo.Opt {
	dial := b.dial
	if b.door.tls != nil {
		dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := b.dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return tls.Client(conn, b.door.tls), nil
		}
	}
	return append([]kgo.Opt{kgo.SeedBrokers(b.addrs...), kgo.Dialer(dial)}, b.door.client...)
}

// listenInside has the judge listen in the broker, where the wire tells nothing. It
// hears what is to be committed there, and not what became of it.
func (w *world) listenInside() {
	w.cluster.ControlKey(kmsg.OffsetCommit.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		w.judge.commit(r.(*kmsg.OffsetCommitRequest))(nil)
		return nil, nil, false
	})
}
