package e2e_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector/firehose/firehosetest"
)

// judge holds the books. It is told of every record that Kafka took, of every
// record that Firehose stored before the answer leaves, and of every commit
// before it leaves its member, and says when one is ahead of what it may be. What a
// broker has acknowledged must also be the owner's, and never go back.
type judge struct {
	mu      sync.Mutex
	places  map[string]place    // :: value -> where Kafka has it
	pending map[place]bool      // records that Firehose has not accepted
	copies  map[string]int      // :: value -> times accepted
	last    map[part]int64      // newest commit
	owner   map[part]string     // :: member that was last told that the partition is its own
	names   map[[16]byte]string // :: topic id -> name
	faults  []string            // what went against the rules
	aliases map[string]string   // :: short name -> value
	letters map[place]bool      // records that the dead-letter topic has
	commits int
	rollout rollout
	began   map[groupPart]int64 // first commit of a group that a bounded run keeps its progress in

	// What a format makes of a value, before anything is produced: the name of a
	// record when it is produced, and of the same one when its line is stored.
	made func(*kgo.Record) string
	read func(line string) string
}

type part struct {
	topic string
	n     int32
}

type groupPart struct {
	group string
	part
}

type place struct {
	part
	offset int64
}

func newJudge() *judge {
	return &judge{
		places: map[string]place{}, pending: map[place]bool{}, copies: map[string]int{},
		last: map[part]int64{}, owner: map[part]string{}, names: map[[16]byte]string{}, aliases: map[string]string{}, letters: map[place]bool{},
		rollout: newRollout(), began: map[groupPart]int64{},
		made: func(r *kgo.Record) string { return string(r.Value) },
		read: func(line string) string { return line },
	}
}

// shorten returns what stands for a value in the books: for hours of large values they would take gigabytes.
func shorten(value string) string {
	if len(value) <= 1024 {
		return value
	}
	return fmt.Sprintf("%s (%d bytes, SHA-256 %x)", value[:64], len(value), sha256.Sum256([]byte(value)))
}

func (j *judge) fault(format string, args ...any) {
	j.faults = append(j.faults, fmt.Sprintf(format, args...))
}

// name notes which topic an id stands for.
func (j *judge) name(id [16]byte, topic string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.names[id] = topic
}

// produced notes a record that Kafka acknowledged.
func (j *judge) produced(r *kgo.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := place{part{r.Topic, r.Partition}, r.Offset}
	if r.Value == nil {
		return
	}
	value := shorten(j.made(r))
	j.places[value] = p
	if j.copies[value] == 0 {
		j.pending[p] = true
	}
}

// allow says that policy skips the record at p.
func (j *judge) allow(p place) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.pending, p)
}

// alias lets count find a value by a shorter name.
func (j *judge) alias(value, name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.aliases[name] = shorten(value)
}

// copiesOf is how often a value was stored, and placeOf where Kafka has it.
func (j *judge) copiesOf(value string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.copies[shorten(value)]
}

func (j *judge) placeOf(value string) place {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.places[shorten(value)]
}

// forget closes the books of a topic that was deleted.
func (j *judge) forget(topic string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	maps.DeleteFunc(j.names, func(_ [16]byte, name string) bool { return name == topic })
	maps.DeleteFunc(j.pending, func(p place, _ bool) bool { return p.topic == topic })
	maps.DeleteFunc(j.last, func(p part, _ int64) bool { return p.topic == topic })
	maps.DeleteFunc(j.owner, func(p part, _ string) bool { return p.topic == topic })
}

// lastCommit is the newest offset committed for a partition.
func (j *judge) lastCommit(topic string, n int32) int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last[part{topic, n}]
}

// exposed is how many records were stored and are not committed: what may come
// again when the process that sent them is gone.
func (j *judge) exposed() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value, p := range j.places {
		if j.copies[value] > 0 && p.offset >= j.last[p.part] {
			n++
		}
	}
	return n
}

// progress is the sum of the newest commits.
func (j *judge) progress() (sum int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, at := range j.last {
		sum += at
	}
	return sum
}

// commitsNow are the newest commits.
func (j *judge) commitsNow() map[part]int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.last)
}

// repeatedBefore is how many copies there are too many of records that the given
// commits cover.
func (j *judge) repeatedBefore(commits map[part]int64) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value, p := range j.places {
		if p.offset < commits[p.part] {
			n += max(j.copies[value]-1, 0)
		}
	}
	return n
}

// committedParts is how many partitions have a commit.
func (j *judge) committedParts() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.last)
}

// stored notes a record that Firehose accepted; an aggregated one holds several.
func (j *judge) stored(s firehosetest.Stored) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for value := range bytes.Lines(unzipped(s.Data)) {
		v := shorten(j.read(string(bytes.TrimSuffix(value, []byte{'\n'}))))
		j.copies[v]++
		if p, ok := j.places[v]; ok {
			delete(j.pending, p)
			j.rollout.delivered(p.part)
		}
	}
}

// hear listens to what a member and a broker tell each other.
func (j *judge) hear(r kmsg.Request) (answered func(kmsg.Response)) {
	switch r := r.(type) {
	case *kmsg.OffsetCommitRequest:
		acknowledged := j.commit(r)
		return func(a kmsg.Response) { acknowledged(a.(*kmsg.OffsetCommitResponse)) }
	case *kmsg.ProduceRequest:
		acknowledged := j.wrote(r)
		return func(a kmsg.Response) { acknowledged(a.(*kmsg.ProduceResponse)) }
	case *kmsg.SyncGroupRequest:
		return func(a kmsg.Response) { j.synced(r, a.(*kmsg.SyncGroupResponse)) }
	case *kmsg.ConsumerGroupHeartbeatRequest:
		return func(a kmsg.Response) { j.assigned(r, a.(*kmsg.ConsumerGroupHeartbeatResponse)) }
	}
	return nil
}

// heard are the requests that hear knows.
var heard = []kmsg.Key{kmsg.OffsetCommit, kmsg.Produce, kmsg.SyncGroup, kmsg.ConsumerGroupHeartbeat}

// unzipped is the text of a record that is a gzip member; no other record begins like
// one.
func unzipped(data []byte) []byte {
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return data
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return data
	}
	return text
}

// commit checks each offset that a broker is asked to keep. The answer, if it
// comes, says which of them the broker took.
//
// Whose a partition is was true when the member asked: by the time of the answer it
// may be another's, rightly.
func (j *judge) commit(r *kmsg.OffsetCommitRequest) (acknowledged func(*kmsg.OffsetCommitResponse)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.commits++
	if strings.Contains(r.Group, ".replay.") || strings.HasSuffix(r.Group, ".redrive") {
		j.progressed(r)
		return func(*kmsg.OffsetCommitResponse) {}
	}
	owners := map[part]string{}
	for i := range r.Topics {
		topic := j.topic(r.Topics[i].Topic, r.Topics[i].TopicID)
		if topic == "" {
			continue // under the id of a topic that is gone, which the broker refuses
		}
		for _, p := range r.Topics[i].Partitions {
			k := part{topic, p.Partition}
			owners[k] = j.owner[k]
			for at := range j.pending {
				if at.part == k && at.offset < p.Offset {
					j.fault("%v: commit of %d, but offset %d was not accepted", k, p.Offset, at.offset)
					break
				}
			}
		}
	}
	return func(a *kmsg.OffsetCommitResponse) { j.committed(r, a, owners) }
}

// progressed checks the progress of a bounded run: from its first commit on, it passes no record that was not accepted. mu is held.
func (j *judge) progressed(r *kmsg.OffsetCommitRequest) {
	if r.MemberID != "" {
		j.fault("%s has a member", r.Group)
	}
	for i := range r.Topics {
		topic := j.topic(r.Topics[i].Topic, r.Topics[i].TopicID)
		for _, p := range r.Topics[i].Partitions {
			k := groupPart{r.Group, part{topic, p.Partition}}
			if _, ok := j.began[k]; !ok {
				j.began[k] = p.Offset
			}
			for at := range j.pending {
				if at.part == k.part && at.offset >= j.began[k] && at.offset < p.Offset {
					j.fault("%v: progress of %d, but offset %d was not accepted", k, p.Offset, at.offset)
					break
				}
			}
		}
	}
}

// topic is a topic's name, which newer versions leave out; empty if it is gone.
func (j *judge) topic(name string, id [16]byte) string {
	if name != "" {
		return name
	}
	return j.names[id]
}

// committed checks what a broker has kept of a commit: all of it where there is no
// answer to look at.
func (j *judge) committed(r *kmsg.OffsetCommitRequest, a *kmsg.OffsetCommitResponse, owners map[part]string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	refused := map[part]bool{}
	if a != nil {
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				refused[part{j.topic(t.Topic, t.TopicID), p.Partition}] = p.ErrorCode != 0
			}
		}
	}
	for i := range r.Topics {
		topic := j.topic(r.Topics[i].Topic, r.Topics[i].TopicID)
		for _, p := range r.Topics[i].Partitions {
			k := part{topic, p.Partition}
			if topic == "" || refused[k] {
				continue
			}
			if last, ok := j.last[k]; ok && p.Offset < last {
				j.fault("%v: commit went back from %d to %d", k, last, p.Offset)
			}
			if owner := owners[k]; owner != "" && owner != r.MemberID {
				j.fault("%v: %s committed %d, but %s owns it", k, r.MemberID, p.Offset, owner)
			}
			j.last[k] = p.Offset
		}
	}
}

// synced notes what a member of a classic group was told is its own. A partition
// that is on its way from one member to another is in nobody's assignment; its old
// owner may still commit it.
func (j *judge) synced(r *kmsg.SyncGroupRequest, a *kmsg.SyncGroupResponse) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var mine kmsg.ConsumerMemberAssignment
	if a.ErrorCode != 0 || mine.ReadFrom(a.MemberAssignment) != nil {
		return
	}
	j.rollout.heard(r.Generation, r.MemberID, r.InstanceID)
	for _, t := range mine.Topics {
		for _, p := range t.Partitions {
			j.owner[part{t.Topic, p}] = r.MemberID
			j.rollout.handed(part{t.Topic, p}, r.MemberID)
		}
	}
}

// assigned is the same for the consumer protocol, where the broker gives a partition
// away when its old owner has said that it is done.
func (j *judge) assigned(r *kmsg.ConsumerGroupHeartbeatRequest, a *kmsg.ConsumerGroupHeartbeatResponse) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if a.ErrorCode != 0 || a.Assignment == nil {
		return
	}
	member := r.MemberID
	if a.MemberID != nil {
		member = *a.MemberID
	}
	j.rollout.heard(a.MemberEpoch, member, r.InstanceID)
	for _, t := range a.Assignment.Topics {
		for _, p := range t.Partitions {
			j.owner[part{j.topic("", t.TopicID), p}] = member
			j.rollout.handed(part{j.topic("", t.TopicID), p}, member)
		}
	}
}

// count says how many of the values 0 to n-1 are missing and how many copies
// there are too many.
func (j *judge) count(n int) (lost, copies int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range n {
		value := strconv.Itoa(i)
		if long, ok := j.aliases[value]; ok {
			value = long
		}
		switch c := j.copies[value]; c {
		case 0:
			lost++
		default:
			copies += c - 1
		}
	}
	return lost, copies
}

// verdict fails the test if a rule was broken at any time.
func (j *judge) verdict(t *testing.T) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for i, f := range j.faults {
		if i == 10 {
			t.Errorf("and %d more", len(j.faults)-i)
			break
		}
		t.Error(f)
	}
	if j.commits == 0 && !t.Failed() {
		t.Error("nothing was committed, so no commit was judged")
	}
}
