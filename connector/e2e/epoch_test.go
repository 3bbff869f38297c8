package e2e_test

import "testing"

// TestCommitsHaveTheLeaderEpoch: a commit carries the leader epoch of the record before it, by which the
// next member notices that the log was truncated.
func TestCommitsHaveTheLeaderEpoch(t *testing.T) { bubble(t, commitsHaveTheLeaderEpoch) }

func commitsHaveTheLeaderEpoch(w *world) {
	for range 3 { // a broker that is made leader again has a new epoch
		for p := range int32(4) {
			if err := w.cluster.MoveTopicPartition(w.in, p, w.cluster.LeaderFor(w.in, p)); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	epoch := w.cluster.PartitionInfo(w.in, 0).Epoch
	if epoch == 0 {
		w.t.Fatal("the embedded broker has kept the epoch 0, which proves nothing")
	}
	w.produce(0, 40)
	m := w.start()
	w.untilCommitted(40)
	m.mustStop()
	offsets, err := w.admin.FetchOffsets(w.t.Context(), w.group)
	if err != nil {
		w.t.Fatal(err)
	}
	for p := range int32(4) {
		if o, _ := offsets.Lookup(w.in, p); o.LeaderEpoch != epoch {
			w.t.Errorf("partition %d is committed to %d with the leader epoch %d, want %d", p, o.At, o.LeaderEpoch, epoch)
		}
	}
}
