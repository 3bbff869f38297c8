package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// weatherCase is a process with a stream of its own, and the faults that this stream gets.
type weatherCase struct {
	name     string
	faults   []firehosetest.Fault
	minShare float64 // of the rate in fair weather

	host    *host
	process *child
	rates   [3]float64 // records a second in fair weather, with the faults, and after them
}

// TestWeatherOfTheProcess: a process with a backlog sends at 2,000 records a second while faults
// that have nothing to do with speed come and end. They cost little more than they destroy, the
// rate is back within five seconds, nothing is lost, and each record that comes twice was counted
// as ambiguous. All cases run at the same time, beside one without faults: a machine that has less
// time for a phase takes it from that one as well, and rates are compared with it.
func TestWeatherOfTheProcess(t *testing.T) {
	longtest.Require(t)
	const chance = 0.05
	refusedRecords := firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: chance, Code: "ServiceUnavailableException"}
	refusedRequests := func(code string) firehosetest.Fault {
		return firehosetest.Fault{Effect: firehosetest.RefuseRequest, Probability: chance, Code: code}
	}
	reset := firehosetest.Fault{Effect: firehosetest.Reset, Probability: chance}
	stored := firehosetest.Fault{Effect: firehosetest.Reset, Probability: chance, Stored: true}
	cut := firehosetest.Fault{Effect: firehosetest.CutBody, Probability: 0.03, Stored: true}
	fair := &weatherCase{name: "fair"}
	cases := []*weatherCase{
		fair,
		{name: "records refused", faults: []firehosetest.Fault{refusedRecords}, minShare: 0.8},
		{name: "503", faults: []firehosetest.Fault{refusedRequests("ServiceUnavailableException")}, minShare: 0.8},
		{name: "throttled", faults: []firehosetest.Fault{refusedRequests("ThrottlingException")}, minShare: 0.8},
		{name: "500", faults: []firehosetest.Fault{refusedRequests("InternalFailure")}, minShare: 0.8},
		{name: "reset", faults: []firehosetest.Fault{reset}, minShare: 0.8},
		{name: "all of these", faults: []firehosetest.Fault{
			refusedRecords, refusedRequests("ServiceUnavailableException"), refusedRequests("ThrottlingException"), reset, stored, cut,
		}, minShare: 0.55},
	}
	for _, c := range cases {
		c.produceBacklog(t)
	}
	for _, c := range cases {
		c.process = c.host.start("KAFKA_SESSION_TIMEOUT=15s", "FIREHOSE_BATCH_MAX_RECORDS=20", "FIREHOSE_MAX_IN_FLIGHT=2")
	}

	<-time.After(3 * time.Second)
	measureRates(cases, 0, 5*time.Second)
	for _, c := range cases {
		c.host.stream.SetFaults(c.faults)
	}
	measureRates(cases, 1, 20*time.Second)
	for _, c := range cases {
		c.host.stream.ClearFaults()
	}
	<-time.After(5 * time.Second)
	measureRates(cases, 2, 5*time.Second)

	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bad, after := c.share(1, fair), c.share(2, fair)
			t.Logf("%.0f records a second; beside the one without faults %.0f %% in bad weather, %.0f %% after that", c.rates, 100*bad, 100*after)
			if bad < c.minShare || after < 0.9 {
				t.Errorf("want %.0f %% and 90 %%", 100*c.minShare)
			}
			c.host.delivered(2 * time.Minute)
			ambiguous := int(c.process.metric(t, ambiguousTotal))
			c.host.drain(c.process)
			copies := c.host.wantAll(ambiguous)
			t.Logf("%d records, 0 lost, %d came twice, %d were ambiguous", c.host.produced, copies, ambiguous)
		})
	}
}

// produceBacklog gives the case a Kafka with more records than it can send in fair weather while rates are measured.
func (c *weatherCase) produceBacklog(t *testing.T) {
	t.Helper()
	for i := range c.faults {
		c.faults[i].Seed = uint64(i + 1)
	}
	c.host = newHost(t)
	c.host.binary()
	c.host.judge.made = func(r *kgo.Record) string { return strings.TrimSpace(string(r.Value)) }
	c.host.judge.read = strings.TrimSpace
	c.host.produceWith(100_000, func(i int) []byte { return fmt.Appendf(nil, "%-500d", i) })
}

// measureRates counts the records that each case stores in an interval.
func measureRates(cases []*weatherCase, phase int, interval time.Duration) {
	begin := make([]time.Time, len(cases))
	missing := make([]int, len(cases))
	for i, c := range cases {
		begin[i] = time.Now()
		missing[i], _ = c.host.judge.count(c.host.produced)
	}
	<-time.After(interval)
	for i, c := range cases {
		now, _ := c.host.judge.count(c.host.produced)
		c.rates[phase] = float64(missing[i]-now) / time.Since(begin[i]).Seconds()
	}
}

// share is the rate of a phase as a part of the rate in fair weather, beside the same of a case
// without faults.
func (c *weatherCase) share(phase int, fair *weatherCase) float64 {
	return (c.rates[phase] / c.rates[0]) / (fair.rates[phase] / fair.rates[0])
}
