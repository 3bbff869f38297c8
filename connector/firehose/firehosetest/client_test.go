package firehosetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// TestDoIsAClient has what net/http's client does beside carrying the request.
func TestDoIsAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(func(o *firehosetest.Options) { o.Latency = firehosetest.Fixed(time.Minute) })

		body := &closer{Reader: strings.NewReader("{}")}
		r := call{}.request(t)
		r.Body, r.ContentLength = body, 2
		if _, err := s.Do(r); err != nil || !body.closed {
			t.Errorf("err %v, closed %v", err, body.closed)
		}

		cause := errors.New("own reason")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(30*time.Second, func() { cancel(cause) })
		c := put([]byte("x"))
		c.ctx = ctx
		start := time.Now()
		if _, err := s.Do(c.request(t)); !errors.Is(err, cause) || time.Since(start) != 30*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		if _, err := s.Do(c.request(t)); !errors.Is(err, cause) || s.Stats().Requests != 2 {
			t.Errorf("a request with a context that is over was sent: %v", err)
		}

		r = put([]byte("x")).request(t)
		r.ContentLength--
		if _, err := s.Do(r); err == nil || !strings.Contains(err.Error(), "with Body length") {
			t.Errorf("a body longer than announced: %v", err)
		}
		r = put([]byte("x")).request(t)
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broken{}))
		if _, err := s.Do(r); !errors.Is(err, syscall.EIO) {
			t.Errorf("a body that fails: %v", err)
		}
		r = call{}.request(t)
		r.Body, r.ContentLength = nil, 0
		resp, err := s.Do(r)
		if err != nil || resp.StatusCode != 400 {
			t.Errorf("no body: %v %v", resp, err)
		}
		if got := s.Stored("orders"); len(got) != 0 {
			t.Errorf("stored %v", got)
		}
	})
}

// TestBodyNotRead leaves an answer unread: the client was not told.
func TestBodyNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var unanswered []string
		s := newService(func(o *firehosetest.Options) {
			o.OnUnanswered = func(r firehosetest.Stored) {
				unanswered = append(unanswered, fmt.Sprintf("%s %t", r.Data, r.Answered))
			}
		})
		resp, err := s.Do(put([]byte("x")).request(t))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := s.Stored("orders"); len(got) != 1 || got[0].Answered {
			t.Errorf("got %+v", got)
		}

		s.SetFaults([]firehosetest.Fault{{Effect: firehosetest.SlowBody, Delay: time.Minute}})
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		c := put([]byte("y"))
		c.ctx = ctx
		if r := do(t, s, c); !errors.Is(r.err, context.DeadlineExceeded) || len(r.body) == 0 {
			t.Errorf("got %d bytes and %v", len(r.body), r.err)
		}
		if got := s.Stored("orders"); len(got) != 2 || got[1].Answered {
			t.Errorf("got %+v", got)
		}
		if got := s.Stats().Streams["orders"].Unanswered; got != 2 {
			t.Errorf("unanswered: %d", got)
		}
		s.SetFaults([]firehosetest.Fault{{Effect: firehosetest.EmptyObject, Stored: true}})
		do(t, s, put([]byte("z")))
		s.ClearFaults()
		do(t, s, put([]byte("answered")))
		if want := []string{"x false", "y false", "z false"}; !slices.Equal(unanswered, want) {
			t.Errorf("OnUnanswered: %q, want %q", unanswered, want)
		}
	})
}

type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, syscall.EIO }

// TestFrontEnd turns away what is no call.
func TestFrontEnd(t *testing.T) {
	s := newService(nil)
	for name, edit := range map[string]func(*http.Request){
		"method":       func(r *http.Request) { r.Method = http.MethodPut },
		"path":         func(r *http.Request) { r.URL.Path = "/other" },
		"content type": func(r *http.Request) { r.Header.Set("Content-Type", "application/json") },
	} {
		c := put([]byte("x"))
		c.edit = edit
		r := do(t, s, c)
		if r.wantError(t, 404, "UnknownOperationException", ""); r.header.Get("Connection") != "close" {
			t.Errorf("%s: the connection is kept", name)
		}
	}
	c := put([]byte("x"))
	c.edit = func(r *http.Request) { r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords") }
	do(t, s, c).wantError(t, 400, "UnknownOperationException", "")
	c.edit = func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }
	do(t, s, c).wantError(t, 400, "SerializationException", `Content-Encoding "gzip" is not accepted`)
	if st := s.Stats(); len(st.Streams) != 0 || st.Requests != 5 {
		t.Errorf("got %+v", st)
	}
}
