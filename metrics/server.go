package metrics

import (
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

// Handler serves /metrics, /livez and /readyz. A failing probe answers 503 with
// its reason as text, a passing one 200 with "ok".
//
// live should fail for what a restart would cure and nothing else: an outage of
// Kafka or Firehose is not cured by one. ready may fail for those.
func Handler(g prometheus.Gatherer, live, ready Probe) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /livez", probe(live))
	mux.HandleFunc("GET /readyz", probe(ready))
	return mux
}

func probe(p Probe) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := p(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// Serve answers on l until ctx ends. What is in its way goes to the log, and not to
// standard error, where net/http would write it.
func Serve(ctx context.Context, l net.Listener, h http.Handler, to *slog.Logger) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: log.New(complaints{to}, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics and probes on %s: %w", l.Addr(), err)
	}
	return nil
}

// complaints are what net/http has to say.
type complaints struct{ log *slog.Logger }

// Write implements io.Writer; p is a line.
func (c complaints) Write(p []byte) (int, error) {
	c.log.Warn("metrics and probes: the HTTP server has trouble", "error", strings.TrimSpace(string(p)))
	return len(p), nil
}
