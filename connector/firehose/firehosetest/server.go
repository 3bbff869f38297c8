package firehosetest

import (
	"io"
	"maps"
	"net"
	"net/http"
)

// ServeHTTP answers r over the connection it came in on, and breaks that
// connection when a fault says so. It needs a server that speaks HTTP/1.1.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor > 1 {
		http.Error(w, "this service speaks HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	x := s.begin(r)
	a := x.handle()
	defer func() { x.end(a) }()
	switch a.ending {
	case reset, refused:
		resetConnection(w)
	case closed, left:
		// Unread bytes would turn the close into a reset.
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxBodyBytes))
		panic(http.ErrAbortHandler) // net/http closes the connection, and logs nothing
	default:
		x.write(w, a)
	}
}

// resetConnection makes the client see "connection reset by peer": a close with
// no linger time.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // not a real connection
		panic(http.ErrAbortHandler)
	}
	tcp := conn
	for { // a TLS connection has a TCP one inside
		inner, ok := tcp.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		tcp = inner.NetConn()
	}
	if l, ok := tcp.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	_ = tcp.Close()
}

// write sends the answer, in parts if it is slow, and drops the connection after
// it if it is cut.
func (x *exchange) write(w http.ResponseWriter, a answer) {
	maps.Copy(w.Header(), a.header())
	w.WriteHeader(a.statusCode())
	flush := http.NewResponseController(w).Flush
	if a.slow > 0 {
		_ = flush()
	}
	for rest := a.sent(); len(rest) > 0; {
		n := min(a.part(), len(rest))
		if !x.wait(a.slow / slowParts) {
			x.lost()
			return
		}
		if _, err := w.Write(rest[:n]); err != nil {
			x.lost()
			return
		}
		if rest = rest[n:]; a.slow > 0 {
			_ = flush()
		}
	}
	if a.ending == cut {
		_ = flush()
		panic(http.ErrAbortHandler)
	}
}
