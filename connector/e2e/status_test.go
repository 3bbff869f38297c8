package e2e_test

import (
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// TestStatus: what people look at without Prometheus says what goes through, and what keeps it back.
func TestStatus(t *testing.T) {
	bubble(t, func(w *world) {
		m := w.start()
		w.load(0, 40, time.Second)
		time.Sleep(2 * time.Minute)
		s := m.connector.Status()
		if !s.Ready || !s.Live || s.Phase != "running" || !s.Group.Joined || s.Group.ID != w.group || len(s.Faults) > 0 {
			t.Errorf("%+v", s)
		}
		if len(s.Streams) != 1 || len(s.Partitions) != 4 || len(s.Events) == 0 {
			t.Fatalf("%d streams, %d partitions, %d events", len(s.Streams), len(s.Partitions), len(s.Events))
		}
		one := s.Streams[0]
		if one.Name != "s" || one.State != "ok" && one.State != "idle" || one.AcceptedRecords < 40*100 || one.PartitionShare != 1 || s.At.Sub(one.LastAccepted) > 5*time.Second ||
			one.PeakSecond.AcceptedRecords < 40 || one.PeakSecond.AcceptedRecords > 200 || len(one.History) < 20 || one.RefusedShare > 0.05 || one.BilledRatio < 100 {
			t.Errorf("%+v", one)
		}
		if p := s.Partitions[1]; p.Topic != w.in || p.Partition != 1 || p.State != "reading" || p.Committed < 1000 || p.Lag > 100 || p.OldestAge > 5 {
			t.Errorf("%+v", p)
		}
		if got := m.metric("peak_second_records", "accepted"); got != one.PeakSecond.AcceptedRecords {
			t.Errorf("the metric of the highest second is %v, the status says %v", got, one.PeakSecond.AcceptedRecords)
		}
		w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Code: "AccessDeniedException"}})
		time.Sleep(3 * time.Minute)
		s = m.connector.Status()
		if one := s.Streams[0]; s.Ready || one.State != "blocked" || len(s.Faults) != 1 || s.Faults[0].What != "stream s" || s.Faults[0].Failures == 0 ||
			s.At.Sub(s.Faults[0].Since) < 2*time.Minute || s.Partitions[1].Lag < 500 {
			t.Errorf("%+v\n%+v", s.Faults, one)
		}
		for _, p := range s.Partitions {
			if p.OldestAge < 170 || p.OldestAge > 181 {
				t.Errorf("after three minutes the oldest record of %s/%d is in memory for %v s", p.Topic, p.Partition, p.OldestAge)
			}
		}
		if share := s.Streams[0].RefusedShare; share != 0 {
			t.Errorf("no record was refused by itself, the share of those that were is %v", share)
		}
		w.stream.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseRecords, Share: 0.2}})
		time.Sleep(time.Minute)
		if share := m.connector.Status().Streams[0].RefusedShare; share < 0.08 || share > 0.2 {
			t.Errorf("in one of six minutes, with more than half of the records, a fifth is refused each time; the status says %v", share)
		}
		w.stream.ClearFaults()
		time.Sleep(time.Minute)
		if s := m.connector.Status(); !s.Ready || len(s.Faults) > 0 {
			t.Errorf("after the fault: %+v", s.Faults)
		}
	})
}
