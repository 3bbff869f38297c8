package connector_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// standing is a fault that lasts. begin makes it, after records went through; says is in its lines and in readiness.
type standing struct {
	change func(*world, *connector.Config)
	begin  func(*world, *member)
	says   string
	ready  bool // records get through, only too slowly
}

func refuses(code string) func(*world, *member) {
	return func(w *world, _ *member) {
		w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Code: code}})
	}
}

func standingFaults() map[string]standing {
	return map[string]standing{
		"refused credentials": {begin: refuses("UnrecognizedClientException"), says: "credentials refused"},
		"wrong clock":         {begin: refuses("InvalidSignatureException"), says: "InvalidSignatureException"},
		"denied":              {begin: refuses("AccessDeniedException"), says: "AccessDeniedException"},
		"missing stream":      {begin: func(w *world, _ *member) { w.stream.DeleteStream("s") }, says: "ResourceNotFoundException"},
		"key":                 {begin: refuses("InvalidKMSResourceException"), says: "InvalidKMSResourceException"},
		"outage": {begin: func(w *world, _ *member) {
			w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.Outage}})
		}, says: "nothing was accepted for"},
		"503":       {begin: refuses("ServiceUnavailableException"), says: "ServiceUnavailableException"},
		"no broker": {begin: func(_ *world, m *member) { m.kafka.cut() }, says: "refused at"},
		"throttled": {begin: func(w *world, _ *member) {
			w.stream.SetQuota("s", firehosetest.Quota{RecordsPerSecond: 1})
		}, says: "throttled: it takes", ready: true},
		"missing topic": {change: func(_ *world, c *connector.Config) { c.Kafka.Topics = append(c.Kafka.Topics, "gone") }, says: "gone"},
		"dead-letter topic": {change: func(w *world, c *connector.Config) {
			p, policy := w.post(1_048_588)
			policy(c)
			w.letters = p
		}, begin: func(w *world, _ *member) {
			w.letters.refuses(kerr.NotEnoughReplicas)
			w.letters.produce(1, func(int) *kgo.Record { return &kgo.Record{} })
		}, says: "dead-letter topic dead"},
	}
}

// TestStandingFaults: whatever lasts is told for as long as it lasts, in the log every two minutes at least and in
// readiness with its reason, and is over when it is over.
func TestStandingFaults(t *testing.T) {
	t.Parallel()
	quick := []string{"denied", "outage"}
	for name, f := range standingFaults() {
		if !longtest.Enabled() && !slices.Contains(quick, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				m := w.start(func(c *connector.Config) {
					if f.change != nil {
						f.change(w, c)
					}
				})
				w.load(0, 2, time.Second)
				time.Sleep(10 * time.Second)
				if f.begin != nil {
					f.begin(w, m)
				}
				w.wantTold(m, f)
			})
		})
	}
}

// TestStandingLogin and TestStandingRegistry are the same for what needs another broker or a registry.
func TestStandingLogin(t *testing.T) {
	guarded(t, func() door { return locked(kfake.Superuser("PLAIN", "bridge", password)) }, func(w *world) {
		var wrong atomic.Bool
		w.refuseLogins(&wrong)
		m := w.start(loginAs("PLAIN", "bridge", env.NewSecret(password)))
		w.produce(0, 100)
		w.untilCommitted(100)
		wrong.Store(true)
		m.kafka.cut()
		m.kafka.mend()
		w.wantTold(m, standing{says: "Invalid username or password"})
	})
}

func TestStandingRegistry(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes().down.Store(true)
		m := w.start(avroFormat)
		w.produceWith(0, 10, func(i int) *kgo.Record { return avroNumber(i, 1) })
		w.wantTold(m, standing{says: "the Schema Registry"})
		w.registry.(*registry).down.Store(false)
		w.untilCommitted(10)
		time.Sleep(time.Minute)
		if n := w.lines("level=INFO", "a fault is over", "what=\"Schema Registry\""); n != 1 {
			t.Errorf("%d lines say that the fault is over, want 1", n)
		}
		if err := m.connector.Ready(); err != nil {
			t.Errorf("not ready after the fault: %v", err)
		}
	})
}

// wantTold lets a fault last for ten minutes.
func (w *world) wantTold(m *member, f standing) {
	w.t.Helper()
	time.Sleep(2 * time.Minute)
	for minute := 2; minute < 10; minute += 2 {
		before := len(w.log.String())
		time.Sleep(2 * time.Minute)
		told := 0
		for line := range strings.Lines(w.log.String()[before:]) {
			if strings.Contains(line, f.says) && (strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN")) {
				told++
			}
		}
		if told == 0 || told > 100 {
			w.t.Errorf("%d lines tell of it in minutes %d to %d, want 1 or more", told, minute, minute+2)
		}
	}
	switch err := m.connector.Ready(); {
	case f.ready && err != nil:
		w.t.Errorf("not ready: %v", err)
	case !f.ready && (err == nil || !strings.Contains(err.Error(), f.says)):
		w.t.Errorf("readiness does not say %q: %v", f.says, err)
	}
	if f.ready && m.metric("throttled") != 1 {
		w.t.Error("the metric does not say that the stream is throttled")
	}
}

// TestSummary: one line a minute tells what went through, and none while nothing does.
func TestSummary(t *testing.T) {
	bubble(t, func(w *world) {
		w.start()
		w.produce(0, 400)
		time.Sleep(10 * time.Minute)
		const line = "msg=delivered stream=s in=1m0s polled=400 accepted=400 bytes="
		if n := w.lines(line); n != 1 {
			t.Errorf("%d lines have %q, want 1: %s", n, line, w.log.tail())
		}
		if n := w.lines("msg=delivered"); n != 1 {
			t.Errorf("%d summaries, want 1", n)
		}
	})
}
