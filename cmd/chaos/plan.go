package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// kind is one sort of trouble.
type kind string

const (
	killMember   kind = "kill a member"        // SIGKILL, and a new process in its place
	stopMember   kind = "stop a member"        // SIGTERM, likewise
	freezeMember kind = "freeze a member"      // SIGSTOP and SIGCONT
	extraMember  kind = "add a member"         // a fourth one comes and goes
	killBroker   kind = "kill a broker"        // SIGKILL, and back
	stopBroker   kind = "stop a broker"        // SIGTERM, and back
	freezeBroker kind = "freeze a broker"      // SIGSTOP and SIGCONT
	rollBrokers  kind = "roll the brokers"     // each of them stopped and started
	moveLeaders  kind = "move leaders"         // all replicas in another order
	addPartition kind = "add a partition"      // to the topic that is read
	kafkaSlow    kind = "kafka: latency"       // the rest is on the way of one member
	kafkaNarrow  kind = "kafka: bandwidth"     //
	kafkaCut     kind = "kafka: cut"           // connections end, new ones are taken
	kafkaSilent  kind = "kafka: half-open"     //
	kafkaApart   kind = "kafka: partition"     //
	sinkSlow     kind = "firehose: latency"    //
	sinkNarrow   kind = "firehose: bandwidth"  //
	sinkCut      kind = "firehose: cut"        // in the middle of answers
	sinkSilent   kind = "firehose: half-open"  //
	sinkApart    kind = "firehose: partition"  //
	refuseSome   kind = "records refused"      // the rest is Firehose's own
	throttle     kind = "throttled"            //
	unavailable  kind = "503 to everything"    //
	lostAnswers  kind = "stored, no answer"    //
	lateAnswers  kind = "stored, answer late"  //
	emptyAnswers kind = "200 {}"               //
	shortAnswers kind = "entries missing"      //
	expired      kind = "credentials expired"  //
	wrongClock   kind = "clock off by an hour" //
)

// place is what a trouble occupies: no two go to one place at a time.
type place int

const (
	atMember  place = iota // a process
	atKafka                // a member's way to Kafka
	atSink                 // a member's way to Firehose
	atService              // what Firehose answers all of them
	atBroker               // the brokers, all of them: one may be away, not two
	atExtra                // the fourth member
)

// dose is how a kind of trouble is dealt out.
type dose struct {
	kind        kind
	place       place
	weight      int
	least, most time.Duration
}

const s = time.Second

var doses = []dose{
	{killMember, atMember, 8, 0, 4 * s},
	{stopMember, atMember, 4, 0, 2 * s},
	{freezeMember, atMember, 5, 1 * s, 14 * s}, // the session timeout is 6 s
	{extraMember, atExtra, 3, 5 * s, 20 * s},
	{killBroker, atBroker, 3, 2 * s, 10 * s},
	{stopBroker, atBroker, 2, 1 * s, 6 * s},
	{freezeBroker, atBroker, 2, 1 * s, 9 * s},
	{rollBrokers, atBroker, 1, 1 * s, 2 * s},
	{moveLeaders, atBroker, 3, 1 * s, 1 * s},
	{addPartition, atBroker, 1, 1 * s, 1 * s},
	{kafkaSlow, atKafka, 2, 3 * s, 12 * s},
	{kafkaNarrow, atKafka, 2, 3 * s, 12 * s},
	{kafkaCut, atKafka, 3, 1 * s, 1 * s},
	{kafkaSilent, atKafka, 3, 2 * s, 12 * s},
	{kafkaApart, atKafka, 3, 1 * s, 12 * s},
	{sinkSlow, atSink, 2, 2 * s, 10 * s},
	{sinkNarrow, atSink, 2, 3 * s, 12 * s},
	{sinkCut, atSink, 3, 1 * s, 6 * s},
	{sinkSilent, atSink, 3, 2 * s, 8 * s},
	{sinkApart, atSink, 3, 1 * s, 10 * s},
	{refuseSome, atService, 4, 4 * s, 15 * s},
	{throttle, atService, 3, 4 * s, 15 * s},
	{unavailable, atService, 3, 1 * s, 10 * s},
	{lostAnswers, atService, 4, 1 * s, 6 * s},
	{lateAnswers, atService, 2, 1 * s, 6 * s},
	{emptyAnswers, atService, 2, 1 * s, 5 * s},
	{shortAnswers, atService, 2, 1 * s, 5 * s},
	{expired, atService, 2, 1 * s, 8 * s},
	{wrongClock, atService, 2, 1 * s, 8 * s},
}

// event is one trouble, at one time and place.
type event struct {
	at     time.Duration // since the begin
	lasts  time.Duration
	kind   kind
	place  place
	target int // which member or broker
}

// spot is what the event has for itself: one place of one target, or all brokers.
func (e event) spot() [2]int {
	if e.place == atBroker {
		return [2]int{int(atBroker), 0}
	}
	return [2]int{int(e.place), e.target}
}

func (e event) String() string {
	return fmt.Sprintf("%6.1fs +%4.1fs  %s %d", e.at.Seconds(), e.lasts.Seconds(), e.kind, e.target)
}

// In each period there is trouble, and then quiet. What is delivered twice in quiet
// has no excuse.
const (
	period = 60 * s
	quiet  = 15 * s
	first  = 6 * s // the group forms without trouble
)

// plan deals out trouble for a run: the same for the same seed and duration. Troubles
// overlap, but not at one place, and all have ended when duration has passed.
func plan(seed uint64, duration time.Duration) (events []event) {
	rng := rand.New(rand.NewPCG(seed, 1))
	busy := map[[2]int]time.Duration{} // :: place and target -> until when
	for at := first; at < duration; at += time.Duration(200+rng.IntN(1300)) * time.Millisecond {
		d := draw(rng)
		e := event{at: at, kind: d.kind, place: d.place, lasts: d.least + time.Duration(rng.Int64N(int64(d.most-d.least)+1))}
		end := at - at%period + period - quiet
		if at >= end || e.at+e.lasts > min(end, duration) {
			continue // it would reach into the quiet
		}
		switch d.place {
		case atBroker:
			e.target = rng.IntN(brokers)
		case atExtra:
			e.target = members
		case atService:
			e.target = 0
		default:
			e.target = rng.IntN(members)
		}
		key := e.spot()
		if at < busy[key] {
			continue
		}
		// A member or a broker takes a while until it is back.
		busy[key] = e.at + e.lasts + 2*s
		if d.place == atBroker {
			busy[key] += 8 * s
		}
		events = append(events, e)
	}
	// In each quiet somebody is restarted with all politeness.
	for at := period - quiet + 5*s; at+5*s < duration; at += period {
		events = append(events, event{at: at, lasts: 1 * s, kind: stopMember, place: atMember, target: rng.IntN(members)})
	}
	slices.SortStableFunc(events, func(a, b event) int { return int(a.at - b.at) })
	return events
}

func draw(rng *rand.Rand) dose {
	sum := 0
	for _, d := range doses {
		sum += d.weight
	}
	n := rng.IntN(sum)
	for _, d := range doses {
		if n -= d.weight; n < 0 {
			return d
		}
	}
	panic("unreachable: the weights add up to the sum")
}
