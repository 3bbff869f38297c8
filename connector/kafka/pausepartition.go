package kafka

import "time"

// A broker answers a fetch with a partition that has an error at once, whatever the other partitions
// have, and the client asks for metadata each time. So such a partition is left alone for a moment. A partition of a
// topic that the broker does not know is not: the broker could not take it out of the fetch session, and would answer
// with it at once although the client does not ask for it.
const (
	restFor      = 5 * time.Second  // after an error that lasts until its cause is removed
	restLongFor  = 15 * time.Second // after a batch that can't be decoded: it is fetched as a whole each time
	restBriefFor = time.Second      // after an error that passes by itself while metadata spreads
)

// pausePartition keeps a partition from being fetched for a time.
func (s *Source) pausePartition(k partitionID, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partitions[k]
	if p == nil || p.resting {
		return
	}
	p.resting = true
	s.pauseFetching(k)
	time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.partitions[k] != p {
			return // it has gone, which has resumed it
		}
		p.resting = false
		s.resumeFetching(k, p)
	})
}
