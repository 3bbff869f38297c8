package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// TestWeatherOfTheProcess: a process with a backlog sends at 2,000 records a second while faults
// that have nothing to do with speed come and go. They cost little more than what they destroy, the
// rate is back within five seconds, nothing is lost, and what comes twice has been counted.
func TestWeatherOfTheProcess(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	const chance = 0.05
	records := firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: chance, Code: "ServiceUnavailableException"}
	refused := func(code string) firehosetest.Fault {
		return firehosetest.Fault{Effect: firehosetest.RefuseRequest, Probability: chance, Code: code}
	}
	reset := firehosetest.Fault{Effect: firehosetest.Reset, Probability: chance}
	stored := firehosetest.Fault{Effect: firehosetest.Reset, Probability: chance, Stored: true}
	cut := firehosetest.Fault{Effect: firehosetest.CutBody, Probability: 0.03, Stored: true}
	for name, weather := range map[string]struct {
		faults []firehosetest.Fault
		least  float64 // share of the rate in fair weather
	}{
		"records refused": {[]firehosetest.Fault{records}, 0.8},
		"503":             {[]firehosetest.Fault{refused("ServiceUnavailableException")}, 0.8},
		"throttled":       {[]firehosetest.Fault{refused("ThrottlingException")}, 0.8},
		"500":             {[]firehosetest.Fault{refused("InternalFailure")}, 0.8},
		"reset":           {[]firehosetest.Fault{reset}, 0.8},
		"all of these":    {[]firehosetest.Fault{records, refused("ServiceUnavailableException"), refused("ThrottlingException"), reset, stored, cut}, 0.55},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.binary()
			h.judge.made = func(r *kgo.Record) string { return strings.TrimSpace(string(r.Value)) }
			h.judge.read = strings.TrimSpace
			h.produceWith(90_000, func(i int) []byte { return fmt.Appendf(nil, "%-500d", i) })
			c := h.start("KAFKA_SESSION_TIMEOUT=15s", "FIREHOSE_BATCH_MAX_RECORDS=20", "FIREHOSE_MAX_IN_FLIGHT=2")
			rate := func(d time.Duration) float64 {
				before, _ := h.judge.count(h.produced)
				<-time.After(d)
				after, _ := h.judge.count(h.produced)
				return float64(before-after) / d.Seconds()
			}
			<-time.After(3 * time.Second)
			fair := rate(5 * time.Second)
			for i := range weather.faults {
				weather.faults[i].Seed = uint64(i + 1)
			}
			h.stream.SetFaults(weather.faults)
			bad := rate(20 * time.Second)
			h.stream.ClearFaults()
			<-time.After(5 * time.Second)
			after := rate(5 * time.Second)
			t.Logf("fair %.0f records a second, bad %.0f %%, fair again %.0f %%", fair, 100*bad/fair, 100*after/fair)
			if bad < weather.least*fair || after < 0.9*fair {
				t.Errorf("%.0f records a second in bad weather, %.0f after that; %.0f before, want %.0f %% and 90 %% of it", bad, after, fair, 100*weather.least)
			}
			h.delivered(time.Minute)
			ambiguous := int(c.metric(t, ambiguousTotal))
			h.drain(c)
			copies := h.wantAll(ambiguous)
			t.Logf("%d records, 0 lost, %d came twice, %d were ambiguous", h.produced, copies, ambiguous)
		})
	}
}
