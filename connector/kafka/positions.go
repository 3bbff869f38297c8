package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/offset"
)

// Every owned partition needs a position: the offset that the client reads next. After an
// assignment the client has the group's offsets, and partitions whose offset is
// trusted are read at once. The others wait here, each alone, for the question that is open:
// where the partition starts, whether the topic is still the same, where the log went. The
// client names an error of a partition once and expects the application to act, so
// nothing else would ever read those partitions again.
//
// A decision becomes a seek, which the polling goroutine passes to the client between two
// polls: no rebalance can begin there, so the partition is still owned.

const (
	// placeEvery is how often a partition without a position is tried again.
	placeEvery = 2 * time.Second
	// passGap is the least time between two looks: a commit that is refused asks for another one.
	passGap = 250 * time.Millisecond
	// idleEvery is how often the goroutine looks without a reason.
	idleEvery = 15 * time.Second
	// beyondAfter is for how long a log must end before a position until the position counts
	// as lost. The high watermark of a new leader is behind for a moment.
	beyondAfter = 10 * time.Second
	// assignedFor is how long the client may take to fetch the group's offsets after an
	// assignment before that is told.
	assignedFor = 10 * time.Second
	// lookBack is how far before the last record reading begins again when a log was cut at
	// an unknown offset.
	lookBack = time.Minute
	// farFuture is how far a record's timestamp may be ahead of the clock before it says
	// nothing about when the record was written.
	farFuture = time.Hour
)

// kick has the positions looked at now. It never blocks.
func (s *Source) kick() {
	select {
	case s.kicked <- struct{}{}:
	default:
	}
}

// watchPositions finds positions until ctx ends.
func (s *Source) watchPositions(ctx context.Context) {
	wait, failed := idleEvery, 0
	for {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.kicked:
		case <-t.C:
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
		open, err := s.findPositions(ctx)
		if failed++; err == nil {
			failed = 0
		}
		if wait = idleEvery; open {
			wait = min(placeEvery<<min(failed, 3), idleEvery)
		}
		pause(ctx, passGap)
	}
}

// findPositions looks at everything that is open once. open is true if something still is; the error is that of
// a whole request.
func (s *Source) findPositions(ctx context.Context) (open bool, err error) {
	for _, step := range []func(context.Context) error{s.learnTopics, s.investigate, s.place, s.locate} {
		if err = step(ctx); err != nil {
			break // the others would meet the same
		}
	}
	if err != nil && ctx.Err() == nil && !s.access.knows([]any{err}) {
		s.log.Warn("some partitions have no position yet, trying again", "error", err)
	}
	owned := s.owns()
	s.faults.tidy(owned)
	s.commits.tidy(owned)
	return s.unsettled(), err
}

// owns is the set of owned partitions.
func (s *Source) owns() map[id]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	owned := make(map[id]bool, len(s.partitions))
	for k := range s.partitions {
		owned[k] = true
	}
	return owned
}

// unsettled reports whether a question is open.
func (s *Source) unsettled() bool {
	knows := s.knowsTopics()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.suspects) > 0 || s.joined && !knows {
		return true
	}
	for _, p := range s.partitions {
		if !p.reading && p.seekTo < 0 || p.outOfRange {
			return true
		}
	}
	return false
}

// found has the polling goroutine read a partition on from an offset. It needs s.mu.
func (s *Source) found(p *partition, at offset.Mark) {
	p.seekTo, p.seekEpoch = at.Offset, at.Epoch
	p.expected = at.Offset
	if s.seeking = true; s.stopPoll != nil {
		s.stopPoll()
	}
}

// seeks takes the offsets that the client is to read on from. again has others for partitions
// where it may stand there already: it ignores a seek to its own position. resume are the
// partitions that were held for want of a position.
func (s *Source) seeks() (to, again map[string]map[int32]kgo.EpochOffset, resume map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.seeking {
		return nil, nil, nil
	}
	s.seeking, resume = false, map[string][]int32{}
	put := func(into *map[string]map[int32]kgo.EpochOffset, k id, at kgo.EpochOffset) {
		if *into == nil {
			*into = map[string]map[int32]kgo.EpochOffset{}
		}
		if (*into)[k.topic] == nil {
			(*into)[k.topic] = map[int32]kgo.EpochOffset{}
		}
		(*into)[k.topic][k.partition] = at
	}
	for k, p := range s.partitions {
		if p.seekTo < 0 {
			continue
		}
		if p.reading {
			put(&again, k, kgo.EpochOffset{Epoch: -1, Offset: p.seekTo + 1})
		}
		put(&to, k, kgo.EpochOffset{Epoch: p.seekEpoch, Offset: p.seekTo})
		if !p.reading && !p.paused && !p.waiting && !p.resting {
			resume[k.topic] = append(resume[k.topic], k.partition)
		}
		p.reading, p.seekTo = true, -1
		s.faults.end(k)
	}
	return to, again, resume
}

// seek passes the seeks to the client. It belongs to the polling goroutine, before rebalances
// are allowed. Nothing is polled between the two calls, so the offset of the first is never read.
func (s *Source) seek() {
	to, again, resume := s.seeks()
	s.client.SetOffsets(again)
	s.client.SetOffsets(to)
	s.client.ResumeFetchPartitions(resume)
}

// start implements kgo.AdjustFetchOffsetsFn: it is called after an assignment with the
// offsets that the group has committed, before the new partitions are fetched. Partitions
// that have one and can be trusted are read from there.
//
// The others, among them those whose offset the coordinator refused to tell, wait for
// findPositions. The client forgets a partition that gets no offset here, and no later
// seek reaches it. So they get one, and are paused until the right one is known.
func (s *Source) start(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	view, err := s.describe(ctx, s.topicsToPlace())
	if err != nil && ctx.Err() == nil {
		s.log.Warn("the topics of an assignment can't be described, trying again", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	starts := map[string]map[int32]kgo.Offset{}
	for k, p := range s.partitions {
		at, found := fetched[k.topic][k.partition]
		switch {
		case !found && (p.reading || p.left):
			continue // of an assignment before
		case p.reading:
			at = kgo.NewOffset().At(p.expected)
		case !found || !s.placeAtOnce(k, p, view, at):
			s.hold(k, p)
			at = kgo.NewOffset().At(max(p.expected, 0))
		}
		if starts[k.topic] == nil {
			starts[k.topic] = map[int32]kgo.Offset{}
		}
		starts[k.topic][k.partition] = at
	}
	clear(s.metadata)
	s.kick()
	return starts, nil
}

// topicsToPlace are the topics of partitions that the client does not read yet.
func (s *Source) topicsToPlace() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	topics := map[string]bool{}
	for k, p := range s.partitions {
		if !p.reading {
			topics[k.topic] = true
		}
	}
	return slices.AppendSeq([]string{}, maps.Keys(topics))
}

// hold keeps a partition without a position from being fetched. It needs s.mu.
func (s *Source) hold(k id, p *partition) {
	p.left = true
	s.client.PauseFetchPartitions(map[string][]int32{k.topic: {k.partition}})
}

// placeAtOnce places a partition that has an offset of the group and needs no further question. It needs s.mu.
func (s *Source) placeAtOnce(k id, p *partition, view topicView, at kgo.Offset) bool {
	t, described := view.topics[k.topic]
	metadata, fetched := s.metadata[k]
	own := committed{offset: at.EpochOffset().Offset, epoch: at.EpochOffset().Epoch}
	own.marker, own.marked = parseMarker(metadata)
	if !described || t.err != nil || !fetched || own.offset < 0 {
		return false
	}
	q := s.question(k, p, view, own, sighting{})
	decided := q.decide()
	if decided.from != fromCommit {
		return false
	}
	p.identify(q.now, decided.marker)
	p.begin, p.expected, p.committed = own.offset, own.offset, own.offset
	p.reading = true
	return true
}

// offsetsFetched implements kgo.OnOffsetsFetched: it keeps the metadata of the offsets, which
// start is called without.
func (s *Source) offsetsFetched(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.metadata)
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				metadata := ""
				if p.Metadata != nil {
					metadata = *p.Metadata
				}
				s.metadata[id{t.Topic, p.Partition}] = metadata
			}
		}
	}
	return nil
}

// question is the question where a partition starts. It needs s.mu.
func (s *Source) question(k id, p *partition, view topicView, own committed, seen sighting) startQuestion {
	t := view.topics[k.topic]
	return startQuestion{
		reset:     s.cfg.AutoOffsetReset,
		now:       marker{cluster: view.cluster, topic: t.id, subscription: s.cfg.subscription()},
		partition: k.partition, partitions: len(t.leaders),
		joined: s.joinedAt.UnixMilli() + 1, appeared: s.appeared(k.topic, t.id),
		late: p.late, own: own, sighting: seen,
	}
}

// identify notes which topic a partition belongs to and what its commits carry.
func (p *partition) identify(now, m marker) {
	p.topicID = now.topic
	p.marker = m.String()
}

// waiting are the partitions that have no position.
func (s *Source) waiting() map[id]*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := map[id]*partition{}
	for k, p := range s.partitions {
		switch {
		case p.reading || p.seekTo >= 0:
		case p.left:
			open[k] = p
		case time.Since(p.assignedAt) >= assignedFor:
			s.unplaced(k, errors.New("the group's coordinator has not answered for its offset"))
		}
	}
	return open
}

// place finds where the partitions without a position start. A partition that can't be placed
// waits alone.
func (s *Source) place(ctx context.Context) error {
	open := s.waiting()
	if len(open) == 0 {
		return nil
	}
	topics := topicsOf(open)
	view, err := s.describe(ctx, topics)
	if err != nil {
		return err
	}
	if !s.knowsTopics() {
		return nil
	}
	offsets, err := s.groupOffsets(ctx, view, topics)
	if err != nil {
		return err
	}
	asks, err := s.decideStarts(ctx, open, view, offsets)
	if err != nil {
		return err
	}
	s.startAt(open, s.answers(ctx, view, asks))
	return s.confirmStarts(ctx, open)
}

func topicsOf(open map[id]*partition) []string {
	topics := map[string]bool{}
	for k := range open {
		topics[k.topic] = true
	}
	return slices.Sorted(maps.Keys(topics))
}

// startAsk is a start that needs the offset of a place or a time.
type startAsk struct {
	start
	at int64 // as ListOffsets takes it
}

// decideStarts decides for each partition. The rest of the answer are partitions that need an offset.
func (s *Source) decideStarts(ctx context.Context, open map[id]*partition, view topicView, offsets map[id]committed) (map[id]startAsk, error) {
	sightings, err := s.sightings(ctx, open, view, offsets)
	if err != nil {
		return nil, err
	}
	asks := map[id]startAsk{}
	nowhere, missing := id{}, false
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range open {
		if s.partitions[k] != p {
			continue
		}
		t := view.topics[k.topic]
		own, asked := offsets[k]
		switch {
		case t.err != nil:
			s.unplaced(k, t.err)
			continue
		case asked && own.err != nil:
			s.unplaced(k, own.err)
			continue
		case !asked: // metadata does not have the partition yet
			s.unplaced(k, kerr.UnknownTopicOrPartition)
			continue
		case !p.starting.IsZero():
			continue // its start is to be committed
		}
		q := s.question(k, p, view, own, sightings[k.topic])
		decided := q.decide()
		if decided.recreated && p.foreign.IsZero() {
			p.foreign = time.Now()
		}
		if decided.recreated && time.Since(p.foreign) < confirmAfter {
			continue // the broker that was asked may be behind
		}
		switch decided.from {
		case fromCommit:
			p.identify(q.now, decided.marker)
			p.begin, p.committed = own.offset, own.offset
			s.found(p, offset.Mark{Offset: own.offset, Epoch: own.epoch})
		case fromNowhere:
			nowhere, missing = k, true
		case fromBeginning:
			asks[k] = startAsk{decided, logStart}
		case fromEnd:
			asks[k] = startAsk{decided, logEnd}
		case fromTime:
			asks[k] = startAsk{decided, decided.since}
		}
		if decided.recreated {
			s.log.Warn("the group's offset belongs to a topic of the same name that was deleted; it is ignored", "topic", k.topic, "partition", k.partition, "offset", own.offset)
		}
	}
	if missing {
		s.failWith(fmt.Errorf("topic %s partition %d has no committed offset in group %s, and KAFKA_AUTO_OFFSET_RESET is none: commit one, or say where to start with earliest, latest or a time", nowhere.topic, nowhere.partition, s.cfg.GroupID))
	}
	return asks, nil
}

// sightings reads the offsets of the topics' partitions, and only if a topic has none those of the whole group.
func (s *Source) sightings(ctx context.Context, open map[id]*partition, view topicView, offsets map[id]committed) (map[string]sighting, error) {
	if mode := s.cfg.AutoOffsetReset.Mode; mode == "earliest" || mode == "time" {
		return nil, nil
	}
	ofTopic := map[string][]committed{}
	for k, c := range offsets {
		ofTopic[k.topic] = append(ofTopic[k.topic], c)
	}
	var others []committed
	var failed error
	asked := false
	other := func() ([]committed, error) {
		if !asked {
			asked = true
			others, failed = s.allGroupOffsets(ctx)
		}
		return others, failed
	}
	sightings := map[string]sighting{}
	for _, topic := range topicsOf(open) {
		now := marker{cluster: view.cluster, topic: view.topics[topic].id, subscription: s.cfg.subscription()}
		seen, err := sight(now, ofTopic[topic], other)
		if err != nil {
			return nil, err
		}
		sightings[topic] = seen
	}
	return sightings, nil
}

// answers finds the offsets of starts. A time after the last record is the end of the log, and so is
// one whose first record has a timestamp that can't be: nothing was written at that time.
func (s *Source) answers(ctx context.Context, view topicView, asks map[id]startAsk) map[id]answeredStart {
	at := make(map[id]int64, len(asks))
	for k, a := range asks {
		at[k] = a.at
	}
	listed := s.findOffsets(ctx, view, at, s.isolation())
	ends := map[id]int64{}
	for k, l := range listed {
		since := asks[k].from == fromTime
		if since && l.err == nil && (l.offset < 0 || s.cfg.AutoOffsetReset.Mode != "time" && l.at > time.Now().Add(farFuture).UnixMilli()) {
			ends[k] = logEnd
		}
	}
	for k, l := range s.findOffsets(ctx, view, ends, s.isolation()) {
		listed[k] = l
	}
	answered := make(map[id]answeredStart, len(asks))
	for k, a := range asks {
		answered[k] = answeredStart{a.start, view.topics[k.topic].id, listed[k].mark(), listed[k].err}
	}
	return answered
}

type answeredStart struct {
	start
	topic [16]byte
	at    offset.Mark
	err   error
}

func (l listed) mark() offset.Mark { return offset.Mark{Offset: l.offset, Epoch: -1} }

// startAt makes the starts the first marks of their leases. From then on they don't change: the end of
// the log would be another one at the next attempt. With earliest the next attempt has the same answer, so
// nothing has to be committed first.
func (s *Source) startAt(open map[id]*partition, answered map[id]answeredStart) {
	earliest := s.cfg.AutoOffsetReset.Mode == "earliest"
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, a := range answered {
		p := open[k]
		if s.partitions[k] != p {
			continue
		}
		if a.err != nil {
			p.late = true
			s.unplaced(k, a.err)
			continue
		}
		p.identify(marker{topic: a.topic}, a.marker)
		p.begin, p.expected = a.at.Offset, a.at.Offset
		p.starting = time.Now()
		if earliest && !a.recreated {
			s.found(p, a.at)
			continue
		}
		p.lease.Start(a.at)
	}
}

// confirmStarts commits the starts and has those partitions read whose start Kafka has acknowledged.
func (s *Source) confirmStarts(ctx context.Context, open map[id]*partition) error {
	if !s.anyStarting(open) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, finalCommit)
	defer cancel()
	err := s.Commit(ctx)
	refusals := refusedPartitions(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range open {
		if s.partitions[k] != p || p.starting.IsZero() || p.seekTo >= 0 {
			continue
		}
		if _, pending := p.lease.Mark(); !pending {
			s.found(p, offset.Mark{Offset: p.begin, Epoch: -1})
			continue
		}
		if refused := refusals[k]; refused != nil {
			s.unplaced(k, fmt.Errorf("commit where it starts: %w", refused))
			err = nil // it is told there
		}
	}
	if moving(err) {
		return nil
	}
	return err
}

func (s *Source) anyStarting(open map[id]*partition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range open {
		if s.partitions[k] == p && !p.starting.IsZero() && p.seekTo < 0 {
			return true
		}
	}
	return false
}

// unplaced notes that a partition has no position.
func (s *Source) unplaced(k id, err error) {
	message := "the offset that the partition is read from is unknown, trying again"
	if d, ok := s.cfg.diagnose(err); ok {
		message += ": " + d.hint
	}
	s.faults.begin(k, fault{reason: "position", message: message, err: err, offset: -1})
}

// groupOffsets fetches the group's offsets of all partitions of topics.
func (s *Source) groupOffsets(ctx context.Context, view topicView, topics []string) (map[id]committed, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = s.cfg.GroupID
	names := map[[16]byte]string{}
	for _, topic := range topics {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.TopicID = topic, view.topics[topic].id
		names[t.TopicID] = topic
		for n := range view.topics[topic].leaders {
			t.Partitions = append(t.Partitions, int32(n))
		}
		if len(t.Partitions) > 0 {
			g.Topics = append(g.Topics, t)
		}
	}
	if len(g.Topics) == 0 {
		return nil, nil
	}
	req.Groups = append(req.Groups, g)
	ctx, cancel := context.WithTimeout(ctx, positionTimeout)
	defer cancel()
	client, err := s.standing.open()
	if err != nil {
		return nil, err
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("fetch the offsets of group %s: %w", s.cfg.GroupID, err)
	}
	offsets := map[id]committed{}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("fetch the offsets of group %s: %w", s.cfg.GroupID, err)
		}
		for _, t := range g.Topics {
			topic := t.Topic
			if topic == "" {
				topic = names[t.TopicID]
			}
			for _, p := range t.Partitions {
				offsets[id{topic, p.Partition}] = committedOf(p)
			}
		}
	}
	return offsets, nil
}

func committedOf(p kmsg.OffsetFetchResponseGroupTopicPartition) committed {
	c := committed{offset: p.Offset, epoch: p.LeaderEpoch, err: kerr.ErrorForCode(p.ErrorCode)}
	if p.Metadata != nil {
		c.marker, c.marked = parseMarker(*p.Metadata)
	}
	return c
}

// allGroupOffsets are those of all topics that the group has offsets of.
func (s *Source) allGroupOffsets(ctx context.Context) (all []committed, err error) {
	ctx, cancel := context.WithTimeout(ctx, positionTimeout)
	defer cancel()
	client, err := s.standing.open()
	if err != nil {
		return nil, err
	}
	offsets, err := kadm.NewClient(client).FetchOffsets(ctx, s.cfg.GroupID)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("fetch the offsets of group %s: %w", s.cfg.GroupID, err)
	}
	for _, partitions := range offsets {
		for _, o := range partitions {
			c := committed{offset: o.At, epoch: o.LeaderEpoch, err: o.Err}
			c.marker, c.marked = parseMarker(o.Metadata)
			all = append(all, c)
		}
	}
	return all, nil
}

// learnTopics notes once which topics there were when this process first was in the group. With latest, all
// other topics have appeared since.
func (s *Source) learnTopics(ctx context.Context) error {
	if s.knowsTopics() || !s.Joined() {
		return nil
	}
	var names []string // all
	if s.cfg.TopicPattern == "" {
		names = s.cfg.Topics
	}
	view, err := s.describe(ctx, names)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present = map[string][16]byte{}
	for name, t := range view.topics {
		if !errors.Is(t.err, kerr.UnknownTopicOrPartition) {
			s.present[name] = t.id
		}
	}
	return nil
}

// knowsTopics reports whether the topics are noted, or don't matter for where partitions start.
func (s *Source) knowsTopics() bool {
	mode := s.cfg.AutoOffsetReset.Mode
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.present != nil || mode == "earliest" || mode == "time"
}

// appeared reports whether a topic was not there when this process first was in the group. It needs s.mu.
func (s *Source) appeared(topic string, now [16]byte) bool {
	if s.present == nil {
		return false
	}
	then, there := s.present[topic]
	return !there || then != now && then != [16]byte{}
}

// doubt has the position of a partition compared with its log. A fetch out of range proves nothing: a
// leader that was just elected may be behind.
func (s *Source) doubt(k id) {
	s.mu.Lock()
	p := s.partitions[k]
	if p != nil && p.reading {
		p.outOfRange = true
	}
	s.mu.Unlock()
	s.kick()
}

// locate compares positions that were out of range with their logs.
func (s *Source) locate(ctx context.Context) error {
	asks, times := map[id]int64{}, map[id]int64{}
	doubtful := map[id]*partition{}
	s.mu.Lock()
	for k, p := range s.partitions {
		if p.outOfRange && p.seekTo < 0 {
			doubtful[k] = p
			asks[k] = logStart
			times[k] = logStart
			if !p.lastTime.IsZero() {
				times[k] = max(p.lastTime.Add(-lookBack).UnixMilli(), 0)
			}
		}
	}
	s.mu.Unlock()
	if len(doubtful) == 0 {
		return nil
	}
	view, err := s.describe(ctx, topicsOf(doubtful))
	if err != nil {
		return err
	}
	starts := s.findOffsets(ctx, view, asks, readUncommitted)
	for k := range asks {
		asks[k] = logEnd
	}
	ends := s.findOffsets(ctx, view, asks, readUncommitted)
	again := s.findOffsets(ctx, view, times, readUncommitted)
	for k, p := range doubtful {
		start, end, before := starts[k], ends[k], again[k]
		if err := errors.Join(start.err, end.err, before.err); err != nil {
			s.faults.begin(k, fault{reason: "out_of_range", message: "the next offset is not in the log, and the leader can't be asked why", err: err, offset: -1})
			continue
		}
		if before.offset < 0 {
			before.offset = end.offset
		}
		s.relocate(k, p, start.offset, end.offset, before.offset)
	}
	return nil
}

// relocate moves a position that is not in its log. before is where reading begins again if the log was cut.
func (s *Source) relocate(k id, p *partition, start, end, before int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partitions[k] != p || p.seekTo >= 0 {
		return
	}
	at := p.expected
	switch {
	case at < start:
		p.outOfRange, p.beyond = false, time.Time{}
		if s.cfg.AutoOffsetReset.Mode == "none" {
			s.failWith(fmt.Errorf("topic %s partition %d: offset %d is not in the log any more, which begins at %d, and KAFKA_AUTO_OFFSET_RESET is none: commit an offset that is there, or choose another value", k.topic, k.partition, at, start))
			return
		}
		s.skipExpired(k, p, at, start)
	case at <= end:
		p.outOfRange, p.beyond = false, time.Time{} // it was the leader's moment
	case p.beyond.IsZero():
		p.beyond = time.Now()
	case time.Since(p.beyond) >= beyondAfter:
		p.outOfRange, p.beyond = false, time.Time{}
		if s.cfg.AutoOffsetReset.Mode == "none" {
			s.failWith(fmt.Errorf("topic %s partition %d: offset %d is beyond the end of the log, %d, and KAFKA_AUTO_OFFSET_RESET is none: commit an offset that is there, or choose another value", k.topic, k.partition, at, end))
			return
		}
		to := s.restart(k, p, max(min(before, end), start))
		s.log.Error("the log ends before the group's position: it was cut, or the group's offsets are from elsewhere; reading again from an earlier offset, and records accepted since then come twice",
			"topic", k.topic, "partition", k.partition, "offset", at, "log_end", end, "again_from", to)
	}
}

// skipExpired goes on at the start of a log that retention has moved beyond the position, and has the group's
// offset follow although no record may ever come. It needs s.mu.
func (s *Source) skipExpired(k id, p *partition, at, start int64) {
	if at >= 0 {
		s.metrics.Expired.WithLabelValues(k.topic).Add(float64(start - at))
		s.log.Error("records were removed from Kafka before they were read: retention has passed the group's position; reading on at the start of the log",
			"topic", k.topic, "partition", k.partition, "expected", at, "log_start", start, "offsets", start-at)
	}
	p.lease.Skip(offset.Mark{Offset: start, Epoch: -1}, 0)
	if p.begin < 0 {
		p.begin = start
	}
	s.found(p, offset.Mark{Offset: start, Epoch: -1})
}

// restart begins a partition again whose log was cut: the offsets above hold other records now, so
// the marks of its lease no longer mean anything. Records of the old lease that were not accepted are
// dropped, so reading begins at the group's offset at the latest. The new position is committed at
// once. It returns where that is. It needs s.mu.
func (s *Source) restart(k id, p *partition, to int64) int64 {
	if from := max(p.committed, p.begin); from >= 0 {
		to = min(to, from)
	}
	p.lease.Close()
	p.lease = offset.NewLease(k.topic, k.partition)
	p.lease.Start(offset.Mark{Offset: to, Epoch: -1})
	p.begin, p.committed = to, min(p.committed, to)
	p.samples = nil
	s.found(p, offset.Mark{Offset: to, Epoch: -1})
	return to
}

// isolation is how ListOffsets finds the end of a log for this reader: with read_committed it is before the
// first open transaction.
func (s *Source) isolation() int8 {
	if s.cfg.IsolationLevel == "read_committed" {
		return readCommitted
	}
	return readUncommitted
}
