package kafka

import "time"

// deniedFor is how long a partition that must not be read is left alone. A broker answers
// a fetch with such a partition in it at once, whatever the others have, and the
// client asks for metadata each time.
const deniedFor = 5 * time.Second

func (s *Source) leaveDenied(k id) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partitions[k]
	if p == nil || p.denied {
		return
	}
	p.denied = true
	s.client.PauseFetchPartitions(map[string][]int32{k.topic: {k.partition}})
	time.AfterFunc(deniedFor, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.partitions[k] != p {
			return // it has gone, which has resumed it
		}
		p.denied = false
		s.resumeFetching(k, p)
	})
}
