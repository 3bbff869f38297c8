package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Probe reports why the process is not well; nil says that it is.
type Probe func() error

const (
	// maxScrapes is how many answers to /metrics are under way at a time, each of them in memory as text. A pair of
	// Prometheus servers and a person with a browser are three.
	maxScrapes = 8
	// maxConnections is how many clients are connected at a time, about 20 KiB each.
	maxConnections = 128
	// maxHeader bounds a request's header, in bytes; net/http allows 4 KiB more.
	maxHeader = 8 << 10
	// maxReason bounds the text of a probe, in bytes.
	maxReason = 16 << 10
	// headerTimeout bounds the time in which a client sends a request's header, and readTimeout a request.
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	// answerTimeout bounds the time from there until the client has the answer. Prometheus waits for ten seconds by default.
	answerTimeout = 15 * time.Second
	// idleTimeout is how long a connection without a request is kept, which is less than between two scrapes that are
	// far apart.
	idleTimeout = time.Minute
)

// Passes returns the error of a probe that passes and has something to tell all the same: the text comes after "ok". It is
// nil if reason is.
func Passes(reason error) error {
	if reason == nil {
		return nil
	}
	return passes{reason}
}

type passes struct{ error }

// Handler serves /metrics, /livez and /readyz. A failing probe answers 503 with
// its reason as text, a passing one 200 with "ok" (see Passes).
//
// live should fail for what a restart would cure and nothing else: an outage of
// Kafka or Firehose is not cured by one. ready may fail for those.
func Handler(g prometheus.Gatherer, live, ready Probe) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", &scrapeGate{
		next:      promhttp.HandlerFor(g, promhttp.HandlerOpts{EnableOpenMetrics: true}),
		slots:     make(chan struct{}, maxScrapes),
		gathering: make(chan struct{}, 1),
	})
	mux.HandleFunc("GET /livez", probeHandler(live))
	mux.HandleFunc("GET /readyz", probeHandler(ready))
	return mux
}

func probeHandler(p Probe) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		err := p()
		if err == nil {
			fmt.Fprintln(w, "ok")
			return
		}
		if _, ok := errors.AsType[passes](err); ok {
			fmt.Fprintln(w, "ok")
		} else {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		reason := err.Error()
		if len(reason) > maxReason {
			reason = reason[:maxReason] + "..."
		}
		fmt.Fprintln(w, reason)
	}
}

// scrapeGate bounds the memory of answers. Series are gathered for one of them at a time and become text before the client
// is asked to take it: clients that read slowly, or never, hold text and no series.
type scrapeGate struct {
	next      http.Handler
	slots     chan struct{}
	gathering chan struct{}
}

// ServeHTTP implements http.Handler.
func (s *scrapeGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		w.Header().Set("Connection", "close") // and with it requests that wait behind this one
		http.Error(w, fmt.Sprintf("%d scrapes are under way already", maxScrapes), http.StatusServiceUnavailable)
		return
	}
	text := bufferedAnswer{header: w.Header(), status: http.StatusOK}
	if !s.gatherOnce(&text, r) {
		return
	}
	w.WriteHeader(text.status)
	_, _ = text.body.WriteTo(w)
}

// gatherOnce reports whether it was its turn while the client waited, and has filled text.
func (s *scrapeGate) gatherOnce(text *bufferedAnswer, r *http.Request) bool {
	select {
	case s.gathering <- struct{}{}:
		defer func() { <-s.gathering }() // also when the handler panics: net/http continues after that
	case <-r.Context().Done():
		return false
	}
	s.next.ServeHTTP(text, r)
	return true
}

// bufferedAnswer is an http.ResponseWriter that keeps the answer.
type bufferedAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *bufferedAnswer) Header() http.Header { return a.header }

func (a *bufferedAnswer) Write(p []byte) (int, error) { return a.body.Write(p) }

func (a *bufferedAnswer) WriteHeader(status int) { a.status = status }

// Serve answers on l until ctx ends. Its errors go to the log, and not to
// standard error, where net/http would write them.
func Serve(ctx context.Context, l net.Listener, h http.Handler, to *slog.Logger) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: log.New(errorLog{to}, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(&trackingListener{Listener: l, open: map[*trackedConn]struct{}{}}); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics and probes on %s: %w", l.Addr(), err)
	}
	return nil
}

// errorLog are what net/http has to say.
type errorLog struct{ log *slog.Logger }

// Write implements io.Writer; p is a line.
func (c errorLog) Write(p []byte) (int, error) {
	c.log.Warn("metrics and probes: the HTTP server has trouble", "error", strings.TrimSpace(string(p)))
	return len(p), nil
}
