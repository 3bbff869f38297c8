package floor

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/segmentio/asm/base64"
)

// headRoom is what is left free in front of a body, so that head and body are one write.
const headRoom = 1 << 10

// sender makes one request at a time, on a connection that it keeps.
type sender struct {
	options Options
	keys    signer
	conn    net.Conn
	answers *bufio.Reader
	buf     []byte // head and body
}

func (s *sender) run(ctx context.Context, full <-chan *batch, empty chan<- *batch) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect to Firehose: %w", err)
	}
	s.conn, s.answers = conn, bufio.NewReaderSize(conn, 64<<10)
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	for {
		select {
		case b := <-full:
			s.encode(b)
			select {
			case empty <- b:
			default:
			}
			if err := s.send(); err != nil {
				return fmt.Errorf("put: %w", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *sender) dial(ctx context.Context) (net.Conn, error) {
	if s.options.TLS == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", s.options.Endpoint)
	}
	return (&tls.Dialer{Config: s.options.TLS}).DialContext(ctx, "tcp", s.options.Endpoint)
}

// encode writes the body of the batch behind the room for the head.
func (s *sender) encode(b *batch) {
	size := headRoom + 100 + base64.StdEncoding.EncodedLen(len(b.data)) + len(b.ends)*16
	if cap(s.buf) < size {
		s.buf = make([]byte, size)
	}
	out := append(append(append(s.buf[:headRoom], `{"DeliveryStreamName":"`...), s.options.Stream...), `","Records":[`...)
	from := 0
	for i, end := range b.ends {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"Data":"`...)
		at, n := len(out), base64.StdEncoding.EncodedLen(end-from)
		out = out[:at+n]
		base64.StdEncoding.Encode(out[at:], b.data[from:end])
		out = append(out, `"}`...)
		from = end
	}
	s.buf = append(out, `]}`...)
}

// send signs and writes what is encoded, and reads the answer to its end.
func (s *sender) send() error {
	sum := sha256.Sum256(s.buf[headRoom:])
	head := s.keys.head(time.Now().UTC(), hex.EncodeToString(sum[:]), len(s.buf)-headRoom)
	from := headRoom - len(head)
	copy(s.buf[from:], head)
	if _, err := s.conn.Write(s.buf[from:]); err != nil {
		return err
	}
	answer, err := http.ReadResponse(s.answers, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer is %s", answer.Status)
	}
	return err
}
