package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/childtest"
)

// TestMoto delivers through a Firehose that somebody else wrote: moto, in Python,
// which decodes each request with other code than ours and puts it into its S3 as
// one object. What is read back there, over plain HTTP, is what was produced,
// record by record. moto checks no limit and no signature, and refuses nothing.
func TestMoto(t *testing.T) {
	m := startMoto(t)
	h := newHost(t)
	want := h.produceOddities(6000)
	p := h.start("AWS_ENDPOINT_URL_FIREHOSE="+m.url, "FIREHOSE_STARTUP_CHECK=true")
	h.delivered(time.Minute)
	h.drain(p)
	if lines := p.lines(`"level":"WARN"`); len(lines) > 0 {
		t.Errorf("warnings: %q", lines)
	}

	got, objects := m.delivered()
	t.Logf("%d records in %d objects", h.produced, objects)
	if objects < h.produced/500 {
		t.Errorf("%d objects: a request can't have more than 500 records", objects)
	}
	if maps.Equal(got, want) {
		return
	}
	var wrong int
	for value, n := range want {
		if got[value] != n {
			if wrong++; wrong <= 5 {
				t.Errorf("%.60q came %d times, want %d", value, got[value], n)
			}
		}
	}
	for value := range got {
		if want[value] == 0 {
			if wrong++; wrong <= 5 {
				t.Errorf("%.60q came and was not produced", value)
			}
		}
	}
	t.Errorf("%d values are wrong in all", wrong)
}

// TestMotoMissingStream: moto's words for a missing stream are its own; its code is
// the service's.
func TestMotoMissingStream(t *testing.T) {
	m := startMoto(t)
	h := newHost(t)
	p := h.start("AWS_ENDPOINT_URL_FIREHOSE="+m.url, "FIREHOSE_STREAM=absent", "FIREHOSE_STARTUP_CHECK=true")
	_ = p.Wait()
	if code := p.ProcessState.ExitCode(); code != 1 || len(p.lines("absent does not exist")) != 1 {
		t.Errorf("exit code %d, want 1 and the name of the stream\n%s", code, p.log.String())
	}
}

// produceOddities produces values that an encoder could get wrong, some of them
// more than once, and returns how often each has to come.
func (h *host) produceOddities(n int) map[string]int {
	h.t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	every := make([]byte, 0, 256)
	for b := range 256 {
		if b != '\n' { // the delimiter
			every = append(every, byte(b))
		}
	}
	odd := [][]byte{
		{},
		every, []byte(`{"a":"<&>\u2028 \"quoted\" \\"}`), []byte("größer \u00e9\u0301 日本 🙂"),
		{0},
		{0xff, 0xfe},
		[]byte("\r"), []byte(" "),
		bytes.Repeat(every, 1_000_000/len(every)),
	}
	want := map[string]int{}
	for i := range n {
		value := fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", rng.IntN(300)))
		switch {
		case i < len(odd):
			value = odd[i]
		case i%10 == 0: // of every length modulo three, which base64 depends on
			value = every[:rng.IntN(len(every))]
		}
		want[string(value)]++
		h.producer.Produce(context.Background(), &kgo.Record{Topic: "in", Partition: int32(i % 4), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				h.t.Errorf("produce: %v", err)
			}
		})
	}
	h.produced += n
	if err := h.producer.Flush(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	return want
}

// moto is a running moto_server with the stream "s", which delivers to a bucket.
type moto struct {
	t   *testing.T
	url string
}

const bucket = "delivered"

var running = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

// startMoto starts the server that MOTO_SERVER names, and skips the test if it
// names none: it is Python's, and Go alone has to be enough for go test.
func startMoto(t *testing.T) *moto {
	t.Helper()
	server := os.Getenv("MOTO_SERVER")
	if server == "" {
		t.Skip("needs moto: .ci/run moto installs it and runs this; MOTO_SERVER is the path of moto_server")
	}
	var log lockedBuffer
	cmd := exec.Command(server, "-H", "127.0.0.1", "-p", "0")
	childtest.DieWithParent(cmd)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatalf("MOTO_SERVER: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("moto: %s", log.String())
		}
	})
	m := &moto{t: t}
	for deadline := time.Now().Add(time.Minute); m.url == ""; <-time.After(20 * time.Millisecond) {
		if found := running.FindStringSubmatch(log.String()); found != nil {
			m.url = found[1]
		} else if time.Now().After(deadline) {
			t.Fatalf("moto does not start: %s", log.String())
		}
	}
	m.http(http.MethodPut, "/"+bucket, "")
	_, err := m.client().CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: aws.String("s"), DeliveryStreamType: types.DeliveryStreamTypeDirectPut,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::" + bucket), RoleARN: aws.String(role),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// client is one of moto's Firehose.
func (m *moto) client() *firehose.Client {
	return firehose.New(firehose.Options{
		Region: "us-east-1", BaseEndpoint: &m.url, Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

// http makes a request to moto's S3, which asks for no signature.
func (m *moto) http(method, path, query string) []byte {
	m.t.Helper()
	return m.request(method, path, query, "", http.StatusOK)
}

// request makes one with a body and an answer.
func (m *moto) request(method, path, query, content string, status int) []byte {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), method, m.url+path+"?"+query, strings.NewReader(content))
	if err != nil {
		m.t.Fatal(err)
	}
	// Without any, moto would redirect to the service's own documentation.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/20000101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		m.t.Fatalf("%s %s: %s, %v: %s", method, path, res.Status, err, body)
	}
	return body
}

// keys lists all objects that Firehose has delivered.
func (m *moto) keys() []string {
	m.t.Helper()
	return m.keysOf(bucket)
}

// keysOf lists all objects of a bucket.
func (m *moto) keysOf(name string) (keys []string) {
	m.t.Helper()
	for after := ""; ; {
		var list struct {
			Keys      []string `xml:"Contents>Key"`
			Truncated bool     `xml:"IsTruncated"`
		}
		if err := xml.Unmarshal(m.http(http.MethodGet, "/"+name, "list-type=2&start-after="+url.QueryEscape(after)), &list); err != nil {
			m.t.Fatal(err)
		}
		if keys = append(keys, list.Keys...); !list.Truncated {
			return keys
		}
		after = keys[len(keys)-1]
	}
}

// delivered reads all objects: how often each value is in them.
func (m *moto) delivered() (values map[string]int, objects int) {
	m.t.Helper()
	values = map[string]int{}
	keys := m.keys()
	for _, key := range keys {
		object := m.http(http.MethodGet, "/"+bucket+"/"+key, "")
		if !bytes.HasSuffix(object, []byte("\n")) {
			m.t.Errorf("object %s does not end in the delimiter", key)
		}
		for line := range bytes.Lines(object) {
			values[string(bytes.TrimSuffix(line, []byte("\n")))]++
		}
	}
	return values, len(keys)
}

// TestMotoAudit: what a process has delivered through moto is found in moto's S3; objects that are taken away and copied by
// hand are named, record by record, and so is a bucket or a prefix that is not there.
func TestMotoAudit(t *testing.T) {
	m := startMoto(t)
	h := newHost(t)
	env := []string{"AWS_ENDPOINT_URL_FIREHOSE=" + m.url, "AWS_ENDPOINT_URL_S3=" + m.url, "RECORD_FORMAT=json"}
	p := h.start(env...)
	h.produce(3000)
	h.delivered(time.Minute)
	h.drain(p)
	audit := func(objects string, more ...string) (string, int) {
		cmd := exec.Command(h.binary(), append([]string{"audit", "-from", "1h", "-to", "0s", "-due", "0s", "-objects", objects, "-parallel", "3"}, more...)...)
		cmd.Env = h.environ(env...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := audit("s3://" + bucket + "/"); code != 0 || !strings.Contains(out, "complete: ") || !regexp.MustCompile(` all +3000 +3000 +0 +0 `).MatchString(out) {
		t.Errorf("exit code %d\n%s", code, out)
	}
	keys := m.keys()
	lost, copied := m.http(http.MethodGet, "/"+bucket+"/"+keys[1], ""), m.http(http.MethodGet, "/"+bucket+"/"+keys[2], "")
	m.request(http.MethodDelete, "/"+bucket+"/"+keys[1], "", "", http.StatusNoContent)
	m.request(http.MethodPut, "/"+bucket+"/"+keys[2]+"copy", "", string(copied), http.StatusOK)
	missing := filepath.Join(t.TempDir(), "missing.json")
	out, code := audit("s3://"+bucket, "-missing", missing, "-o", "json")
	var report struct {
		Result string
		Total  map[string]int
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := map[string]int{"missing": bytes.Count(lost, []byte("\n")), "delivered_twice": bytes.Count(copied, []byte("\n")), "expected": 3000}
	if code != 1 || report.Result != "incomplete" || report.Total["missing"] != want["missing"] || report.Total["delivered_twice"] != want["delivered_twice"] || report.Total["expected"] != want["expected"] {
		t.Errorf("exit code %d, %s, %v, want %v", code, report.Result, report.Total, want)
	}
	if file, err := os.ReadFile(missing); err != nil || !bytes.HasPrefix(file, []byte(`{"version":1,`)) {
		t.Errorf("%v: %s", err, file)
	}
	for place, want := range map[string]string{
		"s3://absent/":              "bucket absent does not exist",
		"s3://" + bucket + "/2020/": "has no object; want the prefix of the stream's destination",
	} {
		if out, code := audit(place); code != 2 || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d\n%s", place, code, out)
		}
	}
}
