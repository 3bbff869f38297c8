package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/klauspost/compress/zlib"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/kafka/kafkatest"
)

// claimBucket is moto's bucket for values that are too large.
const claimBucket = "large"

// TestMotoClaimChecks: large values among small ones, with schemas of moto's Glue, are objects in moto's S3, byte by byte, and an envelope with
// the SHA-256 of each is delivered in its place. Glue and S3 fail in turns, one record in a thousand is bad, and nothing is lost.
func TestMotoClaimChecks(t *testing.T) {
	m := startMoto(t)
	m.claimChecks(newHost(t))
}

// TestMotoClaimChecksOnApache is the same with records that Apache Kafka keeps.
func TestMotoClaimChecksOnApache(t *testing.T) {
	m := startMoto(t)
	kafkatest.Require(t)
	cluster, err := kafkatest.Start(t.Context(), kafkatest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	addrs := cluster.Addrs("PLAINTEXT")
	h := &host{t: t, judge: newJudge(), topic: "in", group: group, addrs: addrs}
	h.equip(addrs)
	h.settle()
	m.claimChecks(h)
}

func (m *moto) claimChecks(h *host) {
	m.t.Helper()
	const n, bad, every = 3000, 3, 100
	m.http(http.MethodPut, "/"+claimBucket, "")
	if _, err := h.admin.CreateTopic(m.t.Context(), 1, -1, nil, "letters"); err != nil {
		m.t.Fatal(err)
	}
	small, large := h.produceLarge(m.textSchema(), n, n/bad, every)
	front, failed := m.inTrouble()
	env := []string{
		"AWS_ENDPOINT_URL_FIREHOSE=" + m.url, "AWS_ENDPOINT_URL_GLUE=" + front, "AWS_ENDPOINT_URL_S3=" + front, "RECORD_FORMAT=avro", "RECORD_ENVELOPE=true",
		"SCHEMA_REGISTRY_TYPE=glue", "BAD_RECORD_POLICY=claim-check", "CLAIM_CHECK_URL=s3://" + claimBucket + "/claims", "DEAD_LETTER_TOPIC=letters",
	}
	p := h.start(env...)
	h.delivered(2 * time.Minute)
	h.drain(p)

	values, claims := m.claimed()
	if !maps.Equal(values, small) {
		m.t.Errorf("%d small values came, want %d, each once and as it was", len(values), len(small))
	}
	for id, want := range large {
		got, delivered := claims[id]
		if digest := sha256.Sum256(want); !delivered || got.SHA256 != hex.EncodeToString(digest[:]) || got.Bytes != len(want) {
			m.t.Errorf("the claim check of %s is %+v (delivered: %v), want %d bytes with the SHA-256 %x", id, got, delivered, len(want), digest)
			continue
		}
		if object := m.http(http.MethodGet, "/"+strings.TrimPrefix(got.URL, "s3://"), ""); !bytes.Equal(object, want) {
			m.t.Errorf("%s is another value than %s", got.URL, id)
		}
	}
	if objects := m.keysOf(claimBucket); len(claims) != len(large) || len(objects) != len(large) {
		m.t.Errorf("%d claim checks and %d objects, want %d", len(claims), len(objects), len(large))
	}
	ends, err := h.admin.ListEndOffsets(m.t.Context(), "letters")
	if err != nil || ends["letters"][0].Offset != bad {
		m.t.Errorf("the dead letters are %v (%v), want %d", ends["letters"], err, bad)
	}
	for call, n := range failed() {
		m.t.Logf("%s failed %d times", call, n)
		if n < 3 {
			m.t.Errorf("%s failed %d times, which proves nothing", call, n)
		}
	}
	m.t.Logf("of %d records %d of %d small ones were delivered, %d of %d claim checks, and %d are bad", n, len(values), len(small), len(claims), len(large), bad)
	m.auditClaims(h, len(small)+len(large), env)
}

// auditClaims has the audit look for the records that are delivered, those with a claim check among them.
func (m *moto) auditClaims(h *host, want int, env []string) {
	m.t.Helper()
	audit := exec.Command(h.binary(), "audit", "-from", "1h", "-to", "0s", "-due", "0s", "-objects", "s3://"+bucket+"/", "-o", "json")
	audit.Env = h.environ(append(env, "AWS_ENDPOINT_URL_S3="+m.url)...)
	out, _ := audit.CombinedOutput()
	var report struct {
		Result string
		Total  map[string]int
	}
	if err := json.Unmarshal(out, &report); err != nil || report.Result != "complete" || report.Total["delivered_once"] != want {
		m.t.Errorf("the audit says %s and found %d records, want %d (%v)\n%s", report.Result, report.Total["delivered_once"], want, err, out)
	}
}

// textSchema registers a schema for text with moto's Glue and returns the version's id.
func (m *moto) textSchema() []byte {
	m.t.Helper()
	client := glue.New(glue.Options{Region: "us-east-1", BaseEndpoint: &m.url, Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")})
	made, err := client.CreateSchema(m.t.Context(), &glue.CreateSchemaInput{
		SchemaName: aws.String("text"), DataFormat: types.DataFormatAvro, Compatibility: types.CompatibilityNone, SchemaDefinition: aws.String(`"string"`),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	id, err := hex.DecodeString(strings.ReplaceAll(aws.ToString(made.SchemaVersionId), "-", ""))
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

// produceLarge produces n records of text with a schema of Glue. Every so many are too large for Firehose, half of those only when they
// are decompressed, and some don't fit their schema. It returns how often each small text has to come, and the large values by their id.
func (h *host) produceLarge(version []byte, n, bad, every int) (small map[string]int, large map[string][]byte) {
	h.t.Helper()
	producer, err := kgo.NewClient(kgo.SeedBrokers(h.addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1_045_000), kgo.ProducerLinger(0))
	if err != nil {
		h.t.Fatal(err)
	}
	defer producer.Close()
	small, large = map[string]int{}, map[string][]byte{}
	var lock sync.Mutex
	for i := range n {
		text := fmt.Sprint(i)
		isLarge := i%every == every/2
		if isLarge {
			text += strings.Repeat(string(rune('a'+i/every%26)), batch.MaxRecordBytes+i)
		}
		value := append(append([]byte{3, 0}, version...), append(binary.AppendVarint(nil, int64(len(text))), text...)...)
		switch isBad := i%bad == bad-1; {
		case isBad:
			value = append(value, 0)
		case isLarge && i/every%2 == 0:
			value = compressed(h.t, value)
		case !isLarge:
			small[text]++
		}
		producer.Produce(context.Background(), &kgo.Record{Topic: h.topic, Partition: int32(i / 7 % 4), Value: value}, func(r *kgo.Record, err error) {
			if err != nil {
				h.t.Errorf("produce: %v", err)
			}
			if isLarge {
				lock.Lock()
				defer lock.Unlock()
				large[fmt.Sprintf("%s-%d-%d", r.Topic, r.Partition, r.Offset)] = value
			}
		})
	}
	h.produced += n
	if err := producer.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	return small, large
}

// compressed is a value in Glue's framing with its data in zlib's format.
func compressed(t *testing.T, value []byte) []byte {
	t.Helper()
	b := bytes.NewBuffer(slices.Clone(value[:18]))
	b.Bytes()[1] = 5
	w := zlib.NewWriter(b)
	if _, err := w.Write(value[18:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inTrouble is the address of a server in front of moto whose Glue and S3 fail in turns: refused as throttled, refused as an internal error,
// and with an answer that is lost after moto has done what was asked. The function returns how often which call has failed.
func (m *moto) inTrouble() (address string, failed func() map[string]int) {
	m.t.Helper()
	behind, err := url.Parse(m.url)
	if err != nil {
		m.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	var lock sync.Mutex
	calls, failures := map[string]int{}, map[string]int{"PutObject": 0, "GetSchemaVersion": 0}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call, refusal := "PutObject", `<Error><Code>SlowDown</Code></Error>`
		if target := r.Header.Get("X-Amz-Target"); target != "" {
			call, refusal = strings.TrimPrefix(target, "AWSGlue."), `{"__type":"ThrottlingException"}`
		}
		lock.Lock()
		turn := calls[call] % 6
		calls[call]++
		if turn < 3 {
			failures[call]++
		}
		lock.Unlock()
		switch turn {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, refusal)
		case 1:
			http.Error(w, "", http.StatusInternalServerError)
		case 2:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	m.t.Cleanup(server.Close)
	return server.URL, func() map[string]int {
		lock.Lock()
		defer lock.Unlock()
		return maps.Clone(failures)
	}
}

// claim is what an envelope says of a value that is too large.
type claim struct {
	URL, SHA256 string
	Bytes       int
}

// claimed is how often each value was delivered, and the claim checks by the ids of their records.
func (m *moto) claimed() (values map[string]int, claims map[string]claim) {
	m.t.Helper()
	values, claims = map[string]int{}, map[string]claim{}
	lines, _ := m.delivered()
	for line, n := range lines {
		var envelope struct {
			ID    string
			Value string
			Claim *claim `json:"claim_check"`
		}
		if err := json.Unmarshal([]byte(line), &envelope); err != nil {
			m.t.Fatalf("%v: %.200q", err, line)
		}
		if envelope.Claim == nil {
			values[envelope.Value] += n
			continue
		}
		if _, again := claims[envelope.ID]; again || n > 1 {
			m.t.Errorf("the claim check of %s came twice", envelope.ID)
		}
		claims[envelope.ID] = *envelope.Claim
	}
	return values, claims
}
