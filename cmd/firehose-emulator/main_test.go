package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"kafka-firehose/connector/firehose/firehosetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noEnv(string) string { return "" }

// start runs the program; stop ends it and returns its exit code and output.
func start(t *testing.T, getenv func(string) string, args ...string) (url string, stop func() (int, string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var out bytes.Buffer
	code := make(chan int)
	go func() {
		c := run(ctx, append([]string{"-listen", "127.0.0.1:0"}, args...), getenv, w, w)
		_ = w.Close()
		code <- c
	}()
	lines := bufio.NewReader(io.TeeReader(r, &out))
	first, err := lines.ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(first), "firehose-emulator: listening on ")
	if err != nil || !ok {
		cancel()
		rest, _ := io.ReadAll(lines)
		t.Fatalf("got %q %v %s", first, err, rest)
	}
	done := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, lines); close(done) }()
	return url, func() (int, string) {
		cancel()
		<-done
		return <-code, out.String()
	}
}

func newClient(t *testing.T, url, key, secret string) *firehose.Client {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(tr.CloseIdleConnections)
	return firehose.New(firehose.Options{
		Region: "us-east-1", BaseEndpoint: &url, HTTPClient: plainBody{&http.Client{Transport: tr}},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
		}),
	})
}

// plainBody hides the WriterTo of the SDK's request body, with which net/http
// may drop a connection whose answer came before the body's end was noticed.
type plainBody struct{ *http.Client }

func (p plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct {
			io.Reader
			io.Closer
		}{struct{ io.Reader }{r.Body}, r.Body}
	}
	return p.Client.Do(r)
}

func put(c *firehose.Client, data string) (*firehose.PutRecordBatchOutput, error) {
	return c.PutRecordBatch(context.Background(), &firehose.PutRecordBatchInput{
		DeliveryStreamName: aws.String("clicks"), Records: []types.Record{{Data: []byte(data)}},
	})
}

func request(t *testing.T, method, url, body string) string {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}

// TestRun serves the stock client, takes a script from a file and over HTTP,
// and delivers what is buffered when it is told to stop.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(script, []byte(`[{"effect":"refuse-records","to":1}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	url, stop := start(t, noEnv, "-stream", "orders,clicks", "-dir", dir, "-buffer-interval", "1h", "-faults", script)
	c := newClient(t, url, "emulator", "emulator-secret")
	for i, want := range []int32{1, 0, 0} {
		out, err := put(c, fmt.Sprint(i))
		if err != nil || *out.FailedPutCount != want {
			t.Errorf("put %d: got %+v, %v", i, out, err)
		}
	}
	if got := request(t, "GET", url+"/_emulator/health", ""); !strings.HasPrefix(got, "200") {
		t.Error(got)
	}
	if got := request(t, "PUT", url+"/_emulator/faults", `[{"effect":"refuse-records"}]`); !strings.HasPrefix(got, "200") {
		t.Error(got)
	}
	if out, err := put(c, "refused"); err != nil || *out.FailedPutCount != 1 {
		t.Errorf("got %+v, %v", out, err)
	}
	if got := request(t, "GET", url+"/_emulator/stats", ""); !strings.Contains(got, `"records": 2`) {
		t.Error(got)
	}
	code, out := stop()
	if code != 0 || !strings.Contains(out, "AWS_SECRET_ACCESS_KEY=emulator-secret") || !strings.Contains(out, "clicks: 2 records, 2 bytes, 10240 billed, 2 refused") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if got := delivered(t, dir); got != "12" {
		t.Errorf("delivered %q", got)
	}
}

// TestTLS serves HTTPS with a certificate from files.
func TestTLS(t *testing.T) {
	authority := httptest.NewTLSServer(nil)
	defer authority.Close()
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	pair := authority.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	url, stop := start(t, noEnv, "-tls-cert", cert, "-tls-key", key)
	client := authority.Client() // trusts that certificate
	resp, err := client.Get(url + "/_emulator/health")
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(url, "https://") {
		t.Errorf("%s: %v, %v", url, resp, err)
	}
	_ = resp.Body.Close()
	client.CloseIdleConnections()
	if code, out := stop(); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
}

// delivered is the content of all objects.
func delivered(t *testing.T, dir string) (all string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all += string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestStopWhileHanging ends requests that a fault holds.
func TestStopWhileHanging(t *testing.T) {
	url, stop := start(t, noEnv, "-stream", "clicks", "-any-key")
	request(t, "PUT", url+"/_emulator/faults", `[{"effect":"hang"}]`)
	failed := make(chan error)
	go func() {
		_, err := put(newClient(t, url, "some", "key"), "x")
		failed <- err
	}()
	for !strings.Contains(request(t, "GET", url+"/_emulator/stats", ""), `"inFlight": 1`) {
		time.Sleep(time.Millisecond)
	}
	if code, out := stop(); code != 0 || !strings.Contains(out, "any access key is accepted") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if err := <-failed; err == nil {
		t.Error("the put succeeded")
	}
}

// TestEnvironmentKeys verifies with them, and does not print the secret.
func TestEnvironmentKeys(t *testing.T) {
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "verysecret"}
	url, stop := start(t, func(name string) string { return env[name] }, "-stream", "clicks")
	if _, err := put(newClient(t, url, "AKIAREAL", "verysecret"), "x"); err != nil {
		t.Error(err)
	}
	if _, err := put(newClient(t, url, "emulator", "emulator-secret"), "x"); err == nil {
		t.Error("the default key was accepted")
	}
	if code, out := stop(); code != 0 || strings.Contains(out, "verysecret") || !strings.Contains(out, "AKIAREAL") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// TestParse reads every flag.
func TestParse(t *testing.T) {
	env := map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c", "AWS_REGION": "eu-west-1"}
	cfg, err := parse([]string{
		"-quota", "records=10,requests=2.5,bytes=64KiB,burst=2,scatter,whole", "-latency", "20ms", "-request-limit", "4000000",
		"-dir", "x", "-buffer-bytes", "1Mi", "-buffer-interval", "5s", "-gzip", "-stream", "a, b",
	}, func(n string) string { return env[n] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	q := firehosetest.Quota{RecordsPerSecond: 10, RequestsPerSecond: 2.5, BytesPerSecond: 65_536, BurstSeconds: 2, Scatter: true, WholeRequest: true}
	if got := cfg.service.Latency(0); got != 20*time.Millisecond {
		t.Errorf("latency %v", got)
	}
	cfg.service.Latency = nil
	want := firehosetest.Options{
		Region: "eu-west-1", Keep: firehosetest.KeepCounts, KeepRequests: 1000, RequestLimitBytes: 4_000_000,
		Streams:     []firehosetest.Stream{{Name: "a", Quota: q}, {Name: "b", Quota: q}},
		Credentials: []firehosetest.Credentials{{AccessKey: "a", SecretKey: "b", SessionToken: "c"}},
	}
	if diff := cmp.Diff(want.Streams, cfg.service.Streams); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want.Credentials, cfg.service.Credentials); diff != "" {
		t.Error(diff)
	}
	if cfg.service.Region != want.Region || cfg.service.RequestLimitBytes != want.RequestLimitBytes || cfg.ownKeys {
		t.Errorf("got %+v", cfg)
	}
	if diff := cmp.Diff(firehosetest.DirectoryOptions{BufferBytes: 1 << 20, BufferInterval: 5 * time.Second, GZIP: true}, cfg.directory); diff != "" {
		t.Error(diff)
	}
	cfg, err = parse([]string{"-quota", "aws"}, noEnv, io.Discard)
	if err != nil || cfg.service.Streams[0].Quota != firehosetest.DefaultQuota("us-east-1") {
		t.Errorf("got %+v, %v", cfg, err)
	}
}

// TestBadFlags exits with 2, and names each flag, what it held and what it takes.
func TestBadFlags(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		if code := run(context.Background(), args, noEnv, io.Discard, &out); code != 2 || !strings.Contains(out.String(), want) {
			t.Errorf("%v: exit %d\n%s\nwant %s", args, code, out.String(), want)
		}
	}
	f(`flag -listen holds "4573"; it accepts host:port`, "-listen", "4573")
	f(`flag -region holds ""; it accepts a region`, "-region", "")
	f(`flag -stream holds "a,,b"; it accepts names`, "-stream", "a,,b")
	f(`flag -stream holds "a,a"; it accepts names`, "-stream", "a,a")
	f(`flag -kms-key holds "alias/orders"; it accepts the ARN of a key and no alias`, "-kms-key", "alias/orders")
	for _, q := range []string{"some", "records", "records=-1", "records=x", "bytes=1TB", "scatter=1", ""} {
		f(`flag -quota holds "`+q+`"; it accepts none, aws, or a list of records=N`, "-quota", q)
	}
	f(`flag -latency holds "20"; it accepts a duration of 0 or more`, "-latency", "20")
	f(`flag -buffer-interval holds "0s"; it accepts a duration above 0`, "-buffer-interval", "0s")
	f(`flag -request-limit holds "4MB"; it accepts a size above 0 in bytes`, "-request-limit", "4MB")
	f(`flag -buffer-bytes holds "0"; it accepts a size`, "-buffer-bytes", "0")
	f(`flag -faults holds "/no/such/file"; it accepts a file that can be read`, "-faults", "/no/such/file")
	f(`of -access-key and -secret-key only one is set; set both, or none`, "-access-key", "a")
	f(`of -tls-cert and -tls-key only one is set; set both, or none`, "-tls-key", "a")
	f(`flags -tls-cert and -tls-key hold "/no/a" and "/no/b"; they accept a certificate and its key: `, "-tls-cert", "/no/a", "-tls-key", "/no/b")
	f(`"x" is no flag; there are no arguments`, "x")
	f(`-unknown`, "-unknown")
	f("flag -latency holds \"a\"; it accepts a duration of 0 or more, such as 20ms, 5s or 1m30s\nflag -request-limit holds \"b\"", "-latency", "a", "-request-limit", "b")

	script := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(script, []byte(`[{"effect":"x"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	f(`it accepts a file with a fault script: faults[0].effect is "x"; it must be one of`, "-faults", script)
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if code := run(context.Background(), []string{"-h"}, noEnv, io.Discard, &out); code != 0 {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{"-listen host:port", "-faults file", "aws firehose put-record-batch --endpoint-url", "SIGTERM"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestListenFails exits with 1 when the port is taken.
func TestListenFails(t *testing.T) {
	url, stop := start(t, noEnv)
	defer stop()
	var out bytes.Buffer
	if code := run(context.Background(), []string{"-listen", strings.TrimPrefix(url, "http://")}, noEnv, io.Discard, &out); code != 1 || !strings.Contains(out.String(), "flag -listen") {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
