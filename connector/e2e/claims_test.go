package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector"
	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/claimcheck"
	"kafka-firehose/connector/claimcheck/buckettest"
	"kafka-firehose/connector/longtest"
)

const claimCheckURL = "s3://large/claims"

// claims makes it a world with a bucket for values that are too large. The judge finds what a claim check refers to when the envelope is
// stored, and not later.
func (w *world) claims() (b *buckettest.Bucket, policy func(*connector.Config)) {
	b = buckettest.New("large", "claims/", accessKey, secretKey)
	w.s3 = []claimcheck.ClientOption{func(o *s3.Options) {
		o.Region, o.HTTPClient, o.Credentials = buckettest.Region, b, credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")
	}}
	number := func(value string) string { n, _, _ := strings.Cut(value, " "); return n }
	w.judge.made = func(r *kgo.Record) string { return number(string(r.Value)) }
	w.judge.read = func(line string) string {
		if !strings.HasPrefix(line, "{") {
			return line
		}
		var envelope struct {
			ID    string
			Topic string
			Claim struct {
				URL, SHA256 string
				Bytes       int
			} `json:"claim_check"`
		}
		if err := json.Unmarshal([]byte(line), &envelope); err != nil {
			w.judge.fault("an envelope is no JSON: %v", err)
		}
		o, ok := b.Objects()[strings.TrimPrefix(envelope.Claim.URL, "s3://large/")]
		id := fmt.Sprintf("%s-%s-%s", o.Metadata["topic"], o.Metadata["partition"], o.Metadata["offset"])
		if !ok || len(o.Content) != envelope.Claim.Bytes || o.Metadata["sha256"] != envelope.Claim.SHA256 || id != envelope.ID || envelope.Topic != w.in {
			w.judge.fault("a claim check refers to what the bucket does not have: %s", line)
		}
		return number(o.Content)
	}
	return b, func(c *connector.Config) { c.BadRecordPolicy, c.ClaimCheck.URL = "claim-check", claimCheckURL }
}

// sized is record i, which is too large for Firehose if i is a multiple of every.
func (w *world) sized(every int) func(i int) *kgo.Record {
	return func(i int) *kgo.Record {
		r := w.numbered(i)
		if i%every == 0 {
			r.Value = append(append(r.Value, ' '), bytes.Repeat([]byte("v"), batch.MaxRecordBytes)...)
		}
		return r
	}
}

// wantObjects fails unless the bucket has the values of records 0 to n-1 that are multiples of every, and saw nothing wrong.
func (w *world) wantObjects(b *buckettest.Bucket, n, every int) {
	w.t.Helper()
	if wrong := b.Wrong(); len(wrong) > 0 {
		w.t.Errorf("%d requests were wrong: %q", len(wrong), wrong[0])
	}
	if got, want := len(b.Objects()), (n+every-1)/every; got != want {
		w.t.Errorf("%d objects, want %d", got, want)
	}
}

// TestClaimChecks: values that are too large are in the bucket, an envelope is in the place of each, and everything is committed.
func TestClaimChecks(t *testing.T) { bubble(t, claimChecks) }

func claimChecks(w *world) {
	b, policy := w.claims()
	w.produceWith(0, 400, w.sized(25))
	m := w.start(policy)
	w.untilCommitted(400)
	m.mustStop()
	w.wantExactly(400)
	w.wantObjects(b, 400, 25)
	for name, want := range map[string]float64{
		"claim_check_uploads_total": 16, "claim_check_bytes_total": 16 * float64(batch.MaxRecordBytes+4), "claim_check_pending": 0, "claim_check_blocked": 0,
		"records_skipped_total": 0,
	} {
		if got := m.metric(name); got < want-50 || got > want {
			w.t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestClaimChecksInTurns: an hour in which S3 works, throttles, refuses, is down, and loses its answers in turns, while members come, go and
// are killed. Nothing is lost, no object is replaced by another, and nothing comes twice but what a killed member had sent.
func TestClaimChecksInTurns(t *testing.T) {
	bubble(t, func(w *world) {
		b, policy := w.claims()
		begin := time.Now()
		turns := []*buckettest.Refusal{nil, &buckettest.SlowDown, nil, &buckettest.Denied, nil, &buckettest.Internal, &buckettest.Lost, nil, &buckettest.Broken, &buckettest.NoBucket, &buckettest.NoKey, nil, &buckettest.Page}
		b.Fault(func(string) *buckettest.Refusal { return turns[int(time.Since(begin)/(37*time.Second))%len(turns)] })
		live := []*member{w.start(policy), w.start(policy)}
		const each, every = 101, 40
		minutes := longtest.Pick(10, 60)
		exposed := 0
		for minute := range minutes {
			w.produceWith(minute*each, (minute+1)*each, w.sized(every))
			time.Sleep(time.Minute)
			switch minute % 4 {
			case 1:
				live[0].mustStop()
				live = append(live[1:], w.start(policy))
			case 3:
				exposed += w.judge.exposed()
				live[0].kill()
				live = append(live[1:], w.start(policy))
			}
		}
		b.Fault(func(string) *buckettest.Refusal { return nil })
		n := minutes * each
		w.untilCommitted(n)
		time.Sleep(time.Minute) // the last member waits for the session of the one that was killed
		for _, m := range live {
			if err := m.connector.Ready(); err != nil {
				t.Errorf("not ready after it: %v", err)
			}
			m.mustStop()
		}
		w.wantAll(n, exposed)
		w.wantObjects(b, n, every)
	})
}

// TestClaimCheckBucketDown for ten minutes: the partition of a large record waits in front of it, all others are delivered, memory is bounded, it
// is said, a stop gets through, and nothing is lost.
func TestClaimCheckBucketDown(t *testing.T) {
	bubble(t, func(w *world) {
		b, policy := w.claims()
		b.Fault(func(string) *buckettest.Refusal { return &buckettest.Denied })
		const most = 32 << 20
		small := func(c *connector.Config) { c.MaxBufferedBytes = most }
		m := w.start(policy, small)
		w.produceWith(0, 400, w.sized(400)) // the first record of partition 0
		w.produceWith(400, 480, func(i int) *kgo.Record {
			r := w.sized(1)(i)
			r.Partition = 0
			return r
		})
		w.produceWith(480, 880, func(i int) *kgo.Record {
			r := w.numbered(i)
			r.Partition = 1 + int32(i%3)
			return r
		})
		time.Sleep(10 * time.Minute)
		if lost, _ := w.judge.count(880); lost != 100+80 {
			t.Errorf("%d records are not delivered, want those of the partition that waits, 180", lost)
		}
		if at := w.judge.lastCommit(w.in, 0); at != 0 {
			t.Errorf("partition 0 is committed to %d, want 0", at)
		}
		if held := m.metric("buffered_bytes"); held > most {
			t.Errorf("%v bytes are held, MAX_BUFFERED_BYTES is %d", held, most)
		}
		if err := m.connector.Ready(); err == nil || !strings.Contains(err.Error(), "claim-check bucket s3://large/claims: access is denied: grant s3:PutObject on arn:aws:s3:::large/claims/*") {
			t.Errorf("readiness says %v", err)
		}
		if err := m.connector.Live(); err != nil {
			t.Errorf("a restart would not cure it, yet: %v", err)
		}
		if got := strings.Count(w.log.String(), `what="claim-check bucket"`); got < 8 || got > 11 {
			t.Errorf("the log says %d times in ten minutes that it lasts", got)
		}
		if n, _ := b.Requests(); n < 50 || n > 150 {
			t.Errorf("%d requests in ten minutes", n)
		}
		before := time.Now()
		_ = m.stop()
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("the stop took %v", took)
		}
		b.Fault(func(string) *buckettest.Refusal { return nil })
		m = w.start(policy, small)
		w.untilCommitted(880)
		m.mustStop()
		w.wantExactly(880)
	})
}

// TestRevokeWhileUploading: partitions leave while their uploads hang. The uploads end at once, and the next owner makes them. A stop
// does not wait for them either.
func TestRevokeWhileUploading(t *testing.T) {
	bubble(t, func(w *world) {
		b, policy := w.claims()
		b.Fault(func(string) *buckettest.Refusal { return &buckettest.Hang })
		first := w.start(policy)
		w.produceWith(0, 40, w.sized(1))
		w.until("each partition waits", patience, func() bool { return first.metric("claim_check_pending") == 4 })
		second := w.start(policy)
		w.untilShared(2, first, second)
		time.Sleep(5 * time.Second)
		if got := first.metric("claim_check_pending"); got != 2 {
			t.Errorf("%v uploads are under way, want those of the partitions that stayed, 2", got)
		}
		begin := time.Now()
		_ = first.stop()
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
		b.Fault(func(string) *buckettest.Refusal { return nil })
		w.untilCommitted(40)
		second.mustStop()
		w.wantExactly(40)
		w.wantObjects(b, 40, 1)
	})
}

// TestClaimCheckOfNoUse: a record that a claim check does not help stops its partition, or becomes a dead letter where there is a topic for them.
func TestClaimCheckOfNoUse(t *testing.T) {
	t.Parallel()
	for _, letters := range []bool{false, true} {
		t.Run(fmt.Sprintf("letters=%v", letters), func(t *testing.T) {
			bubble(t, func(w *world) {
				b, policy := w.claims()
				p, _ := w.post(2_000_000)
				w.judge.read = func(line string) string {
					var envelope struct{ Value int }
					if err := json.Unmarshal([]byte(line), &envelope); err != nil {
						w.judge.fault("%v", err)
					}
					return fmt.Sprint(envelope.Value)
				}
				m := w.start(policy, func(c *connector.Config) {
					c.Record.Format = "json"
					if letters {
						c.DeadLetter.Topic = p.topic
					}
				})
				w.produce(0, 100)
				p.produce(1, func(int) *kgo.Record {
					return &kgo.Record{Partition: 2, Key: bytes.Repeat([]byte("k"), batch.MaxRecordBytes), Value: []byte("v")}
				})
				time.Sleep(time.Minute)
				stopped := strings.Contains(w.log.String(), "set BAD_RECORD_POLICY to")
				if got := len(p.letters()); letters && (got != 1 || stopped) || !letters && (got != 0 || !stopped) {
					t.Errorf("%d dead letters, stopped %v", got, stopped)
				}
				if len(b.Objects()) != 0 {
					t.Errorf("%d objects", len(b.Objects()))
				}
				_ = m.stop()
				w.wantExactly(100)
			})
		})
	}
}
