package recovery

import (
	"fmt"
	"hash/fnv"
)

// maxShards bounds the number of processes that share a replay.
const maxShards = 1000

// Shard is the part of the partitions that one of several processes replays. The zero Shard is all of them.
type Shard struct {
	Index int // from 0 on
	Count int // 0 and 1 are for a single process
}

// ParseShard reads INDEX/COUNT. The index counts from 0, as the completion index of a Kubernetes Job does.
func ParseShard(text string) (s Shard, err error) {
	var rest string
	if n, _ := fmt.Sscanf(text, "%d/%d%s", &s.Index, &s.Count, &rest); n != 2 || s.Count < 1 || s.Count > maxShards || s.Index < 0 || s.Index >= s.Count {
		return Shard{}, fmt.Errorf("-shard is %q; want INDEX/COUNT such as 0/4, with an index from 0 to COUNT-1 and a count up to %d", text, maxShards)
	}
	return s, nil
}

// HoldsPartition reports whether the partition is in the shard. That depends on no other partition, so that the shards stay
// disjoint and complete while partitions and topics are added.
func (s Shard) HoldsPartition(topic string, partition int32) bool {
	if s.Count <= 1 {
		return true
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(topic))
	return (uint64(h.Sum32())+uint64(partition))%uint64(s.Count) == uint64(s.Index)
}

// String returns the shard as ParseShard reads it.
func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, max(s.Count, 1)) }
