package e2e_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector"
	"kafka-firehose/connector/longtest"
	"kafka-firehose/metrics"
)

// The codes of a nameServer's answers.
const (
	found    = 0
	failed   = 2  // SERVFAIL
	notFound = 3  // NXDOMAIN
	nothing  = -1 // it is silent
)

// nameServer is a DNS server that says of each name that it is this machine, or
// that it knows nothing.
type nameServer struct {
	conn  net.PacketConn
	code  atomic.Int32
	asked atomic.Int32
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := &nameServer{conn: conn}
	go s.serve()
	return s
}

func (s *nameServer) serve() {
	buf := make([]byte, 1500)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		s.asked.Add(1)
		if code := s.code.Load(); code != nothing && n > 12 {
			_, _ = s.conn.WriteTo(reply(buf[:n], int(code)), from)
		}
	}
}

// reply answers a query of one question (RFC 1035, section 4.1).
func reply(query []byte, code int) []byte {
	end := 12 + bytes.IndexByte(query[12:], 0) + 5 // header, name, type, class
	kind := binary.BigEndian.Uint16(query[end-4:])
	out := append([]byte{}, query[:end]...)
	binary.BigEndian.PutUint16(out[2:], 0x8180|uint16(code)) // an answer, recursion available
	copy(out[6:12], make([]byte, 6))                         // nothing but the question, so far
	if code == found && kind == 1 {                          // A
		out[7] = 1
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1) // the name again, for 0 s
	}
	return out
}

// client is an HTTP client that resolves names here.
func (s *nameServer) client(t *testing.T) *http.Client {
	t.Helper()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", s.conn.LocalAddr().String())
	}}
	transport := &http.Transport{DialContext: (&net.Dialer{Resolver: resolver}).DialContext}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestNameStopsResolving: connections that are there go on; when they end the
// stream is blocked, in one line that names the host, asks seldom, and resumes by
// itself when the name resolves again. From a name server that is silent the
// request's time may be over before the resolver's, which is an outage.
func TestNameStopsResolving(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	for name, code := range map[string]int32{"NXDOMAIN": notFound, "SERVFAIL": failed, "silence": nothing} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			network := h.via(strings.TrimPrefix(h.url, "http://"))
			names := newNameServer(t)
			_, port, err := net.SplitHostPort(network.Addr())
			if err != nil {
				t.Fatal(err)
			}
			m := h.inside(t, func(o *awsfirehose.Options) {
				o.Region, o.BaseEndpoint = "us-east-1", aws.String("http://firehose.us-east-1.example:"+port)
				o.Credentials = credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")
				o.HTTPClient = names.client(t)
			})
			h.produce(100)
			h.delivered(30 * time.Second)
			names.code.Store(code)
			h.produce(100)
			h.delivered(30 * time.Second) // over the connection that is there
			network.Cut()
			h.produce(100)
			m.until("it says why", func() bool {
				return strings.Contains(m.log.String(), "code=dns") || code == nothing && strings.Contains(m.log.String(), "code=connect")
			})
			before, since := names.asked.Load(), time.Now()
			<-time.After(3 * time.Second)
			if n, most := names.asked.Load()-before, 20*int32(time.Since(since)/time.Second); n > most {
				t.Errorf("the name was asked for %d times in %v, want at most %d", n, time.Since(since), most)
			}
			if err := m.connector.Ready(); code != nothing && (err == nil || !strings.Contains(err.Error(), "firehose.us-east-1.example")) {
				t.Errorf("readiness: %v", err)
			}
			names.code.Store(found)
			h.delivered(time.Minute)
			if err := m.connector.Ready(); err != nil {
				t.Errorf("readiness at the end: %v", err)
			}
			m.cancel()
			if err := <-m.done; err != nil {
				t.Errorf("the drain: %v", err)
			}
			if n := strings.Count(m.log.String(), "level=ERROR"); n > 1 || n == 0 && code != nothing {
				t.Errorf("%d error lines\n%s", n, m.log.String())
			}
			if lost, copies := h.judge.count(h.produced); lost > 0 || copies > 0 {
				t.Errorf("of %d records %d are lost and %d came twice", h.produced, lost, copies)
			}
			h.judge.verdict(t)
		})
	}
}

// insider is a connector in the test's own process, in real time.
type insider struct {
	t         *testing.T
	connector *connector.Connector
	log       lockedBuffer
	cancel    context.CancelFunc
	done      chan error
}

// inside runs a connector whose way to Firehose a test can change.
func (h *host) inside(t *testing.T, firehose func(*awsfirehose.Options)) *insider {
	t.Helper()
	cfg := connector.DefaultConfig()
	cfg.Kafka.Brokers, cfg.Kafka.Topics, cfg.Kafka.GroupID = h.cluster.ListenAddrs(), []string{"in"}, group
	cfg.Kafka.CommitInterval = 100 * time.Millisecond
	cfg.Firehose.Stream, cfg.Firehose.StartupCheck = "s", false
	// Not so short that a busy machine makes an answer late: what comes twice then is no
	// matter of names.
	cfg.Firehose.BatchLinger, cfg.Firehose.RequestTimeout = 50*time.Millisecond, 4*time.Second
	m := &insider{t: t, done: make(chan error, 1)}
	var err error
	m.connector, err = connector.New(t.Context(), cfg, connector.Options{
		Log: slog.New(slog.NewTextHandler(&m.log, nil)), Metrics: metrics.New(prometheus.NewRegistry()),
		Firehose: []func(*awsfirehose.Options){firehose},
	})
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	t.Cleanup(m.cancel)
	go func() { m.done <- m.connector.Run(ctx) }()
	return m
}

func (m *insider) until(what string, done func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("waited in vain until %s\n%s", what, m.log.String())
		}
	}
}
