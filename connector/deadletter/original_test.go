package deadletter

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
)

// TestOriginalDenied: a record that is to be read again must not be read any more, for
// ten minutes. That is asked for now and then and told; then the record is there.
func TestOriginalDenied(t *testing.T) {
	bubble(t, 1_048_588, func(o *office) {
		if err := o.cluster.CreateTopic("in", 1, nil); err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(o.dial()...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if err := client.ProduceSync(context.Background(), &kgo.Record{Topic: "in", Key: []byte("k")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		var fetches atomic.Int64
		o.cluster.ControlKey(kmsg.Fetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			o.cluster.KeepControl()
			fetches.Add(1)
			return nil, nil, false
		})
		denied := o.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: kerr.TopicAuthorizationFailed, Count: -1})
		time.AfterFunc(10*time.Minute, denied.Remove)
		r, err := o.Original(context.Background(), []*offset.Lease{o.lease}, "in", 0, 0)
		if err != nil || r == nil || string(r.Key) != "k" {
			t.Errorf("record %v, error %v", r, err)
		}
		if n := fetches.Load(); n > 600 {
			t.Errorf("%d fetches in ten minutes", n)
		}
		if !strings.Contains(o.log.String(), "could not read a record again") || !strings.Contains(o.log.String(), "TOPIC_AUTHORIZATION_FAILED") {
			t.Errorf("nobody was told why\n%s", o.log.String())
		}
	})
}
