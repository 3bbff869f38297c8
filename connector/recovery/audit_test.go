package recovery

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/kafka/fetch"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/metrics"
)

// place is a Kafka, a directory with what was delivered, and one for the error output.
type place struct {
	t        *testing.T
	cluster  *kfake.Cluster
	producer *kgo.Client
	cfg      kafka.Config
	record   convert.Config
	objects  string
	errors   string
	written  int // objects
}

const mebi = 1 << 20

func newPlace(t *testing.T, topics ...kfake.Opt) *place {
	t.Helper()
	p := &place{t: t, objects: t.TempDir(), errors: t.TempDir()}
	p.cluster = kfake.MustCluster(append([]kfake.Opt{kfake.NumBrokers(2)}, topics...)...)
	t.Cleanup(p.cluster.Close)
	p.cfg = kafka.Config{Brokers: p.cluster.ListenAddrs(), GroupID: "g", ClientID: "audit", IsolationLevel: "read_committed"}
	p.record = convert.Config{Format: "json", KeyFormat: "json", Tombstones: "skip", Delimiter: "\n", Compression: "none"}
	p.producer = p.client()
	return p
}

func (p *place) client(o ...kgo.Opt) *kgo.Client {
	p.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(p.cfg.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, o...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}

// produce writes n records to each partition of the topic, and returns them with their offsets.
func (p *place) produce(topic string, partitions, n int, at time.Time) (records []*kgo.Record) {
	p.t.Helper()
	for i := range n {
		for partition := range partitions {
			records = append(records, &kgo.Record{Topic: topic, Partition: int32(partition), Value: fmt.Appendf(nil, `{"n":%d}`, i), Timestamp: at.Add(time.Duration(i) * time.Millisecond)})
		}
	}
	if err := p.producer.ProduceSync(p.t.Context(), records...).FirstErr(); err != nil {
		p.t.Fatal(err)
	}
	return records
}

// lines are the envelopes of the records.
func (p *place) lines(records ...*kgo.Record) []byte {
	p.t.Helper()
	var out []byte
	for _, r := range records {
		var err error
		if out, err = convert.New(p.record, nil).Append(out, r); err != nil {
			p.t.Fatal(err)
		}
	}
	return out
}

// object writes an object as Firehose names it.
func (p *place) object(root string, at time.Time, content []byte) string {
	p.t.Helper()
	p.written++
	name := filepath.Join(root, at.UTC().Format(folderLayout), fmt.Sprintf("s-1-%s-%08d", at.UTC().Format(nameLayout), p.written))
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, content, 0o600)); err != nil {
		p.t.Fatal(err)
	}
	return name
}

func (p *place) deliver(records ...*kgo.Record) {
	p.t.Helper()
	p.object(p.objects, time.Now(), p.lines(records...))
}

func zipped(content []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(content)
	_ = z.Close()
	return out.Bytes()
}

func (p *place) request(topics ...string) AuditRequest {
	now := time.Now()
	for written := now.UnixMilli(); now.UnixMilli() == written; now = time.Now() { // Kafka counts in milliseconds
	}
	return AuditRequest{From: now.Add(-3 * time.Hour), To: now, Topics: topics, Objects: p.objects, Errors: p.errors, Due: 15 * time.Minute, Late: time.Hour, Parallel: 4}
}

func (p *place) audit(r AuditRequest) (AuditReport, error) {
	p.t.Helper()
	connection, err := p.cfg.NewConnection(nil, slog.New(slog.DiscardHandler), metrics.New(prometheus.NewRegistry()).Kafka)
	if err != nil {
		p.t.Fatal(err)
	}
	reader, err := p.cfg.OpenRangeReader(connection, fetch.Bytes{Setting: 256 * mebi, SettingPerMax: 2, Aim: 60 * mebi, PooledRecords: 4 * mebi, Max: 64 * mebi, Response: 8 * mebi, Uncompressed: 48 * mebi})
	if err != nil {
		p.t.Fatal(err)
	}
	defer reader.Close()
	c := convert.New(p.record, nil)
	return Audit(p.t.Context(), r, Service{
		Kafka: reader, Group: p.cfg.GroupID, ID: p.record.EnvelopeName("id"), Timestamp: p.record.EnvelopeName("timestamp"), Log: slog.New(slog.DiscardHandler),
		Sends: func(_ context.Context, r *kgo.Record) (string, error) {
			_, err := c.Append(nil, r)
			if bad, ok := errors.AsType[*convert.BadRecord](err); ok {
				return string(bad.Reason), nil
			}
			return "", err
		},
	})
}

func (p *place) mustAudit(r AuditRequest) AuditReport {
	p.t.Helper()
	report, err := p.audit(r)
	if err != nil {
		p.t.Fatal(err)
	}
	if report.Total.Expected != report.Total.Once+report.Total.Twice+report.Total.Refused+report.Total.NotSent+report.Total.NotDue+report.Total.Missing {
		p.t.Errorf("the counts don't sum up: %+v", report.Total)
	}
	return report
}

func (p *place) wantTotal(r AuditReport, result Result, want Totals) {
	p.t.Helper()
	if diff := cmp.Diff(want, r.Total); diff != "" || r.Result != result {
		var table bytes.Buffer
		_ = r.WriteTable(&table)
		p.t.Errorf("the result is %s, want %s\n%s\n%s", r.Result, result, diff, &table)
	}
}

var old = func() time.Time { return time.Now().Add(-2 * time.Hour) }

// TestHolesAndCopies: holes and copies at random places are all named, and nothing else is; with gzip and
// without, in objects of different sizes and in no order.
func TestHolesAndCopies(t *testing.T) {
	t.Parallel()
	const partitions, wanted = 4, 1000
	n := longtest.Pick(20_000, 250_000) // of each partition
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	p := newPlace(t, kfake.SeedTopics(partitions, "orders"))
	records := p.produce("orders", partitions, n, old())
	holes, twice := map[int]bool{}, map[int]bool{}
	for len(holes) < wanted {
		holes[rng.IntN(len(records))] = true
	}
	for len(twice) < wanted {
		if i := rng.IntN(len(records)); !holes[i] {
			twice[i] = true
		}
	}
	var delivered []*kgo.Record
	missing, copied := make([][]int64, partitions), make([][]int64, partitions)
	for i, r := range records {
		switch {
		case holes[i]:
			missing[r.Partition] = append(missing[r.Partition], r.Offset)
			continue
		case twice[i]:
			copied[r.Partition] = append(copied[r.Partition], r.Offset)
			delivered = append(delivered, r)
		}
		delivered = append(delivered, r)
	}
	for i := range delivered { // neighbours change places, as after retries
		j := min(i+rng.IntN(2000), len(delivered)-1)
		delivered[i], delivered[j] = delivered[j], delivered[i]
	}
	for len(delivered) > 0 {
		part := delivered[:min(1+rng.IntN(5000), len(delivered))]
		delivered = delivered[len(part):]
		content := p.lines(part...)
		if rng.IntN(2) == 0 {
			content = zipped(content)
		}
		p.object(p.objects, old().Add(time.Duration(rng.IntN(3600))*time.Second), content)
	}
	begin := time.Now()
	r := p.mustAudit(p.request("orders"))
	t.Logf("%d records, %.0f MB of objects in %s", len(records), float64(r.Objects.Bytes)/1e6, time.Since(begin))
	p.wantTotal(r, Incomplete, Totals{Expected: int64(len(records)), Once: int64(len(records) - 2*wanted), Twice: wanted, Copies: wanted, Missing: wanted})
	if r.Objects.Read != int64(p.written) || r.Objects.Documents != int64(len(records)) {
		t.Errorf("read %d objects with %d documents, want %d with %d", r.Objects.Read, r.Objects.Documents, p.written, len(records))
	}
	for i, part := range r.Partitions {
		if diff := cmp.Diff(missing[i], offsetsOf(part.MissingOffsets)); diff != "" {
			t.Errorf("partition %d: missing %s", i, diff)
		}
		if diff := cmp.Diff(copied[i], offsetsOf(part.TwiceOffsets)); diff != "" {
			t.Errorf("partition %d: twice %s", i, diff)
		}
	}
	wantFile(t, r, missing)
}

func offsetsOf(l OffsetList) (offsets []int64) {
	for _, r := range l.Ranges {
		for o := r[0]; o <= r[1]; o++ {
			offsets = append(offsets, o)
		}
	}
	return offsets
}

// wantFile fails unless the file of the missing offsets has these, by partition.
func wantFile(t *testing.T, r AuditReport, missing [][]int64) {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteMissing(&out); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Version    int
		Cluster    string
		From, To   time.Time
		Partitions []struct {
			Topic     string
			TopicID   string `json:"topic_id"`
			Partition int
			Records   int
			Offsets   [][2]int64
		}
	}
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	got := make([][]int64, len(missing))
	for _, p := range file.Partitions {
		got[p.Partition] = offsetsOf(OffsetList{Ranges: p.Offsets})
		if p.Topic != "orders" || p.Records != len(got[p.Partition]) {
			t.Errorf("the file has topic %s, %d records, %d offsets", p.Topic, p.Records, len(got[p.Partition]))
		}
	}
	if diff := cmp.Diff(missing, got); diff != "" || file.Version != 1 || !file.From.Equal(r.From) {
		t.Errorf("version %d, from %s: %s", file.Version, file.From, diff)
	}
}

// TestTransactions: aborted records and the markers of transactions are not expected, also where the range ends with
// them; aborted ones that were delivered all the same are named.
func TestTransactions(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders"))
	tx := p.client(kgo.TransactionalID("tx"))
	send := func(n int, commit kgo.TransactionEndTry) (records []*kgo.Record) {
		for range n {
			records = append(records, &kgo.Record{Topic: "orders", Value: []byte("1"), Timestamp: old()})
		}
		if err := errors.Join(tx.BeginTransaction(), tx.ProduceSync(t.Context(), records...).FirstErr(), tx.EndTransaction(t.Context(), commit)); err != nil {
			t.Fatal(err)
		}
		return records
	}
	first, aborted, second, last := send(10, kgo.TryCommit), send(5, kgo.TryAbort), send(10, kgo.TryCommit), send(5, kgo.TryAbort)
	p.deliver(first...)
	p.deliver(second[1:]...)
	p.deliver(aborted[2])
	r := p.mustAudit(p.request("orders"))
	p.wantTotal(r, Incomplete, Totals{Expected: 20, Once: 19, Missing: 1, Unexpected: 1})
	if got := r.Partitions[0]; !slices.Equal(offsetsOf(got.MissingOffsets), []int64{second[0].Offset}) || !slices.Equal(offsetsOf(got.UnexpectedOffsets), []int64{aborted[2].Offset}) || got.End != last[4].Offset+2 {
		t.Errorf("got %+v", got)
	}
}

// TestOpenTransaction: committed records behind a transaction that is open can't be read, so the audit of a range with them
// is not complete and says where the transaction is. A range before the transaction is not touched by it.
func TestOpenTransaction(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders"))
	p.deliver(p.produce("orders", 1, 10, time.Now().Add(-3*time.Hour))...)
	tx := p.client(kgo.TransactionalID("tx"))
	if err := errors.Join(tx.BeginTransaction(), tx.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("1"), Timestamp: old()}).FirstErr()); err != nil {
		t.Fatal(err)
	}
	behind := p.produce("orders", 1, 20, old())
	request := p.request("orders")
	request.From = request.To.Add(-4 * time.Hour)
	before, only := request, request
	before.To, only.From = request.To.Add(-150*time.Minute), request.To.Add(-150*time.Minute)
	p.wantTotal(p.mustAudit(before), Complete, Totals{Expected: 10, Once: 10})
	const note = "topic orders partition 0: a transaction is open at offset 10, so 21 offsets of the range, from there on, were not compared: "
	var audits sync.WaitGroup // each waits for the transaction
	for _, one := range []struct {
		AuditRequest
		want Totals
	}{{request, Totals{Expected: 10, Once: 10, HeldBack: 21}}, {only, Totals{HeldBack: 21}}} {
		audits.Go(func() {
			r, err := p.audit(one.AuditRequest)
			if err != nil {
				t.Error(err)
				return
			}
			p.wantTotal(r, Incomplete, one.want)
			if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.HasPrefix(n, note) }) || r.Partitions[0].HeldBack != 21 {
				t.Errorf("the notes are %q, the partition %+v", r.Notes, r.Partitions[0])
			}
			if slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "Kafka has no record of this range") }) {
				t.Errorf("the range is called empty: %q", r.Notes)
			}
		})
	}
	audits.Wait()
	if err := tx.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	p.deliver(behind...)
	p.wantTotal(p.mustAudit(request), Complete, Totals{Expected: 30, Once: 30})
}

// TestCompactedTopic: of a topic that is compacted, what was delivered and is not in Kafka any more is told, and is no fault.
func TestCompactedTopic(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if _, err := kadm.NewClient(p.producer).CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": new("delete,compact")}, "orders"); err != nil {
		t.Fatal(err)
	}
	tx := p.client(kgo.TransactionalID("tx"))
	gone := []*kgo.Record{{Topic: "orders", Value: []byte("1"), Timestamp: old()}}
	if err := errors.Join(tx.BeginTransaction(), tx.ProduceSync(t.Context(), gone...).FirstErr(), tx.EndTransaction(t.Context(), kgo.TryAbort)); err != nil {
		t.Fatal(err)
	}
	p.deliver(p.produce("orders", 1, 10, old())...)
	p.deliver(gone...) // the embedded broker compacts nothing; an aborted record is not there either
	r := p.mustAudit(p.request("orders"))
	p.wantTotal(r, Complete, Totals{Expected: 10, Once: 10, Unexpected: 1})
	const note = "topic orders is compacted: the 1 records of it that are not expected were most likely removed since they were delivered, and are no fault"
	if !slices.Contains(r.Notes, note) || !r.Partitions[0].Compacted {
		t.Errorf("got %+v, notes %q", r.Partitions[0], r.Notes)
	}
}

// TestPolicy: tombstones and records that are too large are left out as the service does, and counted.
func TestPolicy(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders"))
	p.producer = p.client(kgo.ProducerBatchMaxBytes(3 * mebi))
	records := p.produce("orders", 1, 4, old())
	odd := []*kgo.Record{{Topic: "orders", Key: []byte("k"), Timestamp: old()}, {Topic: "orders", Value: bytes.Repeat([]byte("x"), 1_024_000), Timestamp: old()}}
	if err := p.producer.ProduceSync(t.Context(), odd...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	p.deliver(records...)
	r := p.mustAudit(p.request("orders"))
	p.wantTotal(r, Complete, Totals{Expected: 4, Once: 4})
	if diff := cmp.Diff(map[string]int64{"tombstone": 1, "too_large": 1}, r.Partitions[0].LeftOut); diff != "" {
		t.Error(diff)
	}
	p.record.Tombstones = "envelope"
	r = p.mustAudit(p.request("orders"))
	p.wantTotal(r, Incomplete, Totals{Expected: 5, Once: 4, Missing: 1})
}

// TestErrorOutput: records in the error output are told from missing ones, with the reason; also those of an aggregated and
// compressed record. What was delivered in the end is delivered.
func TestErrorOutput(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(2, "orders"))
	records := p.produce("orders", 2, 10, old())
	p.errors = filepath.Join(p.objects, "failed") // below the objects
	p.deliver(records[:10]...)
	failed := func(code string, data []byte) []byte {
		if code == "DataFormatConversion.ParseError" {
			return fmt.Appendf(nil, `{"attemptsMade":1,"arrivalTimestamp":1,"lastErrorCode":%q,"lastErrorMessage":"broken %s","attemptEndingTimestamp":2,"rawData":%q,"sequenceNumber":"1","subSequenceNumber":null,"dataCatalogTable":{"tableName":"t"}}`+"\n", code, code, base64.StdEncoding.EncodeToString(data))
		}
		return fmt.Appendf(nil, `{"attemptsMade":3,"arrivalTimestamp":1,"errorCode":%q,"errorMessage":"broken %s","rawData":%q}`+"\n", code, code, base64.StdEncoding.EncodeToString(data))
	}
	p.object(p.errors, time.Now(), slices.Concat(failed("Lambda.Timeout", p.lines(records[9:12]...)), failed("Lambda.Timeout", zipped(p.lines(records[12:15]...)))))
	p.object(p.errors, time.Now(), zipped(failed("Format", p.lines(records[15]))))
	p.object(p.errors, time.Now(), failed("DataFormatConversion.ParseError", p.lines(records[16])))
	p.object(p.errors, time.Now(), append([]byte(`{"a":1}`), failed("Format", []byte("no json"))...))
	r := p.mustAudit(p.request("orders"))
	p.wantTotal(r, Incomplete, Totals{Expected: 20, Once: 10, Refused: 7, Missing: 3})
	if r.Objects.Read != 5 || r.Objects.Documents != 10 || r.Objects.WithoutID != 0 {
		t.Errorf("the error output counts as delivered, too: %+v", r.Objects)
	}
	codes := map[string]int64{}
	for _, part := range r.Partitions {
		for code, n := range part.Codes {
			codes[code] += n
		}
	}
	if diff := cmp.Diff(map[string]int64{"Lambda.Timeout": 5, "Format": 1, "DataFormatConversion.ParseError": 1}, codes); diff != "" || r.Messages["Format"] != "broken Format" ||
		r.Messages["DataFormatConversion.ParseError"] != "broken DataFormatConversion.ParseError" {
		t.Errorf("%s %q", diff, r.Messages)
	}
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "2 documents of the error output") }) {
		t.Errorf("notes %q", r.Notes)
	}
}

// TestLinks: -objects and -errors may be links to directories. They are the directories for what is below another, and for what is the same.
func TestLinks(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders"))
	records := p.produce("orders", 1, 5, old())
	objects, links := p.objects, t.TempDir()
	p.errors = filepath.Join(objects, "failed")
	p.deliver(records[:4]...)
	p.object(p.errors, time.Now(), fmt.Appendf(nil, `{"errorCode":"x","rawData":%q}`, base64.StdEncoding.EncodeToString(p.lines(records[4]))))
	link := func(to, name string) string {
		name = filepath.Join(links, name)
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	request := p.request("orders")
	request.Objects, request.Errors = link(objects, "objects"), link(p.errors, "errors")
	r := p.mustAudit(request)
	p.wantTotal(r, Incomplete, Totals{Expected: 5, Once: 4, Refused: 1})
	if r.Objects.Read != 2 || r.Objects.Documents != 4 || r.Objects.Place != request.Objects || r.Objects.Errors != request.Errors {
		t.Errorf("got %+v", r.Objects)
	}
	request.Errors = objects
	if _, err := p.audit(request); err == nil || !strings.Contains(err.Error(), "-errors is the same place as -objects") {
		t.Errorf("got %v", err)
	}
}

// TestNotMissingYet: records behind the group's commit were not sent, and young ones may be in a buffer.
func TestNotMissingYet(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders"))
	records, young := p.produce("orders", 1, 10, old()), p.produce("orders", 1, 10, time.Now().Add(-10*time.Minute))
	var at kadm.Offsets
	at.Add(kadm.Offset{Topic: "orders", At: 15, LeaderEpoch: -1})
	if err := kadm.NewClient(p.producer).CommitAllOffsets(t.Context(), "g", at); err != nil {
		t.Fatal(err)
	}
	p.deliver(records[0])
	p.wantTotal(p.mustAudit(p.request("orders")), Incomplete, Totals{Expected: 20, Once: 1, Missing: 9, NotDue: 5, NotSent: 5})
	request := p.request("orders")
	request.Due = 0
	p.wantTotal(p.mustAudit(request), Incomplete, Totals{Expected: 20, Once: 1, Missing: 14, NotSent: 5})
	fetched, err := kadm.NewClient(p.producer).FetchOffsets(t.Context(), "g")
	if o, _ := fetched.Lookup("orders", 0); err != nil || o.At != 15 {
		t.Errorf("the commit is %d, %v", o.At, err)
	}
	p.deliver(records[1:]...)
	p.wantTotal(p.mustAudit(p.request("orders")), Pending, Totals{Expected: 20, Once: 10, NotDue: 5, NotSent: 5})
	p.deliver(young[:5]...)
	p.wantTotal(p.mustAudit(request), Pending, Totals{Expected: 20, Once: 15, NotSent: 5})
	p.deliver(young[5:]...)
	p.wantTotal(p.mustAudit(request), Complete, Totals{Expected: 20, Once: 20})
}

// TestRange: offsets before and behind the range count neither as missing nor as not expected.
func TestRange(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders", "other"))
	before, in, behind := p.produce("orders", 1, 5, old()), p.produce("orders", 1, 5, old().Add(time.Hour)), p.produce("orders", 1, 5, old().Add(90*time.Minute))
	other := p.produce("other", 1, 5, old())
	p.deliver(slices.Concat(before[:2], in, behind[3:], other)...)
	p.object(p.objects, time.Now(), []byte(`{"id":"orders-7-1"}{"no":1}nonsense`))
	request := p.request("orders")
	request.From, request.To = in[0].Timestamp, behind[0].Timestamp
	r := p.mustAudit(request)
	p.wantTotal(r, Complete, Totals{Expected: 5, Once: 5})
	if r.Objects.Outside != 4 || r.Objects.Others != 6 || r.Objects.WithoutID != 1 || r.Objects.Foreign != 1 {
		t.Errorf("got %+v", r.Objects)
	}
	if r.Partitions[0].Begin != 5 || r.Partitions[0].End != 10 {
		t.Errorf("got %+v", r.Partitions[0])
	}
}

// TestExpired: what retention has removed is judged by the gaps in the ids, within the range by their timestamps.
func TestExpired(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		removed int64
		want    Totals
		gaps    []int64
		result  Result
	}{
		"a part":  {removed: 15, want: Totals{Expected: 5, Once: 4, Missing: 1, Gaps: 2}, gaps: []int64{7, 12}, result: Incomplete},
		"all":     {removed: 25, want: Totals{Gaps: 3}, gaps: []int64{7, 12, 17}, result: Incomplete},
		"nothing": {removed: 4, want: Totals{Expected: 15, Once: 12, Missing: 3}, result: Incomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, kfake.SeedTopics(1, "orders"))
			records := slices.Concat(p.produce("orders", 1, 5, old()), p.produce("orders", 1, 15, old().Add(30*time.Minute)), p.produce("orders", 1, 6, old().Add(time.Hour)))
			for _, r := range records {
				if r.Offset%5 != 2 {
					p.deliver(r)
				}
			}
			var to kadm.Offsets
			to.Add(kadm.Offset{Topic: "orders", At: test.removed, LeaderEpoch: -1})
			if _, err := kadm.NewClient(p.producer).DeleteRecords(t.Context(), to); err != nil {
				t.Fatal(err)
			}
			request := p.request("orders")
			request.From, request.To = records[5].Timestamp, records[20].Timestamp
			r := p.mustAudit(request)
			p.wantTotal(r, test.result, test.want)
			expired := r.Partitions[0].Expired
			if (expired == nil) != (test.gaps == nil) || expired != nil && !slices.Equal(offsetsOf(expired.Offsets), test.gaps) {
				t.Errorf("got %+v", expired)
			}
			if said := slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "judged by the gaps") }); said != (test.gaps != nil) {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

// TestNothingDelivered: a prefix with objects, and none of the time, is no mistake of the caller's.
func TestNothingDelivered(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders"))
	p.produce("orders", 1, 5, old())
	name := p.object(p.objects, time.Now().Add(-48*time.Hour), []byte("{}"))
	if err := os.Chtimes(name, time.Time{}, time.Now().Add(-47*time.Hour)); err != nil {
		t.Fatal(err)
	}
	r := p.mustAudit(p.request("orders"))
	p.wantTotal(r, Incomplete, Totals{Expected: 5, Missing: 5})
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "but none was delivered between") }) {
		t.Errorf("notes %q", r.Notes)
	}
}

// TestDeliveredLate: records that were delivered days after the range, as after a hold or by a replay, are found. With a limit
// that is over, missing records may be in objects that were not read: a note says so, and they get no file.
func TestDeliveredLate(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders"))
	records := p.produce("orders", 1, 5, time.Now().Add(-80*time.Hour))
	p.object(p.objects, time.Now().Add(-80*time.Hour), p.lines(records[:3]...))
	p.deliver(records[3:]...)
	request := p.request("orders")
	request.From, request.To = records[0].Timestamp, records[0].Timestamp.Add(time.Hour)
	for late, test := range map[time.Duration]struct {
		result Result
		want   Totals
		names  bool // whether the limit is named
	}{
		0:              {Complete, Totals{Expected: 5, Once: 5}, false},
		24 * time.Hour: {Incomplete, Totals{Expected: 5, Once: 3, Missing: 2}, true},
		90 * time.Hour: {Complete, Totals{Expected: 5, Once: 5}, false},
	} {
		request.Late = late
		r := p.mustAudit(request)
		p.wantTotal(r, test.result, test.want)
		if said := slices.ContainsFunc(r.Notes, func(n string) bool {
			return strings.Contains(n, "may hold records that seem to be missing; without -late")
		}); said != test.names {
			t.Errorf("-late %s: notes %q", late, r.Notes)
		}
		if err := r.WriteMissing(&bytes.Buffer{}); (err != nil) != test.names || err != nil && !strings.Contains(err.Error(), "want it without -late") {
			t.Errorf("-late %s: the file is written with %v", late, err)
		}
	}
	request.Late, request.To = 24*time.Hour, records[3].Timestamp
	r := p.mustAudit(request)
	p.wantTotal(r, Complete, Totals{Expected: 3, Once: 3})
	if err := r.WriteMissing(&bytes.Buffer{}); err != nil {
		t.Error(err)
	}
}

// TestEmptyRange: a range without records, such as one of the wrong year, is complete, and a note says that nothing was compared.
func TestEmptyRange(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders"))
	p.deliver(p.produce("orders", 1, 5, old())...)
	for _, empty := range []bool{false, true} {
		request := p.request("orders")
		if empty {
			request.From, request.To = request.From.AddDate(-1, 0, 0), request.To.AddDate(-1, 0, 0)
		}
		r := p.mustAudit(request)
		if said := slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "Kafka has no record of this range") }); said != empty || r.Result != Complete {
			t.Errorf("%s with the notes %q, want the note to be there: %t", r.Result, r.Notes, empty)
		}
	}
}

// TestUnreadable: an object that can't be read takes away the result and is named, and the rest is read.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	for what, content := range map[string][]byte{
		"unexpected EOF": zipped(bytes.Repeat([]byte("{}"), 1000))[:25],
		"Parquet":        []byte("PAR1..........."),
		"ZIP":            []byte("PK\x03\x04..........."),
		"it is no text":  []byte("\x00\x00\x00\x2b\x00\x00\x00\x1f{\"id\":\"orders-0-"), // as Hadoop's Snappy begins
		"it is  no text": []byte("\x28\xb5\x2f\xfd\x24\x05\x29{}"),                      // zstd
		"more than 2":    zipped(zipped(zipped([]byte("{}")))),
	} {
		p := newPlace(t, kfake.SeedTopics(1, "orders"))
		records := p.produce("orders", 1, 5, old())
		p.deliver(records[:4]...)
		name := p.object(p.objects, time.Now(), content)
		r := p.mustAudit(p.request("orders"))
		p.wantTotal(r, Unknown, Totals{Expected: 5, Once: 4, Missing: 1})
		what = strings.ReplaceAll(what, "  ", " ")
		if u := r.Objects.Unreadable; len(u) != 1 || !strings.HasSuffix(name, u[0].Object) || !strings.Contains(u[0].Error, what) {
			t.Errorf("%s: got %+v", what, u)
		}
		if err := r.WriteMissing(&bytes.Buffer{}); err == nil {
			t.Error("the file is written")
		}
	}
}

// TestTextIsRead: objects of other producers that are text are read, whatever characters they begin with.
func TestTextIsRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{}\x00{}", "\n\t{}", "ünïcödé", "123456789€", "{}\x1e"} {
		if content, err := contentOf(strings.NewReader(text)); err != nil || checkText(content) != nil {
			t.Errorf("%q can't be read", text)
		}
	}
}

// TestMistakes: what can't be done is said, with what would be right.
func TestMistakes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for want, change := range map[string]func(*place, *AuditRequest){
		"topic absent does not exist":                         func(_ *place, r *AuditRequest) { r.Topics = []string{"absent"} },
		"the range is in the future: -to is ":                 func(_ *place, r *AuditRequest) { r.To = now.Add(time.Hour) },
		"the range is empty: -from is ":                       func(_ *place, r *AuditRequest) { r.From = r.To },
		"-from and -to are both needed":                       func(_ *place, r *AuditRequest) { r.From = time.Time{} },
		"-objects is missing":                                 func(_ *place, r *AuditRequest) { r.Objects = "" },
		"-parallel is 0; want 1 to 256":                       func(_ *place, r *AuditRequest) { r.Parallel = 0 },
		"-due is -1s; want 0s or more":                        func(_ *place, r *AuditRequest) { r.Due = -time.Second },
		"nowhere does not exist; want a directory, or s3://":  func(p *place, r *AuditRequest) { r.Objects = filepath.Join(p.objects, "nowhere") },
		"has no object; want the prefix of the stream's":      func(_ *place, r *AuditRequest) { r.Objects = r.Errors; r.Errors = "" },
		"-errors is the same place as -objects":               func(_ *place, r *AuditRequest) { r.Errors = r.Objects },
		`has an id of the form TOPIC-PARTITION-OFFSET in its`: func(_ *place, r *AuditRequest) { r.ID = "key" },
		"records are sent without an id": func(p *place, _ *AuditRequest) {
			p.record.Fields = convert.Fields{{Source: "value", Form: "json", Name: "value"}}
		},
		"s3://BUCKET/PREFIX": func(_ *place, r *AuditRequest) { r.Objects = "s3://" },
	} {
		p := newPlace(t, kfake.SeedTopics(1, "orders"))
		p.deliver(p.produce("orders", 1, 5, old())...)
		r := p.request("orders")
		change(p, &r)
		if _, err := p.audit(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestNames: the id is found under another name, too.
func TestNames(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "a-1-2"))
	if err := p.record.Fields.Decode("value,id=place_of_it"); err != nil {
		t.Fatal(err)
	}
	records := p.produce("a-1-2", 1, 5, old())
	p.deliver(records...)
	p.wantTotal(p.mustAudit(p.request("a-1-2")), Complete, Totals{Expected: 5, Once: 5})
}

// TestStoreOutOfReach: an audit ends when hardly anything can be read.
func TestStoreOutOfReach(t *testing.T) {
	t.Parallel()
	p := newPlace(t, kfake.SeedTopics(1, "orders"))
	p.produce("orders", 1, 1, old())
	for range stopUnreadable + 10 {
		p.object(p.objects, time.Now(), []byte("PAR1"))
	}
	if _, err := p.audit(p.request("orders")); !errors.Is(err, ErrStop) || !strings.Contains(err.Error(), "no object can be read: 1000 of them failed, the last one 2") {
		t.Errorf("got %v", err)
	}
}
