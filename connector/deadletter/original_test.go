package deadletter

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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
		r, err := o.RecoverOriginal(context.Background(), []*offset.Lease{o.lease}, "in", 0, 0)
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

// TestOriginalIsGone: only a proof makes a record count as gone. Errors that pass while
// leaders move don't, for less than goneAfter.
func TestOriginalIsGone(t *testing.T) {
	for name, tt := range map[string]struct {
		fault   *kerr.Error
		passes  time.Duration // when the fault does; 0 for never
		deleted bool          // by retention, before
		noTopic bool
		found   bool
		took    time.Duration // at most
	}{
		"unknown for a minute":           {fault: kerr.UnknownTopicOrPartition, passes: time.Minute, found: true, took: 2 * time.Minute},
		"unknown id for a minute":        {fault: kerr.UnknownTopicID, passes: time.Minute, found: true, took: 2 * time.Minute},
		"out of range for a minute":      {fault: kerr.OffsetOutOfRange, passes: time.Minute, found: true, took: 2 * time.Minute},
		"the topic is deleted":           {noTopic: true, took: goneAfter + time.Minute},
		"out of range, kept by the log":  {fault: kerr.OffsetOutOfRange, took: goneAfter + time.Minute},
		"out of range, and really so":    {deleted: true, took: 10 * time.Second},
		"the control: nothing is amiss ": {found: true, took: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1_048_588, func(o *office) {
				if err := o.cluster.CreateTopic("in", 1, nil); err != nil {
					t.Fatal(err)
				}
				client, err := kgo.NewClient(o.dial()...)
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				for range 3 {
					if err := client.ProduceSync(context.Background(), &kgo.Record{Topic: "in", Key: []byte("k")}).FirstErr(); err != nil {
						t.Fatal(err)
					}
				}
				if tt.deleted {
					var at kadm.Offsets
					at.AddOffset("in", 0, 2, -1)
					if _, err := kadm.NewClient(client).DeleteRecords(context.Background(), at); err != nil {
						t.Fatal(err)
					}
				}
				if tt.noTopic {
					if err := o.cluster.DeleteTopic("in"); err != nil {
						t.Fatal(err)
					}
				}
				if tt.fault != nil {
					fault := o.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "in", Err: tt.fault, Count: -1})
					if tt.passes > 0 {
						time.AfterFunc(tt.passes, fault.Remove)
					}
				}
				begin := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 2*goneAfter)
				defer cancel()
				r, err := o.RecoverOriginal(ctx, []*offset.Lease{o.lease}, "in", 0, 1)
				if err != nil || (r != nil) != tt.found || time.Since(begin) > tt.took {
					t.Errorf("record %v, error %v after %v, want found %v within %v\n%s", r, err, time.Since(begin), tt.found, tt.took, &o.log)
				}
			})
		})
	}
}
