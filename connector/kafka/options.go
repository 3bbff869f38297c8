package kafka

import (
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka/fetch"
)

// A fetch asks for at most the bytes that fetches aim at, divided by the
// brokers, because the client holds one for each, and by what the records have
// been seen to grow when they are decompressed. The first fetches are small, as
// nothing has been seen yet: firstFetch allows for six brokers and records that grow
// by twenty, or the like. More than 4 MiB gains nothing: 200-byte zstd records grow a
// 50 MB fetch to 1.4 GB.
const (
	maxFetch     = 4 << 20
	minFetch     = 64 << 10
	fetchFirst   = 256 << 10 // at most
	fetchGuess   = 128       // brokers times growth
	maxFetchPart = 1 << 20
)

// firstFetch is how much to ask for before anything has been seen.
func firstFetch(bytes fetch.Bytes) int32 {
	return int32(min(max((bytes.Aim+bytes.Pooled())/fetchGuess, minFetch), fetchFirst))
}

// findTopics is the age of metadata after which it is asked for again, which is
// also how long a new topic or partition waits to be found.
const findTopics = 15 * time.Second

func (s *Source) clientOptions(bytes fetch.Bytes, p fetch.Pool) []kgo.Opt {
	o := append(s.connection.ClientOptions(),
		kgo.ConsumerGroup(s.cfg.GroupID),
		kgo.SessionTimeout(s.cfg.SessionTimeout),
		kgo.RebalanceTimeout(s.cfg.RebalanceTimeout),
		kgo.HeartbeatInterval(min(3*time.Second, s.cfg.SessionTimeout/3)),
		kgo.MetadataMaxAge(findTopics),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.KeepControlRecords(),
		kgo.KeepRetryableFetchErrors(),
		kgo.OnPartitionsAssigned(s.onAssigned),
		kgo.OnPartitionsRevoked(s.onRevoked),
		kgo.OnPartitionsLost(s.onLost),
		kgo.OnOffsetsFetched(s.offsetsFetched),
		kgo.AdjustFetchOffsetsFn(s.resolveStarts),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), // only earliest gets that far, see resolveStarts
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),       // an offset that is not in the log is looked into, see locateDoubted
		kgo.FetchMaxBytes(firstFetch(bytes)),
		kgo.FetchMaxPartitionBytes(firstFetch(bytes)),
		kgo.WithHooks(&s.wire, s.access, fencedMember{s}, s.silent),
		kgo.WithLogger(clientLog{s.log, s.access}),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
	)
	if s.cfg.GroupProtocol == "consumer" {
		o = append(o, kgo.ServerSideBalancer()) // the balancer above only has to be a sticky one for it
	}
	if s.cfg.GroupInstanceID != "" {
		o = append(o, kgo.InstanceID(s.cfg.GroupInstanceID))
	}
	if s.cfg.IsolationLevel == "read_committed" {
		o = append(o, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if s.cfg.ClientRack != "" {
		o = append(o, kgo.Rack(s.cfg.ClientRack))
	}
	return slices.Concat(o, s.budget.ClientOptions(s.connection.dial, p), s.topicOptions())
}

func (s *Source) topicOptions() []kgo.Opt {
	if s.cfg.TopicPattern == "" {
		return []kgo.Opt{kgo.ConsumeTopics(s.cfg.Topics...)}
	}
	excluded := []string{"^__.*"}
	if s.exclude != "" {
		excluded = append(excluded, "^"+regexp.QuoteMeta(s.exclude)+"$")
	}
	if s.cfg.TopicExclude != "" {
		excluded = append(excluded, wholeName(s.cfg.TopicExclude))
	}
	return []kgo.Opt{
		kgo.ConsumeRegex(),
		kgo.ConsumeTopics(wholeName(s.cfg.TopicPattern)),
		kgo.ConsumeExcludeTopics(excluded...),
	}
}

// ClassicBalancer is the way to share partitions that members of the classic protocol offer.
const ClassicBalancer = "cooperative-sticky"

// TopicMatcher does as topicOptions have the client do: the function that it returns reports whether the service reads a topic that it
// finds. exclude is the topic that it writes to, empty for none. It is for a validated Config with a TopicPattern.
func (c Config) TopicMatcher(exclude string) func(name string) bool {
	pattern, excluded := regexp.MustCompile(wholeName(c.TopicPattern)), regexp.MustCompile(wholeName(c.TopicExclude))
	return func(name string) bool {
		return pattern.MatchString(name) && !strings.HasPrefix(name, "__") && name != exclude &&
			(c.TopicExclude == "" || !excluded.MatchString(name))
	}
}

// Consumes reports whether the service reads a topic of that name, if there is one. It is for a validated Config; exclude is
// the topic that the service writes to, empty for none.
func (c Config) Consumes(topic, exclude string) bool {
	if c.TopicPattern == "" {
		return slices.Contains(c.Topics, topic)
	}
	return c.TopicMatcher(exclude)(topic)
}

// wholeName has an expression match whole names.
func wholeName(pattern string) string { return "^(?:" + pattern + ")$" }

// trafficHook counts what fetches weigh on the wire and decoded, so that the next
// ones can be sized.
type trafficHook struct {
	bytes           fetch.Bytes
	records         atomic.Int64
	packed, decoded atomic.Int64
	largest         atomic.Int64 // batch, decoded, since it was last asked for
	growth          float64      // decoded ÷ packed, the most of late; sizeFetches' alone
}

// OnFetchBatchRead implements kgo.HookFetchBatchRead.
func (t *trafficHook) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, m kgo.FetchBatchMetrics) {
	t.records.Add(int64(m.NumRecords))
	t.packed.Add(int64(m.CompressedBytes))
	decoded := int64(m.UncompressedBytes) + int64(m.NumRecords)*fetch.RecordBytes + fetch.BatchBytes
	t.decoded.Add(decoded)
	for largest := t.largest.Load(); decoded > largest && !t.largest.CompareAndSwap(largest, decoded); {
		largest = t.largest.Load()
	}
}

// sizeFetches follows the number of brokers and the growth of the last fetches.
func (s *Source) sizeFetches() {
	s.metrics.Decoded.Add(float64(s.wire.records.Swap(0)))
	packed, decoded := s.wire.packed.Swap(0), s.wire.decoded.Swap(0)
	if packed == 0 {
		return
	}
	// Topics compress differently and take turns: what grew most is forgotten slowly.
	s.wire.growth = max(float64(decoded)/float64(packed), s.wire.growth*0.95, 1)
	brokers := int64(max(len(s.client.DiscoveredBrokers()), 1))
	fetch := int64(float64(s.wire.bytes.Aim/brokers) / s.wire.growth)
	fetch = min(max(fetch, minFetch), maxFetch)
	s.client.UpdateFetchMaxBytes(int32(fetch), int32(min(fetch, maxFetchPart)))
}
