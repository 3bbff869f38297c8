package putbatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"kafka-firehose/connector/longtest"
	"kafka-firehose/connector/pool"
)

// letters is a put of records that hold nothing but one letter.
func letters(letter byte, records, size int) *firehose.PutRecordBatchInput {
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String("orders")}
	for range records {
		in.Records = append(in.Records, types.Record{Data: bytes.Repeat([]byte{letter}, size)})
	}
	return in
}

// wantLetters checks that a body holds the records of the request that it is of.
func wantLetters(body io.Reader, letter byte, records, size int) error {
	var in struct{ Records []struct{ Data []byte } }
	if err := json.NewDecoder(body).Decode(&in); err != nil {
		return fmt.Errorf("a body can't be read: %w", err)
	}
	if len(in.Records) != records {
		return fmt.Errorf("%d records, want %d", len(in.Records), records)
	}
	for _, r := range in.Records {
		if len(r.Data) != size || bytes.Count(r.Data, []byte{letter}) != size {
			return fmt.Errorf("a body has records of another request: %.20q, want only %c", r.Data, letter)
		}
	}
	return nil
}

// A buffer serves the next request when the call has returned, and not before: another
// one is made and sent while a first is on its way.
func TestBodiesDoNotShareABuffer(t *testing.T) {
	buffers := pool.New[byte](16<<20, 16)
	put := func(letter byte, do httpFunc) {
		x := &callExchange{pool: buffers}
		_, _ = sdk(plainBody{do}, true).PutRecordBatch(x.withExchange(t.Context()), letters(letter, 10, 1000))
		x.endExchange()
	}
	depth := 0
	var nested httpFunc
	nested = func(r *http.Request) (*http.Response, error) {
		letter := byte('a' + depth)
		if depth++; depth < 3 {
			put('a'+byte(depth), nested)
		}
		if err := wantLetters(r.Body, letter, 10, 1000); err != nil {
			t.Error(err)
		}
		return nil, errors.New("not sent")
	}
	put('a', nested)
	if depth != 3 {
		t.Errorf("%d requests, want 3", depth)
	}
	x := &callExchange{pool: buffers}
	x.writeRequest("orders", letters('x', 10, 1000).Records)
	first := &x.body[0]
	x.endExchange()
	x.writeRequest("orders", letters('y', 10, 1000).Records)
	if first != &x.body[0] {
		t.Error("the buffer of a call that has returned is not used again")
	}
}

// The buffer of a body is used again once the HTTP client has written the request. When
// the call returns before that, what is still being written stays what it is.
func TestBodiesBeingWrittenAreKept(t *testing.T) {
	buffers := pool.New[byte](16<<20, 16)
	var late sync.WaitGroup
	returned := make(chan struct{})
	put := func(letter byte, written bool) (buffer *byte) {
		x := &callExchange{pool: buffers}
		defer x.endExchange()
		_, _ = sdk(plainBody{httpFunc(func(r *http.Request) (*http.Response, error) {
			buffer = &x.body[0]
			trace, body := httptrace.ContextClientTrace(r.Context()), r.Body
			trace.GetConn("")
			trace.GotConn(httptrace.GotConnInfo{})
			write := func() {
				if err := wantLetters(body, letter, 10, 1000); err != nil {
					t.Error(err)
				}
				trace.WroteRequest(httptrace.WroteRequestInfo{})
			}
			if written {
				write()
			} else {
				late.Go(func() { <-returned; write() })
			}
			return nil, errors.New("no answer")
		})}, true).PutRecordBatch(x.withExchange(t.Context()), letters(letter, 10, 1000))
		return buffer
	}
	first := put('a', true)
	if put('b', false) != first {
		t.Error("the buffer of a request that was written is not used again")
	}
	if put('c', true) == first {
		t.Error("the buffer of a request is used again while that is being written")
	}
	close(returned)
	late.Wait()
}

// Over real connections, with HTTP/1.1 and 2: of each three requests one is refused
// before its body was read, one runs out of time while it is sent, and the third must
// arrive as it was written. All share a pool.
func TestBodiesOverConnections(t *testing.T) {
	const records, size = 20, 20_000
	rounds := longtest.Pick(9, 30)
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2 %v", http2), func(t *testing.T) {
			var arrived atomic.Int32
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if http2 != (r.ProtoMajor == 2) {
					t.Errorf("it came by %s", r.Proto)
				}
				letter := r.Header.Get("X-Letter")[0]
				switch letter % 3 {
				case 0:
					w.WriteHeader(http.StatusServiceUnavailable)
				case 1:
					_, _ = io.CopyBuffer(io.Discard, struct{ io.Reader }{r.Body}, make([]byte, 512))
					<-r.Context().Done()
				case 2:
					var body bytes.Buffer
					if _, err := body.ReadFrom(r.Body); err != nil {
						return // the connection of one that was refused
					}
					if err := wantLetters(&body, letter, records, size); err != nil {
						t.Error(err)
					}
					arrived.Add(1)
					w.Header().Set("Content-Type", "application/x-amz-json-1.1")
					_, _ = io.WriteString(w, `{"RequestResponses":[`+strings.Repeat(`{"RecordId":"a"},`, records-1)+`{"RecordId":"a"}]}`)
				}
			}))
			srv.EnableHTTP2 = http2
			srv.StartTLS()
			defer srv.Close()
			defer srv.Client().CloseIdleConnections()
			client, buffers := sdk(plainBody{srv.Client()}, true), pool.New[byte](16<<20, 16)
			var calls sync.WaitGroup
			for worker := range 6 {
				calls.Go(func() {
					for round := range rounds {
						letter := byte('a' + (worker*4+round)%24)
						x := &callExchange{pool: buffers}
						ctx, cancel := context.WithCancel(x.withExchange(t.Context()))
						if letter%3 == 1 {
							time.AfterFunc(time.Duration(round)*time.Millisecond/4, cancel)
						}
						out, err := client.PutRecordBatch(ctx, letters(letter, records, size), func(o *firehose.Options) {
							o.BaseEndpoint = &srv.URL
						}, firehose.WithAPIOptions(smithyhttp.SetHeaderValue("X-Letter", string(letter))))
						x.endExchange()
						cancel()
						if letter%3 != 2 {
							continue
						}
						if err != nil {
							t.Errorf("a put that was taken: %v", err)
						} else if a, f := x.readAnswer(out, records); f != nil || a.Left > 0 {
							t.Errorf("a put that was taken: %v, of it %+v", f, a)
						}
					}
				})
			}
			calls.Wait()
			if n := int(arrived.Load()); n != 6*rounds/3 {
				t.Errorf("%d bodies arrived, want %d", n, 6*rounds/3)
			}
		})
	}
}
