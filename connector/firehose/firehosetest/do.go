package firehosetest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// Do answers r without a socket, as an [net/http.Client] would: it reads and
// closes the body, honours the context at every wait, and returns the errors
// that a network gives, inside a [net/url.Error].
func (s *Service) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = withoutBody(r)
	}
	defer func() { _ = r.Body.Close() }()
	if r.Context().Err() != nil {
		return nil, doError(r, context.Cause(r.Context()))
	}
	x := s.begin(r)
	a := x.handle()
	defer func() { x.end(a) }()
	if err := a.netError(r.Context()); err != nil {
		return nil, doError(r, err)
	}
	return a.response(x), nil
}

// withoutBody gives a request an empty body to read; r itself is the caller's.
func withoutBody(r *http.Request) *http.Request {
	r = r.WithContext(r.Context())
	r.Body = http.NoBody
	return r
}

// doError wraps err as http.Client.Do does.
func doError(r *http.Request, err error) error {
	op := "Get"
	if r.Method != "" {
		op = r.Method[:1] + strings.ToLower(r.Method[1:])
	}
	return &url.Error{Op: op, URL: r.URL.Redacted(), Err: err}
}

// netError is what a client's connection gives if no answer comes.
func (a answer) netError(ctx context.Context) error {
	broken := func(op, syscallName string, errno syscall.Errno) error {
		return &net.OpError{Op: op, Net: "tcp", Addr: fakeAddr{}, Err: os.NewSyscallError(syscallName, errno)}
	}
	switch a.ending {
	case reset:
		return broken("read", "read", syscall.ECONNRESET)
	case refused:
		return broken("dial", "connect", syscall.ECONNREFUSED)
	case closed:
		return io.EOF
	case left:
		if a.err != nil {
			return a.err
		}
		return context.Cause(ctx)
	}
	return nil
}

// fakeAddr stands for the service's address in errors.
type fakeAddr struct{}

func (fakeAddr) Network() string { return "tcp" }
func (fakeAddr) String() string  { return "firehosetest:443" }
