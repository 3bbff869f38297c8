package connector

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/offset"
	"kafka-firehose/connector/status"
)

// summaryMessage is that of the summary line, which tells of no change.
const summaryMessage = "delivered"

// Status is how the process is doing now.
func (c *Connector) Status() status.Snapshot {
	now := time.Now()
	faults := c.standingFaults(now)
	s := status.Snapshot{
		At: now, Phase: [...]string{"starting", "running", "draining"}[c.phase.Load()], Live: c.Live() == nil, Ready: c.notReady(faults) == nil,
		Group:  status.Group{ID: c.cfg.Kafka.GroupID, Joined: c.source.HasJoined()},
		Faults: []status.Fault{}, Streams: []status.Stream{},
		BadRecords: status.BadRecords{Policy: c.cfg.BadRecordPolicy, Records: c.countBadRecords()},
		Registry:   c.registryStatus(),
		Memory:     status.Memory{Buffered: c.bufferedBytes(), Limit: int64(c.cfg.MaxBufferedBytes), OldestAge: c.oldestAge()},
		Runtime:    c.runtime.current(),
		Events:     c.events.NewestEvents(),
	}
	for _, f := range faults {
		s.Faults = append(s.Faults, status.Fault{What: f.what, Reason: f.err.Error(), Since: f.since, Failures: f.failures})
	}
	for _, name := range slices.Sorted(maps.Keys(c.pipelines)) {
		one := c.pipelines[name].streamStatus(name, now, c.cfg.Destination.PauseAfter)
		if one.Reason == "" && c.runtime.pausesStream(name) {
			one.State, one.Reason = "paused", "runtime settings"
		}
		if i := slices.IndexFunc(faults, func(f fault) bool { return f.what == "stream "+name }); i >= 0 && one.Since.IsZero() {
			one.Since = faults[i].since
		}
		s.Streams = append(s.Streams, one)
	}
	s.Credentials = c.credentials()
	s.Partitions = c.partitionStatuses(now)
	return s
}

// partitionStatuses are the partitions that this process owns.
func (c *Connector) partitionStatuses(now time.Time) []status.Partition {
	queued := c.queuedPolls()
	all := []status.Partition{}
	for _, p := range c.source.PartitionStatuses(queued) {
		one := status.Partition{
			Topic: p.Topic, Partition: p.Partition, Lag: p.Lag, Committed: p.Committed, Uncommitted: p.Uncommitted, State: p.State, Reason: p.Reason,
		}
		if !p.OldestPoll.IsZero() {
			one.OldestAge = now.Sub(p.OldestPoll).Seconds()
		}
		all = append(all, one)
	}
	return all
}

// queuedPolls is when the oldest record of each partition was polled that is in no batch yet.
func (c *Connector) queuedPolls() map[*offset.Lease]time.Time {
	polls := map[*offset.Lease]time.Time{}
	for _, l := range c.pipelines {
		l.queue.oldestPolls(polls)
	}
	return polls
}

// countBadRecords is the number of records that could not be delivered, of all streams.
func (c *Connector) countBadRecords() (records int64) {
	for _, l := range c.pipelines {
		records += l.bad.Load()
	}
	return records
}

// registryStatus is how the Schema Registry is doing, nil if no record is decoded.
func (c *Connector) registryStatus() *status.Registry {
	if c.schemas == nil {
		return nil
	}
	r := &status.Registry{Type: string(c.cfg.Schema.Framing())}
	if outage := c.schemas.CurrentOutage(); outage != nil {
		r.Failure, r.Since = outage.Err.Error(), outage.Since
	}
	return r
}

// credentials returns those of Kafka, then those of the streams by name, then those of the Schema Registry.
func (c *Connector) credentials() []status.Credentials {
	all := []status.Credentials{}
	add := func(use string, s status.CredentialState) {
		all = append(all, status.Credentials{For: use, CredentialState: s})
	}
	if s, ok := c.broker.Credentials(); ok {
		add("Kafka", status.CredentialState(s))
	}
	for _, name := range slices.Sorted(maps.Keys(c.pipelines)) {
		add("stream "+name, status.CredentialState(c.clients.ForStream(name).Credentials()))
	}
	if c.schemas != nil {
		if s, ok := c.schemas.Credentials(); ok {
			add("Schema Registry", status.CredentialState(s))
		}
	}
	return all
}

// streamStatus is how the pipeline's stream is doing now.
func (l *pipeline) streamStatus(name string, now time.Time, pauseAfter time.Duration) status.Stream {
	st, f := l.stream.State(), l.streamFault(name, now, pauseAfter)
	s := status.Stream{
		Name: name, State: l.stateOf(st, f), Since: f.since, Format: l.format, Destination: l.destinationStatus(now),
		RateBytes: finiteOrZero(st.BytesPerSecond), RateRecords: finiteOrZero(st.RecordsPerSecond), QuotaBytes: st.PartBytes, QuotaRecords: st.PartRecords,
		PartitionShare: math.Float64frombits(l.partitions.Load()),
		InFlight:       st.InFlight, Waiting: st.Waiting, LastAccepted: st.LastAccepted, Lag: l.lag.Load(),
		Requests: st.Totals.Offered.Requests, AcceptedRecords: st.Totals.Accepted.Records, AcceptedBytes: st.Totals.Accepted.Bytes, Stuck: st.Stuck, Encrypted: st.Encrypted,
	}
	if f.err != nil {
		s.Reason = f.err.Error()
	}
	if s.AcceptedBytes > 0 {
		s.BilledRatio = float64(st.Totals.Billed) / float64(s.AcceptedBytes)
	}
	l.historyLock.Lock()
	defer l.historyLock.Unlock()
	s.PeakSecond, s.History, s.RefusedShare = l.history.PeakSecond(), l.history.ListPoints(), l.history.RefusedShare()
	s.PeakBytes = l.history.PeakBytes()
	return s
}

func (l *pipeline) stateOf(s firehose.State, f fault) string {
	_, held := l.heldSince()
	switch {
	case s.Blocked, l.check.unusable.Load():
		return "blocked"
	case l.check.held.Load():
		return "unchecked"
	case held:
		return "held"
	case f.harmless && f.err != nil:
		return "throttled"
	case f.err != nil, s.BreakerOpen:
		return "failing"
	case s.StalledSince.IsZero():
		return "idle"
	}
	return "ok"
}

// finiteOrZero is 0 for no limit, which JSON can't say.
func finiteOrZero(v float64) float64 {
	if math.IsInf(v, 0) {
		return 0
	}
	return v
}

// keepHistory adds the traffic of each stream to its history, every second until ctx ends.
func (c *Connector) keepHistory(ctx context.Context) {
	repeatEvery(ctx, time.Second, func() {
		for _, l := range c.pipelines {
			l.keepSecond()
		}
	})
}

func (l *pipeline) keepSecond() {
	t := l.stream.State().Totals
	l.historyLock.Lock()
	defer l.historyLock.Unlock()
	l.history.AddTotals(status.Totals{
		OfferedBytes: t.Offered.Bytes, OfferedRecords: t.Offered.Records, Requests: t.Offered.Requests,
		AcceptedBytes: t.Accepted.Bytes, AcceptedRecords: t.Accepted.Records, RefusedRecords: t.Refused,
	})
	peak := l.history.PeakSecond()
	l.stream.SetPeak(firehose.Peak{
		OfferedBytes: peak.OfferedBytes, OfferedRecords: peak.OfferedRecords, Requests: peak.Requests,
		AcceptedBytes: peak.AcceptedBytes, AcceptedRecords: peak.AcceptedRecords,
	})
}
