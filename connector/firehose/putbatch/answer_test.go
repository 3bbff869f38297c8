package putbatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func input(n, size int) *firehose.PutRecordBatchInput {
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String("orders")}
	for range n {
		in.Records = append(in.Records, types.Record{Data: bytes.Repeat([]byte("x"), size)})
	}
	return in
}

// eager answers as soon as it has the last byte of the body, and takes its time
// for the rest of the answer.
func eager(n int) http.Handler {
	entries := strings.Repeat(`{"RecordId":"`+strings.Repeat("A", 224)+`"},`, n)
	answer := []byte(`{"FailedPutCount":0,"RequestResponses":[` + strings.TrimSuffix(entries, ",") + `]}`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = w.Write(answer[:len(answer)/2])
		_ = http.NewResponseController(w).Flush()
		time.Sleep(100 * time.Millisecond)
		_, _ = w.Write(answer[len(answer)/2:])
	})
}

// lateConn lets the writer sleep after each write, as a busy CPU would: the
// answer begins before net/http has looked whether the body has more to give, and
// has not ended when it does.
type lateConn struct{ net.Conn }

func (c lateConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	time.Sleep(40 * time.Millisecond)
	return n, err
}

// An answer that comes before net/http's write loop has seen the body's end. With a
// body that the SDK has written, and without plainBody, an accepted put is reported as
// failed.
func TestBodyOutlivesAFastAnswer(t *testing.T) {
	for _, tt := range []struct{ ours, wrapped bool }{{true, true}, {false, true}, {false, false}} {
		t.Run(fmt.Sprintf("ours %v, wrapped %v", tt.ours, tt.wrapped), func(t *testing.T) {
			srv := httptest.NewServer(eager(500))
			defer srv.Close()
			late := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				return lateConn{conn}, err
			}}
			defer late.CloseIdleConnections()
			var client aws.HTTPClient = &http.Client{Transport: late}
			if tt.wrapped {
				client = plainBody{client}
			}
			api := sdk(client, tt.ours)
			// On a busy machine the race that the wrapper prevents needs more than five attempts.
			race, failed := !tt.ours && !tt.wrapped, 0
			for i := 0; i < 5 || race && failed == 0 && i < 200; i++ {
				x := &callExchange{}
				if _, err := api.PutRecordBatch(x.withExchange(t.Context()), input(1, 20_000), func(o *firehose.Options) { o.BaseEndpoint = &srv.URL }); err != nil {
					failed++
				}
			}
			if !race && failed > 0 {
				t.Errorf("%d of 5 accepted puts are reported as failed", failed)
			} else if race && failed == 0 {
				t.Error("the race did not happen in 200 attempts, so this test proves nothing")
			}
		})
	}
}

// The same in small: the body that reaches net/http has no WriteTo, whatever the
// SDK hands over, and still closes what is below.
func TestPlainBodyHidesWriteTo(t *testing.T) {
	body := &writerTo{}
	seen := false
	c := plainBody{httpFunc(func(r *http.Request) (*http.Response, error) {
		seen = true
		if _, ok := r.Body.(io.WriterTo); ok {
			t.Error("the body can WriteTo")
		}
		return nil, r.Body.Close()
	})}
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.Body = body
	if _, err := c.Do(r); err != nil || !seen || !body.closed {
		t.Errorf("error %v, seen %v, closed %v", err, seen, body.closed)
	}
}

type writerTo struct{ closed bool }

func (*writerTo) Read([]byte) (int, error)                    { return 0, io.EOF }
func (*writerTo) WriteTo(io.Writer) (int64, error)            { return 0, io.EOF }
func (w *writerTo) Close() error                              { w.closed = true; return nil }
func (f httpFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

type httpFunc func(*http.Request) (*http.Response, error)

// Whatever a 200 says, only what it proves is settled. The judge is a parser of
// its own, stricter than the SDK's.
func FuzzAnswer(f *testing.F) {
	ok := `{"RecordId":"a"}`
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"RequestResponses":[` + ok + `,` + ok + `,` + ok + `]}`,
		`{"FailedPutCount":0,"RequestResponses":[` + ok + `,` + ok + `]}`,
		`{"FailedPutCount":0,"RequestResponses":[` + ok + `,null,` + ok + `]}`,
		`{"FailedPutCount":0,"RequestResponses":[null,` + ok + `,` + ok + `,` + ok + `]}`,
		`{"FailedPutCount":0,"RequestResponses":[` + ok + `,{},{"ErrorCode":"X","RecordId":"a"}]}`,
		`{"FailedPutCount":3,"RequestResponses":[` + ok + `,` + ok + `,{"RecordId":""}]}`,
		`{"RequestResponses":[` + ok + `,` + ok + `,{"RecordId":null,"ErrorCode":null}]}`,
		`{"RequestResponses":[` + ok + `,` + ok + `,` + ok, `<html>`, `{"RequestResponses":{}}`,
		`{"RequestResponses":[` + ok + `],"RequestResponses":[` + ok + `,` + ok + `,` + ok + `]}`,
		`{"RequestResponses":[` + ok + `,` + ok + `,{"RecordId":5}]}`,
		`{"RequestResponses":[` + ok + `,` + ok + `,{"recordId":"a"}]}`,
		`{"RequestResponses":[` + ok + `,{},{"errorCode":"X","RecordId":"a"}]}`,
	} {
		f.Add([]byte(seed))
	}
	client := firehose.New(firehose.Options{Region: "us-east-1", Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := client.PutRecordBatch(t.Context(), input(3, 1), func(o *firehose.Options) {
			o.HTTPClient = httpFunc(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{"X-Amzn-Requestid": {"7f"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
			})
		})
		if err != nil {
			if fail := ClassifyError(t.Context(), err, true); fail.Class != Ambiguous {
				t.Errorf("an unreadable 200 is %s", fail.Class)
			}
			return
		}
		a, _ := new(callExchange).readAnswer(out, 3)
		if a == nil {
			return
		}
		proof := prove(body)
		for i := range 3 {
			if a.ErrorCode(i) == "" && !(len(proof) == 3 && proof[i]) {
				t.Errorf("record %d is settled by %q", i, body)
			}
		}
	})
}

// prove says which records an answer proves to be accepted. Of a repeated member
// the last counts. Names are compared exactly, as JSON has it: a map's are, those
// of a struct would not be.
func prove(body []byte) []bool {
	var out map[string]json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&out); err != nil {
		return nil
	}
	var entries []map[string]any
	if err := json.Unmarshal(out["RequestResponses"], &entries); err != nil {
		return nil
	}
	var proof []bool
	for _, e := range entries {
		id, _ := e["RecordId"].(string)
		code, failed := e["ErrorCode"].(string)
		proof = append(proof, id != "" && (e["ErrorCode"] == nil || failed && code == ""))
	}
	return proof
}

// TestLongAnswersAreNotRead: a server that never ends its answer, whatever its status, costs a call
// no more memory than the longest answer of Firehose. An answer that is a little shorter is read.
func TestLongAnswersAreNotRead(t *testing.T) {
	entries := `{"RequestResponses":[{"RecordId":"a"},{"RecordId":"a"},{"RecordId":"a"}]`
	tests := []struct {
		name     string
		status   int
		start    string
		blanks   int64
		accepted bool
		class    FailureClass
	}{
		{"200 without an end", 200, entries, 64 << 20, false, Ambiguous},
		{"200 of another server without an end", 200, "<html>", 64 << 20, false, Ambiguous},
		{"500 without an end", 500, `{"__type":"InternalFailure"`, 64 << 20, false, Unavailable},
		{"413 without an end", 413, "<html>", 64 << 20, false, TooLarge},
		{"200 within the limit", 200, entries, maxResponse - 1<<10, true, ""},
		{"500 within the limit", 500, `{"__type":"InternalFailure"`, maxResponse - 1<<10, false, Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := &blanks{left: tt.blanks}
			client := firehose.New(firehose.Options{
				Region: "us-east-1", Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
				HTTPClient: httpFunc(func(r *http.Request) (*http.Response, error) {
					return &http.Response{
						StatusCode: tt.status, Header: http.Header{"X-Amzn-Requestid": {"7f"}}, ContentLength: -1, Request: r,
						Body: io.NopCloser(io.MultiReader(strings.NewReader(tt.start), body, strings.NewReader("}"))),
					}, nil
				}),
			}, ConfigureClient)
			x := &callExchange{}
			out, err := client.PutRecordBatch(x.withExchange(t.Context()), input(3, 1))
			if read := tt.blanks - body.left; read > 2*maxResponse {
				t.Errorf("%d bytes of the answer were read", read)
			}
			if err != nil {
				if f := ClassifyError(t.Context(), err, true); tt.accepted || f.Class != tt.class {
					t.Errorf("class %q (%v), want %q", f.Class, f, tt.class)
				}
				return
			}
			if a, f := x.readAnswer(out, 3); !tt.accepted || f != nil || !a.AllAccepted() {
				t.Errorf("answer %v, failure %v", a, f)
			}
		})
	}
}

// blanks is a reader of that many blanks.
type blanks struct{ left int64 }

func (b *blanks) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), b.left)
	for i := range p[:n] {
		p[i] = ' '
	}
	b.left -= n
	return int(n), nil
}

func TestClassifyUnknownTrouble(t *testing.T) {
	if f := ClassifyError(t.Context(), errors.New("x"), true); f.Class != Ambiguous {
		t.Errorf("unknown trouble after sending is %s", f.Class)
	}
}
