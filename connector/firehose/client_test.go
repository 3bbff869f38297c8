package firehose

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/firehose/putbatch"
	"kafka-firehose/connector/offset"
)

// environment is one with credentials and an endpoint, and nothing of the
// machine's own.
func environment(t *testing.T, endpoint string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "",
		"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_FIREHOSE": endpoint, "AWS_ENDPOINT_URL_STS": endpoint,
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"),
	} {
		t.Setenv(name, value)
	}
}

func mustClient(t *testing.T, opts ...func(*firehose.Options)) *Client {
	t.Helper()
	c, err := newClient(t.Context(), settings(), settings().accessOf(""), slog.New(slog.DiscardHandler), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// listen is a real listener in front of h. Its connections and the client's end
// with the test.
func listen(t *testing.T, h http.Handler, c **Client) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(func() {
		if *c != nil {
			(*c).close()
		}
		srv.Close()
	})
	return srv
}

// close lets go of idle connections, for goleak.
func (c *Client) close() {
	if b, ok := c.http.(interface{ GetTransport() *http.Transport }); ok {
		b.GetTransport().CloseIdleConnections()
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestNoRegionIsAnError(t *testing.T) {
	environment(t, "")
	t.Setenv("AWS_REGION", "")
	if _, err := newClient(t.Context(), settings(), settings().accessOf(""), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("error is %v", err)
	}
	t.Setenv("AWS_REGION", "eu-west-1") // control
	mustClient(t)
}

func TestClientDoesNotRetryByItself(t *testing.T) {
	var c *Client
	var requests atomic.Int32
	srv := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if agent := r.UserAgent(); !strings.Contains(agent, "kafka-firehose") {
			t.Errorf("user agent is %s", agent)
		}
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusServiceUnavailable)
	}), &c)
	environment(t, srv.URL)
	t.Setenv("AWS_MAX_ATTEMPTS", "7")
	c = mustClient(t)
	if _, err := c.PutRecordBatch(t.Context(), input(1, 10)); err == nil {
		t.Error("no error")
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests for one call", n)
	}
}

func input(n, size int) *firehose.PutRecordBatchInput {
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String("orders")}
	for range n {
		in.Records = append(in.Records, types.Record{Data: bytes.Repeat([]byte("x"), size)})
	}
	return in
}

// acceptRecord answers that the record of a request was accepted.
func acceptRecord(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, _ = io.WriteString(w, `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"`+strings.Repeat("A", 224)+`"}]}`)
}

func TestCABundle(t *testing.T) {
	var c *Client
	srv := httptest.NewUnstartedServer(http.HandlerFunc(acceptRecord))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	t.Cleanup(func() { c.close() })
	environment(t, srv.URL)
	c = mustClient(t)
	_, err := c.PutRecordBatch(t.Context(), input(1, 10))
	if f := putbatch.ClassifyError(t.Context(), err, true); f.Class != putbatch.Blocked || f.Code != "tls" {
		t.Errorf("without the bundle: %s %v", f.Class, f)
	}
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	c.close()
	c = mustClient(t)
	if _, err := c.PutRecordBatch(t.Context(), input(1, 10)); err != nil {
		t.Errorf("with the bundle: %v", err)
	}
}

// net/http reads HTTPS_PROXY once a process, so a copy of the transport asks a
// function that reads it now. What is tested is that the transport has a Proxy
// function and goes where it says.
func TestProxy(t *testing.T) {
	if newTransport(settings()).GetTransport().Proxy == nil {
		t.Fatal("the transport ignores HTTPS_PROXY")
	}
	if os.Getenv("PROXY_CHILD") == "" {
		runProxyChild(t)
		return
	}
	c := mustClient(t)
	_, err := c.PutRecordBatch(t.Context(), input(1, 10))
	if err == nil {
		t.Fatal("the proxy let us through")
	}
	f := putbatch.ClassifyError(t.Context(), err, false)
	fmt.Printf("class %s %v\n", f.Class, f)
	c.close()
}

// The buffers of all connections are bounded, however many there may be.
func TestWriteBuffers(t *testing.T) {
	for inFlight, want := range map[int]int{1: 256 << 10, 16: 256 << 10, 64: 64 << 10, 10_000: 4 << 10} {
		cfg := settings()
		cfg.MaxInFlight = inFlight
		if got := newTransport(cfg).GetTransport().WriteBufferSize; got != want {
			t.Errorf("%d connections: %d bytes each, want %d", inFlight, got, want)
		}
	}
}

func TestUnavailableWhileTheBodyIsSent(t *testing.T) {
	var c *Client
	srv := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusServiceUnavailable) // without having read the body
	}), &c)
	environment(t, srv.URL)
	c = mustClient(t)
	for range 20 {
		_, err := c.PutRecordBatch(t.Context(), input(4, 1_000_000))
		if err == nil {
			t.Fatal("accepted")
		}
		// The answer, or the reset that followed it: either is sent again.
		if f := putbatch.ClassifyError(t.Context(), err, true); f.Class != putbatch.Unavailable && f.Class != putbatch.Ambiguous {
			t.Fatalf("class %s: %v", f.Class, f)
		}
	}
}

// A connection that the service closed while it was idle costs one more request
// and no waiting.
func TestStaleConnectionIsRetriedAtOnce(t *testing.T) {
	var c *Client
	var requests atomic.Int32
	srv := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 2 {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		acceptRecord(w, r)
	}), &c)
	environment(t, srv.URL)
	c = mustClient(t)
	w := &world{t: t, lease: offset.NewLease("orders", 3), reg: prometheus.NewRegistry()}
	w.use(c, settings())
	w.mustDeliver(w.batch(1, 10))
	w.mustDeliver(w.batch(1, 10))
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
	w.wantMetric(1, "records_ambiguous_total")
	if st := w.stream.State(); st.Reason != nil || st.InFlight != 0 {
		t.Errorf("%+v", st)
	}
}

func TestConnectionRefusedIsNotAmbiguous(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	environment(t, "http://"+l.Addr().String())
	_, err = mustClient(t).PutRecordBatch(t.Context(), input(1, 10))
	if f := putbatch.ClassifyError(t.Context(), err, false); f.Class != putbatch.Unavailable || f.Code != "connect" {
		t.Errorf("%s %v", f.Class, f)
	}
}

// The request's time is over before there is a connection to send it on: nothing
// can have been stored, and the line says where it got stuck.
func TestNoConnectionInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mended := make(chan struct{})
		stuck := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-mended
			return nil, net.ErrClosed
		}}
		svc := firehosetest.New(firehosetest.Options{Streams: []firehosetest.Stream{{Name: "orders"}}})
		var direct atomic.Bool
		w := newWorld(t, svc, settings(), func(o *firehose.Options) {
			o.HTTPClient = httpFunc(func(r *http.Request) (*http.Response, error) {
				if direct.Load() {
					return svc.Do(r)
				}
				return (&http.Client{Transport: stuck}).Do(r)
			})
		})
		w.start(t.Context(), w.batch(10, 100))
		time.Sleep(time.Minute)
		if w.log.count("no connection in time") != 1 || w.log.count("code=connect") != 1 {
			t.Errorf("log: %s", w.log.String())
		}
		direct.Store(true)
		w.wg.Wait()
		close(mended)
		w.wantOnce(10)
		w.wantMetric(0, "records_ambiguous_total")
	})
}

func TestNoCredentialsBlocks(t *testing.T) {
	environment(t, "http://127.0.0.1:1")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, err := mustClient(t).PutRecordBatch(t.Context(), input(1, 10))
	if f := putbatch.ClassifyError(t.Context(), err, false); f.Class != putbatch.Blocked || f.Code != "no_credentials" {
		t.Errorf("%s %v", f.Class, f)
	}
}

func TestAssumesRole(t *testing.T) {
	var c *Client
	var asked atomic.Int32
	srv := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Content-Type"), "form") {
			asked.Add(1)
			body, _ := io.ReadAll(r.Body)
			for _, want := range []string{"RoleSessionName=of-orders", "ExternalId=x123", "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fwriter"} {
				if !strings.Contains(string(body), want) {
					t.Errorf("no %s in %s", want, body)
				}
			}
			fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
				time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			return
		}
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=ROLE/") {
			t.Errorf("signed by %s", r.Header.Get("Authorization"))
		}
		acceptRecord(w, r)
	}), &c)
	environment(t, srv.URL)
	cfg := settings()
	cfg.RoleARN, cfg.RoleExternalID, cfg.RoleSessionName = "arn:aws:iam::123456789012:role/writer", "x123", "of-orders"
	var err error
	if c, err = newClient(t.Context(), cfg, cfg.accessOf(""), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := c.PutRecordBatch(t.Context(), input(1, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("the role was assumed %d times", asked.Load())
	}
	c.InvalidateCredentials()
	if _, err := c.PutRecordBatch(t.Context(), input(1, 10)); err != nil || asked.Load() != 2 {
		t.Errorf("after invalidation: %v, assumed %d times", err, asked.Load())
	}
}

// Credentials that the provider still thinks good are refused from some moment
// on. The stream must throw them away, and go on with new ones.
func TestExpiredCredentialsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := firehosetest.New(firehosetest.Options{
			Streams: []firehosetest.Stream{{Name: "orders"}},
			Credentials: []firehosetest.Credentials{
				{AccessKey: "OLD", SecretKey: "s", Expires: time.Now().Add(time.Minute)},
				{AccessKey: "NEW", SecretKey: "s"},
			},
		})
		var fetched atomic.Int32
		var key atomic.Value
		key.Store("OLD")
		w := newWorld(t, svc, settings(), func(o *firehose.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				fetched.Add(1)
				return aws.Credentials{AccessKeyID: key.Load().(string), SecretAccessKey: "s"}, nil
			})
		})
		w.mustDeliver(w.batch(10, 100))
		time.Sleep(2 * time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		w.start(ctx, w.batch(10, 100))
		time.Sleep(time.Minute)
		st := w.stream.State()
		if st.CredentialsRefused == nil || st.CredentialsRefused.Code != "ExpiredTokenException" || st.Blocked {
			t.Errorf("state: %+v", st)
		}
		if n := fetched.Load(); n < 10 || n > 80 {
			t.Errorf("credentials were fetched %d times in a minute", n)
		}
		w.wantMark(10)
		key.Store("NEW")
		time.Sleep(10 * time.Second)
		w.wantOnce(20)
		w.wantMark(20)
		if st := w.stream.State(); st.CredentialsRefused != nil {
			t.Errorf("state: %+v", st)
		}
		cancel()
		w.wg.Wait()
	})
}

type httpFunc func(*http.Request) (*http.Response, error)

func (f httpFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// TestNotFirehose: whoever answers in the place of Firehose is told apart from it. No record counts as one that may have
// arrived, except where the answer may be Firehose's own, cut.
func TestNotFirehose(t *testing.T) {
	for _, tt := range []struct {
		name, kind, id, body string
		status               int
		class                putbatch.FailureClass
		says                 string
	}{
		{"a login page", "text/html", "", "<html>Sign in", 200, putbatch.Blocked, "not_firehose: this is not Firehose's answer"},
		{"a page that refuses", "text/html", "", "<html>No", 403, putbatch.Blocked, "Forbidden: this is not Firehose's answer"},
		{"another service", "application/x-amz-json-1.1", "", `{"__type":"UnknownOperationException"}`, 400, putbatch.Blocked, "UnknownOperationException: this is not Firehose's answer"},
		{"a proxy in trouble", "text/html", "", "<html>No upstream", 503, putbatch.Unavailable, "Service Unavailable: this is not Firehose's answer"},
		{"a cut answer", "application/x-amz-json-1.1", "7f", `{"FailedPutCount":0,"Requ`, 200, putbatch.Ambiguous, "unreadable_answer: the answer was cut"},
		{"a page with Firehose's id", "text/html", "7f", "<html>", 200, putbatch.Ambiguous, "unreadable_answer: the answer was cut"},
		{"Firehose in trouble", "", "7f", "", 503, putbatch.Unavailable, "Service Unavailable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var c *Client
			srv := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", tt.kind)
				if tt.id != "" {
					w.Header().Set("X-Amzn-Requestid", tt.id)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}), &c)
			environment(t, srv.URL)
			c = mustClient(t)
			_, err := c.PutRecordBatch(t.Context(), input(1, 10))
			if f := putbatch.ClassifyError(t.Context(), err, true); f.Class != tt.class || !strings.HasPrefix(f.Error(), tt.says) || tt.id != "" && strings.Contains(f.Error(), "not Firehose") {
				t.Errorf("%s %v, want %s %s", f.Class, f, tt.class, tt.says)
			}
		})
	}
}
