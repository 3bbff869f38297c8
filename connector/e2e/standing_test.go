package e2e_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/claimcheck/buckettest"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/oauthtoken/oauthtest"
	"kafka-firehose/connector/schema"
	"kafka-firehose/connector/status"
)

// standing is a fault that lasts. begin makes it, after records went through; says is in its lines and in readiness.
type standing struct {
	change    func(*world, *connector.Config)
	begin     func(*world, *member)
	says      string
	metric    string // that is not 0 as long as it lasts; empty for none of its own
	ready     bool   // the process is ready all the same
	uncounted bool   // nothing is tried, or its attempts are not counted
}

func refuses(code string) func(*world, *member) {
	return func(w *world, _ *member) {
		w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Code: code}})
	}
}

// ownKey gives the stream a customer managed key, which the check at the start sees.
func ownKey(w *world, c *connector.Config) {
	w.stream.AddStream(firehosetest.Stream{Name: "s", Key: keyARN})
	checked(c)
}

func standingFaults() map[string]standing {
	var bucket *buckettest.Bucket
	return map[string]standing{
		"no credentials": {begin: func(w *world, m *member) {
			w.noKeys.Store(true)
			refuses("ExpiredTokenException")(w, m)
		}, says: "no role is here"},
		"refused credentials": {begin: refuses("UnrecognizedClientException"), says: "credentials refused"},
		"wrong clock":         {begin: refuses("InvalidSignatureException"), says: "InvalidSignatureException"},
		"denied":              {begin: refuses("AccessDeniedException"), says: "AccessDeniedException"},
		"missing stream":      {begin: func(w *world, _ *member) { w.stream.DeleteStream("s") }, says: "ResourceNotFoundException"},
		"key": {change: ownKey, begin: func(w *world, _ *member) {
			w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseKey}})
		}, says: "the caller needs kms:GenerateDataKey and kms:Decrypt on the key that encrypts the stream, and the key has to be enabled; the stream was described with the key " + keyARN},
		"key, denied": {change: ownKey, begin: func(w *world, _ *member) {
			w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseKey, Code: "AccessDeniedException"}})
		}, says: keyARN + " because no identity-based policy allows the k…; the caller needs kms:GenerateDataKey and kms:Decrypt"},
		"outage": {begin: func(w *world, _ *member) {
			w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.Outage}})
		}, says: "nothing was accepted for"},
		"503":       {begin: refuses("ServiceUnavailableException"), says: "ServiceUnavailableException"},
		"no broker": {begin: func(_ *world, m *member) { m.kafka.cut() }, says: "refused at", uncounted: true},
		"throttled": {begin: func(w *world, _ *member) {
			w.stream.SetQuota("s", firehosetest.Quota{RecordsPerSecond: 1})
		}, says: "throttled: it takes", ready: true, uncounted: true, metric: "throttled"},
		"missing topic": {change: func(_ *world, c *connector.Config) { c.Kafka.Topics = append(c.Kafka.Topics, "gone") }, says: "gone", uncounted: true},
		"dead-letter topic": {change: func(w *world, c *connector.Config) {
			p, policy := w.post(1_048_588)
			policy(c)
			w.letters = p
		}, begin: func(w *world, _ *member) {
			w.letters.refuses(kerr.NotEnoughReplicas)
			w.letters.produce(1, func(int) *kgo.Record { return &kgo.Record{} })
		}, says: "dead-letter topic dead"},
		"missing stream at the start": {change: func(w *world, c *connector.Config) {
			w.twoStreams()(c)
			w.stream.DeleteStream("s")
			checked(c)
		}, begin: func(w *world, _ *member) { w.produceWith(1_000_000, 1_000_100, toGood) }, says: "the delivery stream s does not exist"},
		"claim-check bucket": {change: func(w *world, c *connector.Config) {
			b, policy := w.claims()
			policy(c)
			bucket = b
		}, begin: func(w *world, _ *member) {
			bucket.Fault(func(string) *buckettest.Refusal { return &buckettest.Denied })
			w.produceWith(1_000_000, 1_000_001, w.sized(1))
		}, says: "claim-check bucket s3://large/claims: access is denied"},
	}
}

// TestStandingFaults: whatever lasts is told for as long as it lasts, in the log every two minutes at least and in
// readiness with its reason, and is over when it is over.
func TestStandingFaults(t *testing.T) {
	t.Parallel()
	quick := []string{"denied", "outage", "key"}
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
		w.wantTold(m, standing{says: "Invalid username or password", uncounted: true})
	})
}

func TestStandingRegistry(t *testing.T) {
	bubble(t, func(w *world) {
		w.decodes().down.Store(true)
		m := w.start(avroFormat)
		w.produceWith(0, 10, func(i int) *kgo.Record { return avroNumber(i, 1) })
		w.wantTold(m, standing{says: "the Schema Registry"})
		if s := m.connector.Status(); s.Registry == nil || s.Registry.Failure == "" || s.At.Sub(s.Registry.Since) < 9*time.Minute || s.Registry.Type != "confluent" {
			t.Errorf("the status says of the registry: %+v", s.Registry)
		}
		w.registry.(*registry).down.Store(false)
		w.untilCommitted(10)
		time.Sleep(time.Minute)
		if n := w.lines("level=INFO", "a fault is over", "what=\"Schema Registry\""); n != 1 {
			t.Errorf("%d lines say that the fault is over, want 1", n)
		}
		if err := m.connector.Ready(); err != nil {
			t.Errorf("not ready after the fault: %v", err)
		}
		if s := m.connector.Status(); s.Registry == nil || s.Registry.Failure != "" || s.BadRecords.Records != 0 {
			t.Errorf("the status after the fault: %+v, %+v", s.Registry, s.BadRecords)
		}
	})
}

// TestStandingSchema: under skip, dead-letter, and claim-check with a dead-letter topic, a topic whose schema can't be used leaves the stream by policy. It
// is told each minute while its records come, and not longer.
func TestStandingSchema(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"skip", "dead-letter", "claim-check"} {
		t.Run(policy, func(t *testing.T) {
			bubble(t, func(w *world) {
				_, claims := w.claims()
				w.decodes()
				_, letters := w.post(1_048_588)
				m := w.start(avroFormat, func(c *connector.Config) {
					if letters(c); policy == "claim-check" {
						claims(c)
					}
					c.BadRecordPolicy = policy
				})
				w.produceWith(0, 10, func(i int) *kgo.Record { return avroNumber(i, 1) })
				w.untilCommitted(10)
				if n := len(m.gather("schema_unusable_records_total")); n != 2 || m.metric("schema_unusable_records_total") != 0 {
					t.Errorf("%d series for the topic before the first bad record, want 2 that are 0", n)
				}
				var bad atomic.Int64
				ctx, stop := context.WithCancel(context.Background())
				go func() { // the judge expects nothing of these records
					for ctx.Err() == nil {
						r := avroNumber(int(bad.Add(1)), 9)
						r.Topic = w.in
						_ = w.producer.ProduceSync(context.WithoutCancel(ctx), r)
						time.Sleep(time.Second)
					}
				}()
				w.wantTold(m, standing{says: "because their schema can't be used: schema 9: the Schema Registry does not have it", ready: true, metric: "schema_unusable_records_total"})
				stop()
				time.Sleep(5 * time.Minute)
				if n := m.connector.Status().BadRecords.Records; n != bad.Load() {
					t.Errorf("the status counts %d bad records, want %d", n, bad.Load())
				}
				if n := m.metric("schema_unusable_records_total", w.in, "unknown_schema"); n != float64(bad.Load()) {
					t.Errorf("%v records of an unusable schema, want %d", n, bad.Load())
				}
				if faults := m.connector.Status().Faults; len(faults) > 0 {
					t.Errorf("minutes after the last record: %+v", faults)
				}
				if n := w.lines("level=INFO", "a fault is over", "schemas of topic"); n != 1 {
					t.Errorf("%d lines say that it is over, want 1", n)
				}
				if n := w.lines("level=ERROR", "a fault lasts", "schemas of topic"); n < 9 || n > 14 {
					t.Errorf("%d lines tell of it, want one a minute", n)
				}
			})
		})
	}
}

// TestStandingTokens: while the registry's token endpoint is down, records that need a new schema wait, and the fault names
// the endpoint and no secret. None is bad or lost.
func TestStandingTokens(t *testing.T) {
	bubble(t, func(w *world) {
		r := w.decodes()
		login := &oauthtest.Server{ClientID: "bridge", Secret: "planted-secret", Life: time.Hour}
		login.Answer(http.StatusServiceUnavailable)
		w.registry = tripper(func(q *http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			switch {
			case q.URL.Host == "login.example":
				login.ServeHTTP(rec, q)
			case !login.Accepts(q):
				rec.WriteHeader(http.StatusUnauthorized)
			default:
				return r.RoundTrip(q)
			}
			return rec.Result(), nil
		})
		m := w.start(avroFormat, func(c *connector.Config) {
			c.Schema.OAuth = schema.OAuthConfig{Endpoint: "https://login.example/token", ClientID: "bridge", ClientSecret: env.NewSecret("planted-secret")}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
		})
		w.produceWith(0, 1000, func(i int) *kgo.Record { return avroNumber(i, 1) })
		w.wantTold(m, standing{says: "the Schema Registry: get a token from SCHEMA_REGISTRY_OAUTH_ENDPOINT at https://login.example: it answers 503"})
		login.Answer(0)
		w.untilCommitted(1000)
		m.mustStop()
		w.wantExactly(1000)
		if strings.Contains(w.log.String(), "planted") {
			t.Error("the log has the secret")
		}
	})
}

// wantTold lets a fault last for ten minutes. In each two of them the log tells of it, and at their end readiness, the status and the metric do.
func (w *world) wantTold(m *member, f standing) {
	w.t.Helper()
	for minute := 0; minute < 10; minute += 2 {
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
		shown, said, ok := w.wantShown(m, f)
		if !ok || minute < 8 {
			continue
		}
		if !f.uncounted && shown.Failures < 10 {
			w.t.Errorf("after ten minutes the status counts %d attempts", shown.Failures)
		}
		w.wantDated(shown, said)
	}
}

// wantShown returns the fault as the status shows it, and what readiness says. It is not ok if they don't say it.
func (w *world) wantShown(m *member, f standing) (shown status.Fault, said string, ok bool) {
	w.t.Helper()
	reason := m.connector.Ready()
	switch {
	case f.ready && reason != nil:
		w.t.Errorf("not ready: %v", reason)
	case f.ready:
		reason = m.connector.Notes()
	}
	if reason != nil {
		said = reason.Error()
	}
	if !strings.Contains(said, f.says) {
		w.t.Errorf("readiness does not say %q: %q", f.says, said)
		return shown, said, false
	}
	if f.metric != "" && m.metric(f.metric) == 0 {
		w.t.Errorf("the metric %s says nothing of it", f.metric)
	}
	all := m.connector.Status().Faults
	i := slices.IndexFunc(all, func(s status.Fault) bool { return strings.Contains(s.Reason, f.says) })
	if i < 0 {
		w.t.Errorf("the status does not say %q: %+v", f.says, all)
		return shown, said, false
	}
	return all[i], said, true
}

// dated is a line of readiness that says since when it holds: by a time, or by a duration.
var dated = regexp.MustCompile(`\(since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(, \d+ failed attempts)?\)$| for (\d+m)?\d+s`)

// wantDated fails unless each line of readiness says since when it holds, and those of the fault as the status and the log say it.
func (w *world) wantDated(f status.Fault, said string) {
	w.t.Helper()
	for line := range strings.SplitSeq(said, "\n") {
		if !dated.MatchString(line) {
			w.t.Errorf("readiness does not say since when it holds that %s", line)
		}
	}
	if lasts := time.Since(f.Since); lasts < 9*time.Minute || lasts > 11*time.Minute {
		w.t.Errorf("after ten minutes the status says that it has lasted for %v: %+v", lasts, f)
	}
	if f.What == "partitions" { // each has a line of its own
		return
	}
	since := f.Since.UTC().Format(time.RFC3339)
	if want := f.Reason + " (since " + since; !strings.Contains(said, want) {
		w.t.Errorf("the status says %q, readiness says %q", want, said)
	}
	if w.lines("a fault lasts", f.What, "since="+since) == 0 {
		w.t.Errorf("no line of the log says since when it is that %+v", f)
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

// TestNoSummary: LOG_SUMMARY_INTERVAL=0 turns the line off.
func TestNoSummary(t *testing.T) {
	bubble(t, func(w *world) {
		w.start(func(c *connector.Config) { c.LogSummaryInterval = 0 })
		w.produce(0, 400)
		w.untilCommitted(400)
		time.Sleep(10 * time.Minute)
		if n := w.lines("msg=delivered"); n != 0 {
			t.Errorf("%d summaries, want none", n)
		}
	})
}
