package connector_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
)

// TestBrokenProxyMakesNoRecordBad: one of two or three proxies refuses everything, in each
// of the ways in which that can look like a verdict on a record, and the policy is skip.
// One record is a hundred times as large as all requests beside it. All are delivered.
func TestBrokenProxyMakesNoRecordBad(t *testing.T) {
	t.Parallel()
	refuse := func(status int, code, body, message string) firehosetest.Fault {
		return firehosetest.Fault{Effect: firehosetest.RefuseRequest, Status: status, Code: code, Body: body, Message: message}
	}
	for name, fault := range map[string]firehosetest.Fault{
		"413":            refuse(413, "RequestEntityTooLarge", "html", ""),
		"413 code":       refuse(413, "RequestEntityTooLargeException", "json", "Request Entity Too Large"),
		"400":            refuse(400, "BadRequest", "html", ""),
		"403":            refuse(403, "Forbidden", "html", ""),
		"404":            refuse(404, "NotFound", "html", ""),
		"431":            refuse(431, "RequestHeaderFieldsTooLarge", "html", ""),
		"request size":   refuse(400, "InvalidArgumentException", "json", "Records size exceeds 4 MB limit"),
		"record size":    refuse(400, "ValidationException", "json", "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=6 cap=6]' at 'records.1.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000"),
		"invalid":        refuse(400, "InvalidArgumentException", "json", "no such record"),
		"unreadable":     refuse(400, "SerializationException", "json", "Unexpected character"),
		"another server": refuse(400, "UnknownOperationException", "json", ""),
	} {
		for _, share := range []float64{0.34, 0.5} {
			if share < 0.5 && name != "413" && name != "request size" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%v", name, share), func(t *testing.T) {
				bubble(t, func(w *world) {
					fault := fault
					fault.Probability, fault.Seed = share, 3
					w.stream.AddFault(fault)
					const n, large = 2000, 1000
					w.produceWith(0, n, func(i int) *kgo.Record {
						r := w.numbered(i)
						if i == large {
							r.Value = []byte(strings.Repeat("0", 50_000) + fmt.Sprint(large))
							w.judge.alias(string(r.Value), fmt.Sprint(large))
						}
						return r
					})
					m := w.start(func(c *connector.Config) {
						c.BadRecordPolicy, c.Firehose.BatchMaxRecords = "skip", 50
					})
					for range 360 {
						if time.Sleep(5 * time.Second); w.committed() == n {
							break
						}
					}
					m.mustStop()
					w.wantExactly(n)
					if bad := m.metric("records_skipped_total", "refused"); bad > 0 {
						t.Errorf("%v good records are skipped\n%s", bad, w.log.tail())
					}
				})
			})
		}
	}
}

// TestLetterKeepsItsValue: the dead-letter topic takes 2,000,000 bytes, and the first time
// that it is asked how many, the broker has no answer. A letter of 1,900,000 bytes keeps
// its value.
func TestLetterKeepsItsValue(t *testing.T) {
	bubble(t, func(w *world) {
		p, policy := w.post(2_000_000)
		w.producer.Close()
		w.producer = w.client(kgo.ProducerBatchMaxBytes(11_000_000), kgo.MetadataMinAge(10*time.Millisecond))
		w.admin = kadm.NewClient(w.producer)
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: p.topic, Err: kerr.RequestTimedOut, Count: 1})
		value := []byte(strings.Repeat("f", 1_900_000))
		m := w.start(policy)
		p.produce(1, func(int) *kgo.Record { return &kgo.Record{Key: []byte("k"), Value: value} })
		w.untilCommitted(1)
		m.mustStop()
		if r := p.want(0)[p.bad[0]]; r == nil || !bytes.Equal(r.Value, value) {
			t.Errorf("the letter has lost its value\n%s", w.log.tail())
		}
	})
}
