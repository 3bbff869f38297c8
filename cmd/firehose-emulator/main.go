// Command firehose-emulator serves an emulated Amazon Data Firehose, package
// firehosetest, on a port of its own: for the AWS CLI, for compose files, and
// for anything that is not a Go test. Run it with -h for all it can do.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

func main() {
	// The first signal stops the server in order. After it the context's stop has
	// given signals their usual meaning back, so that a second one ends it at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // could not listen, or could not deliver
	exitUsage  = 2 // a flag holds what it does not accept
)

// run is the whole program: it serves until ctx is over.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cfg, err := parse(args, getenv, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "%v\nRun with -h for all flags.\n", err)
		return exitUsage
	}
	if err := serve(ctx, cfg, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitOK
}

// serve listens until ctx is over, lets the requests in flight end, and delivers
// what is buffered.
func serve(ctx context.Context, cfg config, stdout, stderr io.Writer) (err error) {
	if cfg.dir != "" {
		cfg.directory.OnError = func(err error) { fmt.Fprintln(stderr, err) }
		dir, err2 := firehosetest.NewDirectory(cfg.dir, cfg.directory)
		if err2 != nil {
			return err2
		}
		cfg.service.OnStored = dir.Store
		defer func() { err = errors.Join(err, dir.Close()) }()
	}
	svc := firehosetest.New(cfg.service)
	ln, err := net.Listen("tcp", cfg.listen)
	if err != nil {
		return fmt.Errorf("flag -listen: %w", err)
	}
	scheme := "http://"
	if cfg.tls != nil {
		scheme, ln = "https://", tls.NewListener(ln, cfg.tls)
	}
	// What hangs by fault ends when hard does, not before: a stop is no reason to
	// break requests that are on their way.
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	handler := svc.Handler()
	var handlers sync.WaitGroup
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers.Add(1)
			defer handlers.Done()
			handler.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return hard },
		ErrorLog:          log.New(stderr, "", 0),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	greet(stdout, scheme+ln.Addr().String(), cfg)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop(srv, cancel)
	handlers.Wait() // Close does not wait for them; nothing may be stored once the directory is closed
	summary(stdout, svc.Stats())
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// grace is how long requests in flight may take when the server stops.
const grace = 3 * time.Second

// stop ends the server: it waits for requests in flight, and then no longer.
func stop(srv *http.Server, cancel func()) {
	ctx, done := context.WithTimeout(context.Background(), grace)
	defer done()
	if srv.Shutdown(ctx) != nil {
		cancel()
		_ = srv.Close()
	}
}

// greet says where the service is and who may use it. Keys are printed only if
// they are the emulator's own: those of the environment may be real.
func greet(w io.Writer, url string, cfg config) {
	o := cfg.service
	var names []string
	for _, st := range o.Streams {
		names = append(names, st.Name)
	}
	fmt.Fprintf(w, "firehose-emulator: listening on %s\n", url)
	fmt.Fprintf(w, "  region %s, streams: %s\n", o.Region, strings.Join(names, ", "))
	switch {
	case len(o.Credentials) == 0:
		fmt.Fprintln(w, "  any access key is accepted")
	case cfg.ownKeys:
		fmt.Fprintf(w, "  AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s\n", o.Credentials[0].AccessKey, o.Credentials[0].SecretKey)
	default:
		fmt.Fprintf(w, "  access key %s, as given\n", o.Credentials[0].AccessKey)
	}
	if cfg.dir != "" {
		fmt.Fprintf(w, "  objects go to %s\n", cfg.dir)
	}
	fmt.Fprintf(w, "  admin: %s/_emulator/{faults,stats,streams,health}\n", url)
}

// summary says what happened.
func summary(w io.Writer, st firehosetest.Stats) {
	fmt.Fprintf(w, "firehose-emulator: stopped after %d requests\n", st.Requests)
	for name, s := range st.Streams {
		fmt.Fprintf(w, "  %s: %d records, %d bytes, %d billed, %d refused\n", name, s.Records, s.Bytes, s.Billed, s.Refused)
	}
}
