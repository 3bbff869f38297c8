package deploy_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// trouble is what is done to connectors that work, one after the other.
type trouble struct {
	name   string
	make   func()
	alerts []string // each has to fire, as job/alert; KafkaFirehose is left out
	repair func()
}

// phase is when a trouble was there, for the pictures.
type phase struct {
	name     string
	from, to time.Time
}

// Moments of the pictures.
const (
	beforeTrouble  = "before all trouble"
	firehoseIsDown = "Firehose is down"
)

// prometheus is the path of the server's binary.
func prometheus(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("PROMETHEUS")
	if binary == "" {
		t.Skip("needs a Prometheus server: .ci/run prometheus installs it and runs this; PROMETHEUS is its path")
	}
	return binary
}

// TestPrometheus has a real Prometheus scrape real processes, with the rules of alerts.yaml. While all
// is well no alert fires; of each trouble the alerts fire that are named for it; and when all is over,
// each query of the dashboard and of the documents has returned data.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	server := startServer(t, prometheus(t), hastened(t, time.Second))
	queries := queriesOf(t)
	for _, q := range queries {
		if _, err := server.over(expand(q.expr, ".+"), time.Now(), time.Now()); err != nil {
			t.Errorf("%s: %v\n%s", q.where, err, q.expr)
		}
	}

	go server.watch()
	w := newScene(t)
	waitFor(t, time.Minute, "nothing runs yet: the alert Absent fires", func() bool { return server.fires("/KafkaFirehoseAbsent") })

	begin := time.Now()
	_, addr := w.start("bridge",
		"KAFKA_TOPICS=orders,clicks", "FIREHOSE_ROUTES=orders=orders,clicks=clicks", "KAFKA_MAX_UNCOMMITTED_RECORDS=1000",
		`FIREHOSE_STREAM_OPTIONS={"clicks": {"quota_bytes_per_second": "5MiB"}}`,
		"DESTINATION_WATCH=true", "MAX_BUFFERED_BYTES=64MiB", "BAD_RECORD_POLICY=dead-letter", "DEAD_LETTER_TOPIC="+deadLetters)
	server.scrape("bridge", addr)
	go w.load(1)
	waitFor(t, time.Minute, "Firehose has records", func() bool { return w.firehose.Stats().Streams["clicks"].Records > 0 })
	waitFor(t, time.Minute, "no alert fires any more", func() bool { return len(server.firing()) == 0 })
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(time.Second) {
		if names := server.firing(); len(names) > 0 {
			t.Fatalf("all is well, and there fire %q", names)
		}
	}

	var phases []phase
	for i, trouble := range w.troubles(server) {
		wantExplained(t, i, trouble)
		p := phase{name: trouble.name, from: time.Now()}
		trouble.make()
		for _, name := range trouble.alerts {
			job, alert, _ := strings.Cut(name, "/")
			waitFor(t, 90*time.Second, trouble.name+": the alert "+name+" fires", func() bool { return server.fires(job + "/KafkaFirehose" + alert) })
			t.Logf("%s: KafkaFirehose%s fires after %s", trouble.name, alert, time.Since(p.from).Round(time.Second))
		}
		trouble.repair()
		p.to = time.Now()
		phases = append(phases, p)
		// What is repaired is over before the next trouble begins; what keep_firing_for holds is not waited for.
		waitFor(t, time.Minute, trouble.name+": it is over", func() bool {
			return !slices.ContainsFunc(trouble.alerts, func(name string) bool {
				job, alert, _ := strings.Cut(name, "/")
				return job == "bridge" && !kept(t, alert) && server.fires(job+"/KafkaFirehose"+alert)
			})
		})
	}
	end := time.Now()
	for _, q := range queries {
		lines, err := server.over(expand(q.expr, ".+"), begin, end)
		if err != nil || !hasData(lines) {
			t.Errorf("%s: no data (%v)\n%s", q.where, err, q.expr)
		}
	}
	for _, v := range readDashboard(t).Templating.List {
		if v.Type == "query" {
			server.offers(v)
		}
	}
	server.wantHistograms(begin, end)
	t.Logf("%d queries have returned data", len(queries))
	if dir := os.Getenv("DASHBOARD_PICTURES"); dir != "" {
		drawAll(t, server, dir, phases, begin, end)
	}
}

// troubles, with the alerts that each is for. The other alerts that they set off are as right.
func (s *scene) troubles(server *server) []trouble {
	var events *process
	return []trouble{{
		name: "throttled",
		make: func() {
			s.firehose.AddFault(firehosetest.Fault{Stream: "orders", Effect: firehosetest.RefuseRecords, Share: 0.3})
		},
		alerts: []string{"bridge/Throttled"},
		repair: s.firehose.ClearFaults,
	}, {
		name:   "stream deleted",
		make:   func() { s.firehose.DeleteStream("clicks") },
		alerts: []string{"bridge/StreamBlocked"},
		repair: func() { s.firehose.AddStream(firehosetest.Stream{Name: "clicks"}) },
	}, {
		name:   firehoseIsDown,
		make:   func() { s.firehose.AddFault(firehosetest.Fault{Effect: firehosetest.Outage}) },
		alerts: []string{"bridge/Late", "bridge/RequestsFail", "bridge/NoProgress", "bridge/LagGrowing"},
		repair: s.firehose.ClearFaults,
	}, {
		name: "retention was faster",
		make: func() {
			s.firehose.AddFault(firehosetest.Fault{Effect: firehosetest.Outage})
			// So much is polled ahead; what is behind that goes.
			<-time.After(10 * time.Second)
			s.expire("orders")
			s.firehose.ClearFaults()
		},
		alerts: []string{"bridge/RecordsExpired"},
		repair: func() {},
	}, {
		name: "bad records",
		make: func() {
			s.produce("orders", nil, bytes.Repeat([]byte("x"), 1_030_000)) // too large for Firehose
			s.produce("orders", nil, bytes.Repeat([]byte("x"), 1_200_000)) // and for the topic of dead letters
		},
		alerts: []string{"bridge/DeadLetters", "bridge/DeadLetterDigests"},
		repair: func() {},
	}, {
		name: "dead letters stuck",
		make: func() {
			s.deleteDeadLetters()
			s.produce("orders", nil, bytes.Repeat([]byte("x"), 1_030_000))
		},
		alerts: []string{"bridge/DeadLettersBlocked", "bridge/DeadLettersPending"},
		repair: s.createDeadLetters,
	}, {
		name: "another connector without schemas",
		make: func() {
			p, addr := s.start("events", "KAFKA_TOPICS=events", "FIREHOSE_STREAM=events",
				"RECORD_FORMAT=avro", "SCHEMA_REGISTRY_URL="+s.registry, "BAD_RECORD_POLICY=skip", "METRICS_NATIVE_HISTOGRAMS=true")
			events = p
			server.scrape("events", addr)
			s.produce("events", []byte("a"), []byte("no schema at all"))
			s.produce("events", []byte("b"), []byte{0, 0, 0, 0, 7, 2, 'x'}) // of schema 7
		},
		alerts: []string{"events/RecordsSkipped", "events/SchemaRegistry"},
		repair: func() {},
	}, {
		name:   "that one is killed",
		make:   func() { events.kill() },
		alerts: []string{"events/Down", "events/Absent"},
		repair: func() {},
	}, {
		name: "a third one is not let in",
		make: func() {
			_, addr := s.start("outside", "KAFKA_TOPICS=orders", "FIREHOSE_STREAM=orders", "KAFKA_BROKERS="+s.lockedBrokers(),
				"KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=outside", "KAFKA_SASL_PASSWORD=wrong")
			server.scrape("outside", addr)
		},
		alerts: []string{"outside/Refused", "outside/NotInGroup", "outside/NoMember"},
		repair: func() {},
	}, {
		name:   "a destination fails",
		make:   func() { s.destinationsAre(50_000) },
		alerts: []string{"bridge/DestinationLate", "bridge/DestinationLosesData"},
		repair: s.destinationsCatchUp,
	}}
}

// wantExplained fails the test unless docs/dashboard.md has the alerts of a trouble beside its number.
func wantExplained(t *testing.T, i int, trouble trouble) {
	t.Helper()
	_, line, _ := strings.Cut(read(t, "docs/dashboard.md"), fmt.Sprintf("\n%d. ", i+1))
	line, _, _ = strings.Cut(line, "\n")
	for _, name := range trouble.alerts {
		_, alert, _ := strings.Cut(name, "/")
		if !strings.Contains(line, "`"+alert+"`") {
			t.Errorf("docs/dashboard.md does not name %s with the trouble %d, %s", alert, i+1, trouble.name)
		}
	}
}

// kept reports that an alert fires on after its cause has gone.
func kept(t *testing.T, alert string) bool {
	t.Helper()
	_, rule, _ := strings.Cut(read(t, "alerts.yaml"), "- alert: KafkaFirehose"+alert+"\n")
	rule, _, _ = strings.Cut(rule, "- alert: ")
	return strings.Contains(rule, "keep_firing_for:")
}

// offers fails the test unless the variable has something to choose from.
func (s *server) offers(v variable) {
	s.t.Helper()
	inner := strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ")")
	at := strings.LastIndex(inner, ", ")
	var values []string
	err := s.get("/api/v1/label/"+inner[at+2:]+"/values", url.Values{"match[]": {expand(inner[:at], ".+")}}, &values)
	if err != nil || len(values) == 0 {
		s.t.Errorf("nothing to choose for the variable %s: %v (%v)", v.Name, values, err)
	}
}
