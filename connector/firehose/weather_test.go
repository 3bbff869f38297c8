package firehose

import (
	"context"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// TestWeather: faults that have nothing to do with speed cost little more than the requests and
// records that they destroy, and the full rate is back soon after them. Records that arrive twice
// have been counted as ambiguous.
func TestWeather(t *testing.T) {
	measuresThroughput(t)
	const chance = 0.05
	records := fault{Effect: firehosetest.RefuseRecords, Share: chance, Code: "ServiceUnavailableException"}
	refused := func(code string) fault {
		return fault{Effect: firehosetest.RefuseRequest, Probability: chance, Code: code}
	}
	reset := fault{Effect: firehosetest.Reset, Probability: chance}
	stored := fault{Effect: firehosetest.Reset, Probability: chance, Stored: true}
	cut := fault{Effect: firehosetest.CutBody, Probability: 0.03, Stored: true}
	mix := []fault{records, refused("ServiceUnavailableException"), refused("ThrottlingException"), reset, stored, cut}
	weathers := map[string]struct {
		faults []fault
		least  float64 // share of the rate in fair weather
	}{
		"records refused": {[]fault{records}, 0.8},
		"503":             {[]fault{refused("ServiceUnavailableException")}, 0.8},
		"throttled":       {[]fault{refused("ThrottlingException")}, 0.8},
		"500":             {[]fault{refused("InternalFailure")}, 0.8},
		"reset":           {[]fault{reset}, 0.8},
		"reset, stored":   {[]fault{stored}, 0.8},
		"cut answers":     {[]fault{cut}, 0.8},
		"all of these":    {mix, 0.55},
	}
	for name, weather := range weathers {
		if !longtest.Enabled() && name != "all of these" && name != "throttled" {
			continue
		}
		for _, latency := range longtest.Pick([]time.Duration{50 * time.Millisecond}, []time.Duration{5 * time.Millisecond, 50 * time.Millisecond}) {
			t.Run(name+" "+latency.String(), func(t *testing.T) {
				cfg := settings()
				cfg.BatchMaxRecords, cfg.MaxInFlight = int(latency/time.Millisecond), 2 // 2,000 records a second
				o := firehosetest.Options{Latency: firehosetest.Fixed(latency)}
				virtual(t, o, cfg, func(w *world) {
					ctx, cancel := context.WithCancel(w.t.Context())
					w.pump(ctx, 500)
					perSecond := func(seconds int) float64 {
						before := len(w.copies())
						time.Sleep(time.Duration(seconds) * time.Second)
						return float64(len(w.copies())-before) / float64(seconds)
					}
					time.Sleep(5 * time.Second)
					fair := perSecond(5)
					for i := range weather.faults {
						weather.faults[i].Seed = uint64(i + 1)
					}
					w.svc.SetFaults(weather.faults)
					bad := perSecond(40)
					w.svc.ClearFaults()
					time.Sleep(5 * time.Second)
					after := perSecond(5)
					t.Logf("fair %.0f records a second, bad %.0f %%, fair again %.0f %%", fair, 100*bad/fair, 100*after/fair)
					if bad < weather.least*fair || after < 0.9*fair {
						t.Errorf("%.0f records a second in bad weather, %.0f after that; %.0f before, want %.0f %% and 90 %% of it", bad, after, fair, 100*weather.least)
					}
					cancel()
					w.wg.Wait()
					copies := 0
					for _, n := range w.copies() {
						copies += n - 1
					}
					if ambiguous := w.metric("records_ambiguous_total"); float64(copies) > ambiguous {
						t.Errorf("%d records came twice, %v were ambiguous", copies, ambiguous)
					}
				})
			})
		}
	}
}
