package putbatch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/pool"
)

// reading is what becomes of the three records of a request.
type reading struct {
	Codes   []string // nil when the request failed
	Failure string
}

// readAnswer has an answer read as part of a stream's call, or by the SDK alone. length is
// what it says of its own.
func readAnswer(t *testing.T, body io.Reader, length int64, stock bool) (reading, *callExchange) {
	t.Helper()
	do := httpFunc(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: length, Body: io.NopCloser(body), Request: r}, nil
	})
	x := &callExchange{pool: pool.New[byte](1<<20, 16)}
	defer x.endExchange()
	out, err := sdk(plainBody{do}, !stock).PutRecordBatch(x.withExchange(t.Context()), input(3, 100))
	if err != nil {
		f := ClassifyError(t.Context(), err, true)
		return reading{Failure: fmt.Sprintf("%s %v", f.Class, f)}, x
	}
	a, f := x.readAnswer(out, 3)
	if f != nil {
		return reading{Failure: fmt.Sprintf("%s %v", f.Class, f)}, x
	}
	v := reading{Codes: []string{}}
	for i := range 3 {
		v.Codes = append(v.Codes, a.ErrorCode(i))
	}
	return v, x
}

// alike checks that an answer means the same whoever reads it.
func alike(t *testing.T, body func() io.Reader, length int64) *callExchange {
	t.Helper()
	want, _ := readAnswer(t, body(), length, true)
	got, x := readAnswer(t, body(), length, false)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the SDK reads it differently: %s", diff)
	}
	return x
}

// answers, and how many records they prove to be accepted in the usual form; 0 for
// those that the SDK has to read.
var answers = map[string]int{
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}`:                                           3,
	`{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}`:      3,
	" {\n\"RequestResponses\" : [ {\t\"RecordId\" : \"a\" } , {\"RecordId\":\"b\"}\r]\n, \"Encrypted\":true } \n":         2,
	`{"Encrypted":true,"RequestResponses":[{"RecordId":"12345678"},{"RecordId":"0123456789abcdef~"}],"FailedPutCount":0}`: 2,
	`{"RequestResponses":[]}`: 0,
	``:                        0,
	`{}`:                      0,
	`null`:                    0,
	`[]`:                      0,
	`{"FailedPutCount":0}`:    0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]`:                                                  0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}`:                                                   0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"`:                                                    0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c`:                                                     0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}}`:                                                0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"},]}`:                                                0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}],}`:                                                0,
	`{"RequestResponses":[{"RecordId":"a"} {"RecordId":"b"},{"RecordId":"c"}]}`:                                                 0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":""},{"RecordId":"c"}]}`:                                                  0,
	`{"RequestResponses":[{"RecordId":"a"},{},{"RecordId":"c"}]}`:                                                               0,
	`{"RequestResponses":[{"RecordId":"a"},null,{"RecordId":"c"}]}`:                                                             0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":null},{"RecordId":"c"}]}`:                                                0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":5},{"RecordId":"c"}]}`:                                                   0,
	`{"RequestResponses":[{"RecordId":"a"},{"recordId":"b"},{"RecordId":"c"}]}`:                                                 0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b","ErrorCode":"X"},{"RecordId":"c"}]}`:                                 0,
	`{"RequestResponses":[{"RecordId":"a"},{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"slow"},{"RecordId":""}]}`: 0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b\\"},{"RecordId":"c"}]}`:                                               0,
	`{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b\u0000"},{"RecordId":"c"}]}`:                                           0,
	"{\"RequestResponses\":[{\"RecordId\":\"a\"},{\"RecordId\":\"b\n\"},{\"RecordId\":\"c\"}]}":                                 0,
	"{\"RequestResponses\":[{\"RecordId\":\"a\"},{\"RecordId\":\"b\xff\"},{\"RecordId\":\"c\"}]}":                               0,
	`{"RequestResponses":[{"RecordId":"a"}],"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}`:           0,
	`{"FailedPutCount":0,"FailedPutCount":0,"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}`:           0,
	`{"FailedPutCount":3,"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}`:                              0,
	`{"FailedPutCount":00,"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}`:                             0,
	`{"Encrypted":falsehood,"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}`:                           0,
	`{"More":1,"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}`:                                        0,
	`<html>`: 0,
}

func TestUsual(t *testing.T) {
	for body, want := range answers {
		n, _, ok := scanUsual([]byte(body))
		if got := map[bool]int{true: n}[ok]; got != want {
			t.Errorf("%s\nproves that %d records were accepted, want %d", body, got, want)
		}
		x := alike(t, func() io.Reader { return strings.NewReader(body) }, int64(len(body)))
		if x.accepted != want {
			t.Errorf("%s\nwas read as %d records", body, x.accepted)
		}
	}
}

// However an answer comes: with its length or without, byte by byte, cut, too long for
// our buffer, and with an error after its last byte.
func TestAnswersComeInPieces(t *testing.T) {
	const scanUsual = `{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"c"}]}`
	long := `{"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"},{"RecordId":"` + strings.Repeat("c", maxAnswer) + `"}]}`
	blanks := scanUsual + strings.Repeat(" ", maxAnswer)
	whole := func(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }
	broken := func(s string) func() io.Reader {
		return func() io.Reader { return io.MultiReader(strings.NewReader(s), iotest.ErrReader(errors.New("reset"))) }
	}
	for _, tt := range []struct {
		name   string
		body   func() io.Reader
		length int64
		quick  bool
	}{
		{"all at once", whole(scanUsual), int64(len(scanUsual)), true},
		{"without a length", whole(scanUsual), -1, true},
		{"byte by byte", func() io.Reader { return iotest.OneByteReader(strings.NewReader(scanUsual)) }, int64(len(scanUsual)), true},
		{"the end with the last byte", func() io.Reader { return iotest.DataErrReader(strings.NewReader(scanUsual)) }, int64(len(scanUsual)), true},
		{"longer than it says", whole(scanUsual + "  "), int64(len(scanUsual)), false},
		{"shorter than it says", whole(scanUsual), int64(len(scanUsual)) + 10, true}, // net/http makes that an error
		{"broken in the middle", broken(scanUsual[:40]), int64(len(scanUsual)), false},
		{"broken at the end", broken(scanUsual), int64(len(scanUsual)), false},
		{"long", whole(long), int64(len(long)), false},
		{"long without a length", whole(long), -1, false},
		{"as long as it may be", whole(blanks[:maxAnswer]), -1, true},
		{"a byte longer", whole(blanks[:maxAnswer+1]), -1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if x := alike(t, tt.body, tt.length); (x.accepted == 3) != tt.quick {
				t.Errorf("read as %d records, want that in one go to be %v", x.accepted, tt.quick)
			}
		})
	}
}

// FuzzUsual compares our reading of an answer with the SDK's.
func FuzzUsual(f *testing.F) {
	for body := range answers {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		alike(t, func() io.Reader { return bytes.NewReader(body) }, int64(len(body)))
	})
}

func TestPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	edges := []byte{0, 0x1f, 0x20, '"', '[', '\\', ']', 0x7e, 0x7f, 0x80, 0x9f, 0xa0, 0xff}
	for range 100_000 {
		text := bytes.Repeat([]byte("a"), rng.IntN(20))
		want := true
		for range rng.IntN(3) {
			if len(text) > 0 {
				text[rng.IntN(len(text))] = edges[rng.IntN(len(edges))]
			}
		}
		for _, c := range text {
			want = want && c >= 0x20 && c < 0x80 && c != '\\'
		}
		if isPlain(text) != want {
			t.Fatalf("plain(%q) is %v", text, !want)
		}
	}
}

// BenchmarkAnswer reads the answer to a full request of which all was accepted.
func BenchmarkAnswer(b *testing.B) {
	entry := `{"RecordId":"` + strings.Repeat("A", 224) + `"},`
	body := []byte(`{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[` + strings.Repeat(entry, 499) + strings.TrimSuffix(entry, ",") + `]}`)
	in := input(500, 200)
	for _, stock := range []bool{true, false} {
		b.Run(map[bool]string{true: "stock", false: "ours"}[stock], func(b *testing.B) {
			client := sdk(httpFunc(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
			}), true)
			buffers := pool.New[byte](1<<20, 16)
			b.ReportAllocs()
			for b.Loop() {
				x := &callExchange{pool: buffers}
				ctx := x.withExchange(b.Context())
				if stock {
					ctx = b.Context()
				}
				out, err := client.PutRecordBatch(ctx, in)
				if err != nil {
					b.Fatal(err)
				}
				if _, f := x.readAnswer(out, 500); f != nil {
					b.Fatal(f)
				}
				x.endExchange()
			}
		})
	}
}
