package floor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/segmentio/asm/base64"
)

// The buffers of a connection. With the 4 KiB of net/http a body is copied once more, in
// pieces of 32 KiB with a system call each; with these it costs as much as one write to a
// socket would.
const (
	writeBuffer = 256 << 10
	readBuffer  = 64 << 10
)

func newClient(o Options) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: o.TLS, MaxIdleConnsPerHost: o.InFlight,
		WriteBufferSize: writeBuffer, ReadBufferSize: readBuffer,
	}}
}

// sender makes one request at a time.
type sender struct {
	options Options
	client  *http.Client // of all senders
	keys    signer
	body    []byte
}

func (s *sender) run(ctx context.Context, full <-chan *batch, empty chan<- *batch) error {
	for {
		select {
		case b := <-full:
			s.encode(b)
			select {
			case empty <- b:
			default:
			}
			if err := s.send(ctx); err != nil {
				return fmt.Errorf("put: %w", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// encode writes the body of the batch.
func (s *sender) encode(b *batch) {
	size := len(s.options.Stream) + 64 + base64.StdEncoding.EncodedLen(len(b.data)) + len(b.ends)*16
	if cap(s.body) < size {
		s.body = make([]byte, 0, size)
	}
	out, from := s.body[:0], 0
	out = append(append(append(out, `{"DeliveryStreamName":"`...), s.options.Stream...), `","Records":[`...)
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
	out = append(out, `]}`...)
	s.body = out
}

// send signs and writes what is encoded, and reads the answer to its end.
func (s *sender) send(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.Endpoint, bytes.NewReader(s.body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(s.body)
	s.keys.sign(r, time.Now().UTC(), hex.EncodeToString(sum[:]))
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the answer is %s", answer.Status)
	}
	return err
}
