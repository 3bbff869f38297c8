package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/preflight/check"
	"kafka-firehose/connector/status"
)

// TestRuntimeSettingsAreTold: the settings of the start and each change have one line with both values, a bad or a missing file one
// line a minute, and names that are unknown one warning.
func TestRuntimeSettingsAreTold(t *testing.T) {
	bubble(t, func(w *world) {
		file := mount(t, `{"paused_topics": ["absent"], "paused_streams": ["x"], "streams": {"y": {}, "s": {"max_records_per_second": 7}}}`)
		m := w.start(file.reads(w.in))
		want := func(n int, words ...string) {
			t.Helper()
			if got := w.lines(words...); got != n {
				t.Errorf("%d lines have %q, want %d\n%s", got, words, n, w.log.tail())
			}
		}
		w.produce(0, 4)
		w.untilCommitted(4)
		time.Sleep(2 * time.Minute)
		want(1, "runtime setting changed", "setting=paused_topics old=[] new=[absent]")
		want(1, "runtime setting changed", "setting=max_records_per_second old=unlimited new=7 stream=s")
		want(1, "level=WARN", "a name that this process does not know", "topic=absent")
		want(1, "level=WARN", "a name that this process does not know", "stream=x")
		want(1, "level=WARN", "a name that this process does not know", "stream=y")
		if got := m.connector.Status().Runtime; fmt.Sprint(got.Unknown) != "[stream x stream y topic absent]" || got.Changed[0] != (status.RuntimeChange{Stream: "s", Setting: "max_records_per_second", Value: "7"}) {
			t.Errorf("the status has %+v", got)
		}
		if err := os.Remove(file.path()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Minute + 30*time.Second)
		want(6, "a fault lasts", "runtime settings", "no such file or directory")
		if got := m.metric("rate_records_per_second"); got != 0 && got != 7 {
			t.Errorf("the rate is %v", got)
		}
		if err := os.WriteFile(file.path(), []byte(`{"streams": {"s": {"max_records_per_second": 9}}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		want(1, "a fault is over", "runtime settings")
		want(1, "runtime setting changed", "setting=max_records_per_second old=7 new=9 stream=s")
		want(1, "runtime setting changed", "setting=paused_streams old=[x] new=[]")
		if got := m.connector.Status().Runtime; len(got.Unknown) != 0 || got.Error != "" {
			t.Errorf("the status has %+v", got)
		}
		m.mustStop()
	})
}

// TestRuntimeRates: the limits of a stream change while records are sent, in both directions, and a member that is removed
// leaves the value of the environment.
func TestRuntimeRates(t *testing.T) {
	bubble(t, func(w *world) {
		file := mount(t, `{}`)
		m := w.start(file.reads(w.in), func(c *connector.Config) {
			c.Firehose.MaxRecordsPerSecond = 60
			c.Kafka.MaxUncommittedRecords = 1000
		})
		w.produce(0, 12_000)
		perSecond := func() float64 {
			time.Sleep(15 * time.Second)
			before := m.metric("records_accepted_total")
			time.Sleep(30 * time.Second)
			return (m.metric("records_accepted_total") - before) / 30
		}
		for _, step := range []struct {
			content string
			want    float64
		}{
			{"", 60},
			{`{"streams": {"s": {"max_records_per_second": 6}}}`, 6},
			{`{"streams": {"s": {"max_records_per_second": 30}}}`, 30},
			{`{"streams": {"s": {"quota_records_per_second": 12, "quota_bytes_per_second": "1MiB"}}}`, 12},
			{`{"streams": {"s": {}}}`, 60},
		} {
			if step.content != "" {
				file.put(step.content)
			}
			most := 1.05
			if strings.Contains(step.content, "quota") {
				most = 5 // a member may try for more than its part while nothing is refused; 60 is its limit
				time.Sleep(6 * time.Second)
				if got := m.metric("quota_part_records_per_second"); got != 12 {
					t.Errorf("the part of the quota is %v, want 12", got)
				}
			}
			if got := perSecond(); got < 0.9*step.want || got > most*step.want {
				t.Errorf("with %s %.0f records a second were accepted, want %.0f", step.content, got, step.want)
			}
		}
		m.cancel()
	})
}

// TestInspectRuntimeSettings: the look at the surroundings validates the file, and warns of names that have no effect.
func TestInspectRuntimeSettings(t *testing.T) {
	t.Parallel()
	surroundings(t, noDoor, func(w *world) {
		file := mount(t, fmt.Sprintf(`{"paused_topics": [%q, "other"], "streams": {"s": {}, "x": {}}}`, w.in))
		const name = "RUNTIME_SETTINGS_FILE: "
		found := w.inspect(file.reads(w.in))
		found.wantFinding(t, check.OK, check.Setting, name+file.path()+" can be used: it pauses 2 topics and 0 streams and has limits for 2 streams")
		found.wantFinding(t, check.Warning, check.Setting, name+`it names the topic "other", which has no effect`)
		found.wantFinding(t, check.Warning, check.Setting, name+`it names the stream "x", which has no effect`)
		if found.has(check.Warning, check.Setting, w.in) {
			t.Error("it warns of a topic that is read")
		}
		file.put(`{"streams": {"s": {"max_bytes_per_second": "fast"}}}`)
		w.inspect(file.reads(w.in)).wantFinding(t, check.Error, check.Setting, `streams.s.max_bytes_per_second holds "fast": want a size`)
	})
}

// TestRuntimeSettingsOfAProcess pauses and resumes a topic of a real process by a real file, and changes the level of its log.
func TestRuntimeSettingsOfAProcess(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	h := newHost(t)
	file := mount(t, `{}`)
	c := h.start("RUNTIME_SETTINGS_FILE=" + file.path())
	h.produce(100)
	h.delivered(time.Minute)
	file.put(fmt.Sprintf(`{"paused_topics": [%q], "log_level": "debug"}`, h.topic))
	status := func(want string) func() bool {
		return func() bool { _, body := c.probe(t, "/status"); return strings.Contains(body, want) }
	}
	h.until(c, "the topic is paused", status(`"state":"paused","reason":"runtime settings"`))
	h.until(c, "details are logged", func() bool { return strings.Contains(c.log.String(), `"level":"DEBUG"`) })
	h.produce(100)
	file.put(`{"log_level": "loud"}`)
	h.until(c, "it tells of the bad file", status(`log_level holds`))
	if code, body := c.probe(t, "/readyz"); code != http.StatusOK || !strings.Contains(body, "runtime settings can't be read") {
		t.Errorf("/readyz answers %d %s", code, body)
	}
	if got := h.sent(); got != 100 {
		t.Errorf("%d records are delivered while the topic is paused, want 100", got)
	}
	file.put(`{}`)
	h.delivered(time.Minute)
	if n := len(c.lines("runtime setting changed")); n != 4 {
		t.Errorf("%d lines tell of changes, want 4: paused, debug, resumed, info", n)
	}
	h.drain(c)
	h.wantAll(0)
}

// TestReadinessHasEveryFault: a fault that holds no records back is named by readiness beside one that does, and after it.
func TestReadinessHasEveryFault(t *testing.T) {
	bubble(t, func(w *world) {
		file := mount(t, `{}`)
		m := w.start(file.reads(w.in))
		w.produce(0, 100)
		w.untilCommitted(100)
		if err := os.Remove(file.path()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := m.connector.Ready(); err != nil {
			t.Errorf("not ready for runtime settings: %v", err)
		}
		w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Code: "AccessDeniedException"}})
		w.produce(100, 200)
		time.Sleep(time.Minute)
		err := m.connector.Ready()
		if err == nil {
			t.Fatal("ready although the stream denies access")
		}
		if lines := strings.Split(err.Error(), "\n"); len(lines) != 2 || !strings.Contains(lines[0], "AccessDeniedException") || !strings.Contains(lines[1], "runtime settings can't be read") {
			t.Errorf("readiness says %q, want the stream and then the runtime settings", lines)
		}
	})
}
