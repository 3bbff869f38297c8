package e2e_test

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
	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// TestBrokenProxyMakesNoRecordBad: one of two or three proxies refuses everything, in each
// of the ways in which that can look like a verdict on a record, and the policy is skip.
// One record is a hundred times as large as all requests beside it. All are delivered. The
// long run has forty sequences of 413.
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
			last := uint64(3)
			if name == "413" {
				last = longtest.Pick(last, 22)
			}
			for seed := uint64(3); seed <= last; seed++ {
				t.Run(fmt.Sprintf("%s/%v/seed %d", name, share, seed), func(t *testing.T) {
					fault := fault
					fault.Probability, fault.Seed = share, seed
					bubble(t, func(w *world) { brokenProxy(w, fault) })
				})
			}
		}
	}
}

func brokenProxy(w *world, fault firehosetest.Fault) {
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
		w.t.Errorf("%v good records are skipped\n%s", bad, w.log.tail())
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

// TestLateSchema: a schema comes to the registry five seconds after the first record that
// was written with it, and 20 s later another one that other records had been waiting for.
// The policy is skip, and no record is.
func TestLateSchema(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.decodes()
		w.produceWith(0, 100, func(i int) *kgo.Record { return avroNumber(i, 1) })
		m := w.start(avroFormat, func(c *connector.Config) { c.BadRecordPolicy = "skip" })
		time.Sleep(10 * time.Second)
		w.wantExactly(100)
		w.produceWith(100, 200, func(i int) *kgo.Record { return avroNumber(i, 3) })
		time.Sleep(5 * time.Second)
		r.SeedSchema("in-value", 3, 3, sr.Schema{Schema: `"long"`})
		time.Sleep(20 * time.Second)
		w.wantExactly(200)
		w.produceWith(200, 300, func(i int) *kgo.Record { return avroNumber(i, 4) })
		time.Sleep(20 * time.Second)
		r.SeedSchema("in-value", 4, 4, sr.Schema{Schema: `"int"`})
		time.Sleep(30 * time.Second)
		m.mustStop()
		w.wantExactly(300)
	})
}

// TestUnknownSchemaIsAskedAgain: a schema is unknown, and its records are skipped. Records
// that are written after it was registered are delivered, from the first on.
func TestUnknownSchemaIsAskedAgain(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.decodes()
		w.produceWith(0, 100, func(i int) *kgo.Record { return avroNumber(i, 1) })
		m := w.start(avroFormat, func(c *connector.Config) { c.BadRecordPolicy = "skip" })
		time.Sleep(10 * time.Second)
		const bad = 4
		w.produceWith(1000, 1000+bad, func(i int) *kgo.Record { return avroNumber(i, 9) })
		for n := range int32(bad) {
			w.judge.allow(place{part{w.in, n}, 25})
		}
		w.until("they are skipped", time.Minute, func() bool { return m.metric("records_skipped_total", "unknown_schema") == bad })
		r.SeedSchema("in-value", 3, 9, sr.Schema{Schema: `"long"`})
		w.produceWith(100, 200, func(i int) *kgo.Record { return avroNumber(i, 9) })
		time.Sleep(time.Minute)
		m.mustStop()
		w.wantExactly(200)
		if got := m.metric("records_skipped_total", "unknown_schema"); got != bad {
			t.Errorf("%v records are skipped, want %d", got, bad)
		}
	})
}

// TestRegistryThatForgot: from some time on the registry says of every schema that it does
// not have it. Records wait, and are delivered when it is back.
func TestRegistryThatForgot(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.decodes()
		w.produceWith(0, 100, func(i int) *kgo.Record { return avroNumber(i, 1) })
		m := w.start(avroFormat, func(c *connector.Config) { c.BadRecordPolicy = "skip" })
		time.Sleep(10 * time.Second)
		r.Reset()
		w.produceWith(100, 200, func(i int) *kgo.Record { return avroNumber(i, 2) })
		time.Sleep(5 * time.Minute)
		if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "does not have schema 1 any more") {
			t.Errorf("ready says %v", err)
		}
		w.wantExactly(100)
		r.SeedSchema("in-value", 1, 1, sr.Schema{Schema: `"long"`})
		r.SeedSchema("in-value", 2, 2, sr.Schema{Schema: `{"type":"record","name":"R","fields":[{"name":"n","type":"long"}]}`})
		time.Sleep(time.Minute)
		m.mustStop()
		w.wantExactly(200)
	})
}
