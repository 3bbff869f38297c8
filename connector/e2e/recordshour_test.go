package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/claimcheck/buckettest"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/schema/glue/gluetest"
)

// outageTurn is a part of the hour in which the registry, the bucket, both or none of them fail.
type outageTurn struct {
	registry *gluetest.Refusal
	bucket   *buckettest.Refusal
}

const outageTurnTakes = 97 * time.Second

// outageTurns follow one another, again and again. The quick run has each of them once.
var outageTurns = []outageTurn{
	{},
	{registry: &gluetest.Throttled},
	{bucket: &buckettest.SlowDown},
	{registry: &gluetest.Internal, bucket: &buckettest.Broken},
	{},
	{registry: &gluetest.Denied, bucket: &buckettest.Denied},
	{bucket: &buckettest.Lost},
	{bucket: &buckettest.Page},
	{registry: &gluetest.Refusal{}},
	{},
	{registry: &gluetest.Throttled, bucket: &buckettest.NoKey},
}

// recordsHour is an hour's worth of Avro records with their schemas in AWS Glue and their large values in a bucket of S3.
type recordsHour struct {
	w      *world
	each   int // records in a minute; one of them is too large
	post   *post
	begin  time.Time
	bucket *buckettest.Bucket
	bad    map[int]bool // the test's alone

	mu      sync.Mutex
	large   map[string][sha256.Size]byte // :: name of a record that is too large -> digest of its value
	over    bool                         // nothing fails any more
	refused map[int]turn                 // :: number of a turn -> refusals
}

type turn struct{ registry, bucket int }

const (
	badEvery       = 1000
	unknownVersion = 250
)

func newRecordsHour(w *world, minutes, each int) *recordsHour {
	h := &recordsHour{w: w, each: each, begin: time.Now(), bad: map[int]bool{}, large: map[string][sha256.Size]byte{}, refused: map[int]turn{}}
	r := w.glueNumbers()
	h.bucket, _ = w.claims()
	h.post, _ = w.post(1_048_588)
	w.judge.made, w.judge.read = byPlace, h.read
	for minute := range minutes + 1 {
		r.Add(glueVersion(byte(3+minute)).String(), "AVRO", `{"type":"record","name":"R","fields":[{"name":"n","type":"long"},{"name":"pad","type":"string"}]}`)
	}
	r.Fault(func(string) *gluetest.Refusal { return h.refuse(func(n int) { h.count(n, 1, 0) }).registry })
	h.bucket.Fault(func(string) *buckettest.Refusal { return h.refuse(func(n int) { h.count(n, 0, 1) }).bucket })
	w.stream.AddFault(firehosetest.Fault{Effect: firehosetest.Reset, Stored: true, Probability: 0.02, Seed: 1})
	return h
}

// refuse returns the turn whose time it is, after it has told note its number.
func (h *recordsHour) refuse(note func(n int)) outageTurn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return outageTurn{}
	}
	n := int(time.Since(h.begin) / outageTurnTakes)
	note(n)
	return outageTurns[n%len(outageTurns)]
}

// count notes requests in turn n. mu is held.
func (h *recordsHour) count(n, registry, bucket int) {
	t := h.refused[n]
	h.refused[n] = turn{t.registry + registry, t.bucket + bucket}
}

// read returns the name of the record in a line: its number, or, of a claim check, the number of the record that the bucket has then.
func (h *recordsHour) read(line string) string {
	var v struct {
		N     int64
		ID    string
		Claim *struct {
			URL, SHA256 string
			Bytes       int
		} `json:"claim_check"`
	}
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		h.w.judge.fault("a line is no JSON: %v", err)
	}
	if v.Claim == nil {
		return fmt.Sprint(v.N)
	}
	o, ok := h.bucket.Objects()[strings.TrimPrefix(v.Claim.URL, "s3://large/")]
	var partition, offset int64
	_, err := fmt.Sscanf(v.ID, h.w.in+"-%d-%d", &partition, &offset)
	name := fmt.Sprint(offset*4 + partition)
	digest := sha256.Sum256([]byte(o.Content))
	if !ok || err != nil || digest != h.claimed(name) || v.Claim.SHA256 != fmt.Sprintf("%x", digest) || v.Claim.Bytes != len(o.Content) {
		h.w.judge.fault("a claim check refers to another value than Kafka's: %s", line)
	}
	return name
}

// isLarge reports whether record i is too large for Firehose: one in each minute, which is compressed in every other one.
func (h *recordsHour) isLarge(i int) bool { return i%h.each == 7+i/h.each%2 }

// version is that of the schema of record i. A new one begins in the middle of a minute's records, so that in each minute some need a schema that
// is known and others one that is not.
func (h *recordsHour) version(i int) byte { return byte(3 + (i+h.each/2)/h.each) }

func (h *recordsHour) record(i int) *kgo.Record {
	pad := 10
	if h.isLarge(i) {
		pad = batch.MaxRecordBytes
	}
	return withPad(i, h.version(i), pad)
}

// withPad is a record with a number and a text of some length, every other one compressed.
func withPad(i int, version byte, pad int) *kgo.Record {
	data := binary.AppendVarint(binary.AppendVarint(nil, int64(i)), int64(pad))
	return glueRecord(i, version, append(data, bytes.Repeat([]byte("v"), pad)...))
}

// badRecord is record i as one of the kinds that nobody can read.
func (h *recordsHour) badRecord(i int) *kgo.Record {
	good := withPad(i, h.version(i), 10)
	broken := append([]byte{good.Value[0], 7}, good.Value[2:]...)
	good.Value = [][]byte{[]byte("{}"), withPad(i, unknownVersion, 10).Value, good.Value[:18], broken}[i/badEvery%4]
	return good
}

// produce writes the records of a minute. One in a thousand is bad.
func (h *recordsHour) produce(minute int) {
	from, end := minute*h.each, (minute+1)*h.each
	for i := from; i < end; i++ {
		if i%badEvery == 500 {
			h.w.produceWith(from, i, h.record)
			h.post.produce(1, func(int) *kgo.Record { return h.badRecord(i) })
			h.bad[i], from = true, i+1
		} else if h.isLarge(i) {
			h.expectClaim(i)
		}
	}
	h.w.produceWith(from, end, h.record)
}

// expectClaim notes the value of record i, which is too large.
func (h *recordsHour) expectClaim(i int) {
	digest := sha256.Sum256(h.record(i).Value)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.large[fmt.Sprint(i)] = digest
}

// claimed returns the digest of the value of a record that is too large.
func (h *recordsHour) claimed(name string) [sha256.Size]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.large[name]
}

// config is that of the members.
func (h *recordsHour) config(c *connector.Config) {
	glueFormat(c)
	c.BadRecordPolicy, c.ClaimCheck.URL, c.DeadLetter.Topic = "claim-check", claimCheckURL, h.post.topic
}

// recover ends all outages.
func (h *recordsHour) recover() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
}

// account fails unless each of records 0 to n-1 is delivered, dead-lettered or claim-checked, and as often as ambiguous answers allow.
func (h *recordsHour) account(n, ambiguous int) {
	w := h.w
	w.t.Helper()
	lost, copies := w.judge.count(n)
	for i := range h.bad {
		if w.judge.copiesOf(fmt.Sprint(i)) != 0 {
			w.t.Errorf("record %d is bad and delivered", i)
		}
	}
	if lost != len(h.bad) || copies > ambiguous {
		w.t.Errorf("of %d records %d are not delivered, want the %d bad ones; %d came twice, %d were ambiguous", n, lost, len(h.bad), copies, ambiguous)
	}
	h.post.want(0)
	w.wantObjects(h.bucket, n, h.each)
	w.t.Logf("%d records: %d dead letters, %d claim checks, %d copies for %d ambiguous", n, len(h.bad), len(h.large), copies, ambiguous)
}

// wantRefusals fails unless each kind of turn, in which the registry, the bucket or both fail, has refused requests of each.
func (h *recordsHour) wantRefusals() {
	h.w.t.Helper()
	sums := map[int]turn{}
	for n, t := range h.refused {
		kind := n % len(outageTurns)
		sums[kind] = turn{sums[kind].registry + t.registry, sums[kind].bucket + t.bucket}
	}
	for kind, t := range outageTurns {
		if got := sums[kind]; t.registry != nil && got.registry == 0 || t.bucket != nil && got.bucket == 0 {
			h.w.t.Errorf("turn %d refused %d requests of the registry and %d of the bucket, so it tries nothing", kind, got.registry, got.bucket)
		}
	}
}

// TestRegistryAndBucketInTurns: an hour's worth of Avro records with a new schema each minute, one record in a thousand that is bad and some that
// are too large for Firehose, while AWS Glue and S3 fail in turns and both at once, some answers of Firehose are lost, and members come
// and go. Each record is delivered, is a dead letter or a claim check with the value that Kafka has; none is lost, and only ambiguous
// answers make copies.
func TestRegistryAndBucketInTurns(t *testing.T) {
	bubble(t, func(w *world) {
		minutes, each := longtest.Pick(20, 60), longtest.Pick(200, 500)
		h := newRecordsHour(w, minutes, each)
		live := []*member{w.start(h.config), w.start(h.config)}
		all := live
		for minute := range minutes {
			h.produce(minute)
			time.Sleep(time.Minute)
			if minute%7 == 6 {
				live[0].mustStop()
				live = []*member{live[1], w.start(h.config)}
				all = append(all, live[1])
			}
		}
		h.recover()
		n := minutes * each
		w.untilCommitted(n)
		for _, m := range live {
			if err := m.connector.Ready(); err != nil {
				t.Errorf("not ready after it: %v", err)
			}
			m.mustStop()
		}
		var ambiguous, letters, uploads float64
		for _, m := range all {
			ambiguous += m.metric("records_ambiguous_total")
			letters += m.metric("dead_letters_total")
			uploads += m.metric("claim_check_uploads_total")
		}
		if ambiguous == 0 || int(letters) != len(h.bad) || int(uploads) < len(h.large) {
			t.Errorf("%v ambiguous records, %v dead letters, %v uploads; want some, %d, and at least %d", ambiguous, letters, uploads, len(h.bad), len(h.large))
		}
		h.account(n, int(ambiguous))
		h.wantRefusals()
	})
}
