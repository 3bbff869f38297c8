package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
	"kafka-firehose/metrics"
)

// world is a registry without a network, in one synctest bubble.
type world struct {
	*Registry
	fake *srfake.Registry
	log  bytes.Buffer
	ctx  context.Context // of attempts: it ends with the test

	mu       sync.Mutex
	requests []string
	answer   func(*http.Request) (*http.Response, error) // instead of the fake, if it gives one
}

// RoundTrip implements http.RoundTripper.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.requests = append(w.requests, r.URL.RequestURI())
	answer := w.answer
	w.mu.Unlock()
	time.Sleep(time.Millisecond)
	if answer != nil {
		if resp, err := answer(r); resp != nil || err != nil {
			return resp, err
		}
	}
	rec := httptest.NewRecorder()
	w.fake.Handler().ServeHTTP(rec, r)
	return rec.Result(), nil
}

// answers sets what is answered from now on; nil for the fake's own answers.
func (w *world) answers(f func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

func (w *world) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.requests)
}

// status answers with a code and a body.
func status(code int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func refused(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
}

// text is a Schema that remembers what it was made of.
type text string

func (text) Append(dst, _ []byte, _ convert.Index, _ int) ([]byte, error) { return dst, nil }

func bubble(t *testing.T, cfg Config, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer synctest.Wait()
		defer cancel()
		w := &world{fake: srfake.NewRegistry(), ctx: ctx}
		if cfg.URLs == nil {
			cfg.URLs = []string{"https://registry.example/sub"}
		}
		var err error
		w.Registry, err = New(cfg, Options{
			Transport: stripped{w}, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Metrics: metrics.New(prometheus.NewRegistry()).Schema,
			Compile: func(d convert.Definition) (convert.Schema, error) {
				if strings.Contains(d.Text, "spoiled") {
					return nil, errors.New("it is spoiled")
				}
				all := d.Kind + " " + d.Text
				for _, r := range d.References {
					all += " " + r.Name + "=" + r.Text
				}
				return text(all), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		f(w)
	})
}

// stripped takes the path of the address off, which the fake does not have.
type stripped struct{ next http.RoundTripper }

func (s stripped) RoundTrip(r *http.Request) (*http.Response, error) {
	path, ok := strings.CutPrefix(r.URL.Path, "/sub")
	if !ok {
		return status(404, "not here")(r)
	}
	r = r.Clone(r.Context())
	r.URL.Path = path
	return s.next.RoundTrip(r)
}

// wait asks until the schema is there, or known to be bad, or until the time is over.
func (w *world) wait(ref convert.Ref, most time.Duration) (convert.Schema, error) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for {
		s, err := w.Schema(ref)
		if _, missing := errors.AsType[*convert.Missing](err); !missing {
			return s, err
		}
		select {
		case <-w.Fetch(w.ctx, ref):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func byID(id uint32) convert.Ref { return convert.Ref{ID: id} }

func TestFetchesOnce(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.fake.SeedSchema("s", 1, 7, sr.Schema{Schema: `"int"`})
		var lanes sync.WaitGroup
		for range 10 {
			lanes.Go(func() {
				if s, err := w.wait(byID(7), time.Minute); err != nil || s != text(`avro "int"`) {
					t.Errorf("%v, %v", s, err)
				}
			})
		}
		lanes.Wait()
		if n := w.asked(); n != 1 {
			t.Errorf("%d requests for ten lanes: %q", n, w.requests)
		}
	})
}

func TestByGUID(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		ref := convert.Ref{GUID: [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 1, 2, 3, 4, 5, 6, 7}}
		w.answers(status(200, `{"schema":"{}","schemaType":"JSON","guid":"x","id":3}`))
		if s, err := w.wait(ref, time.Minute); err != nil || s != text("json-schema {}") {
			t.Errorf("%v, %v", s, err)
		}
		if want := "/schemas/guids/01234567-89ab-cdef-0001-020304050607"; w.requests[0] != want {
			t.Errorf("asked %s, want %s", w.requests[0], want)
		}
	})
}

// TestReferences: each after those that it refers to itself, once.
func TestReferences(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		ref := func(names ...string) (refs []sr.SchemaReference) {
			for _, n := range names {
				refs = append(refs, sr.SchemaReference{Name: n, Subject: n, Version: 1})
			}
			return refs
		}
		w.fake.SeedSchema("d", 1, 1, sr.Schema{Schema: `"d"`})
		w.fake.SeedSchema("b", 1, 2, sr.Schema{Schema: `"b"`, References: ref("d")})
		w.fake.SeedSchema("c", 1, 3, sr.Schema{Schema: `"c"`, References: ref("d")})
		w.fake.SeedSchema("a", 1, 4, sr.Schema{Schema: `"a"`, References: ref("b", "c")})
		if s, err := w.wait(byID(4), time.Minute); err != nil || s != text(`avro "a" d="d" b="b" c="c"`) {
			t.Errorf("%v, %v", s, err)
		}
		for _, r := range w.requests[1:] {
			if !strings.Contains(r, "deleted=true") {
				t.Errorf("%s does not ask for what was deleted", r)
			}
		}
	})
}

// TestReferencesWithoutEnd: a registry may claim anything.
func TestReferencesWithoutEnd(t *testing.T) {
	for name, body := range map[string]string{
		"to itself": `{"schema":"x","references":[{"name":"n","subject":"s","version":1}]}`,
		"gone":      "",
	} {
		bubble(t, Config{}, func(w *world) {
			w.answers(func(r *http.Request) (*http.Response, error) {
				if body == "" && strings.HasPrefix(r.URL.Path, "/subjects") {
					return status(404, `{"error_code":40402,"message":"Version 1 not found."}`)(r)
				}
				return status(200, `{"schema":"x","references":[{"name":"n","subject":"s","version":1}]}`)(r)
			})
			_, err := w.wait(byID(1), time.Minute)
			wantReject(t, name, err, convert.Undecodable, "refers to")
			if n := w.asked(); n > 3 {
				t.Errorf("%s: %d requests", name, n)
			}
		})
	}
}

func wantReject(t *testing.T, name string, err error, reason convert.Reason, text string) {
	t.Helper()
	reject, ok := errors.AsType[*convert.Reject](err)
	if !ok || reject.Reason != reason || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want %s with %q", name, err, reason, text)
	}
}

// TestUnknown: only the registry itself makes records bad, and not for ever.
func TestUnknown(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		_, err := w.wait(byID(7), time.Minute)
		wantReject(t, "unknown", err, convert.UnknownSchema, "schema 7: the Schema Registry does not have it (40403)")
		if w.Trouble() != nil {
			t.Error("an answer is no trouble")
		}
		w.fake.SeedSchema("s", 1, 7, sr.Schema{Schema: `"int"`})
		if _, err := w.wait(byID(7), time.Minute); err == nil || w.asked() != 1 {
			t.Errorf("%v, asked %d times; what is unknown is remembered", err, w.asked())
		}
		time.Sleep(forget)
		if _, err := w.wait(byID(7), time.Minute); err != nil {
			t.Errorf("registered since, and yet %v", err)
		}
	})
}

func TestSpoiled(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.answers(status(200, `{"schema":"spoiled"}`))
		_, err := w.wait(byID(7), time.Minute)
		wantReject(t, "spoiled", err, convert.Undecodable, "schema 7: its schema can't be used: it is spoiled")
	})
}

// TestTrouble: whatever else goes wrong is the registry's trouble, one line in the log,
// few requests, and over with the first answer.
func TestTrouble(t *testing.T) {
	tests := map[string]struct {
		answer  func(*http.Request) (*http.Response, error)
		blocked bool
		text    string
	}{
		"no connection":    {refused, false, "connection refused"},
		"hangs":            {func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, false, "exceeded"},
		"500":              {status(500, `{"error_code":50001,"message":"Error in the backend\ndata store"}`), false, "Error in the backend data store"},
		"503 from a proxy": {status(503, "<html>"), false, "503 Service Unavailable"},
		"429":              {status(429, ""), false, "429"},
		"401":              {status(401, `{"error_code":401,"message":"Unauthorized"}`), true, "the login is refused: 401"},
		"403":              {status(403, `{"error_code":40301,"message":"User is denied operation Read"}`), true, "User is denied"},
		"404 of others":    {status(404, "<html>404</html>"), true, "not the address of a Schema Registry"},
		"404 of a path":    {status(404, `{"error_code":404,"message":"HTTP 404 Not Found"}`), true, "not the address of a Schema Registry"},
		"a login page":     {status(200, "<html>Sign in"), true, "unable to decode"},
		"no schema":        {status(200, "{}"), true, "holds no schema"},
		"no end":           {status(200, `{"schema":"`+strings.Repeat("x", mostAnswer)+`"}`), false, "8MiB"},
		"400":              {status(400, "Client sent an HTTP request to an HTTPS server."), true, "400"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(w *world) {
				w.fake.SeedSchema("s", 1, 7, sr.Schema{Schema: `"int"`})
				w.answers(tt.answer)
				if _, err := w.wait(byID(7), 10*time.Minute); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("%v, want to wait", err)
				}
				trouble := w.Trouble()
				if trouble == nil || trouble.Blocked != tt.blocked || !strings.Contains(trouble.Err.Error(), tt.text) || time.Since(trouble.Since) < 9*time.Minute {
					t.Errorf("trouble %+v, want blocked %v and %q", trouble, tt.blocked, tt.text)
				}
				if n := w.asked(); n < 25 || n > 250 {
					t.Errorf("%d requests in ten minutes", n)
				}
				if n := strings.Count(w.log.String(), "\n"); n != 1 || strings.Contains(w.log.String(), "level=ERROR") != tt.blocked {
					t.Errorf("log: %s", w.log.String())
				}
				w.answers(nil)
				begin := time.Now()
				if _, err := w.wait(byID(7), time.Minute); err != nil || time.Since(begin) > mostBackoff+mostBackoff/10+requestTimeout {
					t.Errorf("%v after %v", err, time.Since(begin))
				}
				if w.Trouble() != nil || !strings.Contains(w.log.String(), "answers again") {
					t.Errorf("trouble %+v, log %s", w.Trouble(), w.log.String())
				}
			})
		})
	}
}

// TestTroubleOfNobody: when nobody waits any more, there is no trouble.
func TestTroubleOfNobody(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.answers(refused)
		_, _ = w.wait(byID(7), time.Minute)
		if w.Trouble() == nil {
			t.Fatal("no trouble")
		}
		n := w.asked()
		time.Sleep(time.Hour)
		if tr := w.Trouble(); tr != nil || w.asked() > n+1 {
			t.Errorf("trouble %+v, %d requests for nobody", tr, w.asked()-n)
		}
	})
}

func TestStops(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		ctx, cancel := context.WithCancel(w.ctx)
		w.answers(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
		done := w.Fetch(ctx, byID(7))
		time.Sleep(time.Second)
		cancel()
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("the attempt goes on")
		}
		if w.log.Len() > 0 {
			t.Errorf("a stop is no trouble: %s", w.log.String())
		}
	})
}

func TestLogin(t *testing.T) {
	for want, cfg := range map[string]Config{
		"":           {},
		"Basic dTpw": {Username: "u", Password: env.NewSecret("p")},
		"Bearer tok": {Token: env.NewSecret("tok")},
	} {
		bubble(t, cfg, func(w *world) {
			w.answers(func(r *http.Request) (*http.Response, error) {
				if got := r.Header.Get("Authorization"); got != want {
					t.Errorf("Authorization %q, want %q", got, want)
				}
				return status(401, "")(r)
			})
			_, _ = w.wait(byID(7), time.Second)
			if out := fmt.Sprint(w.log.String(), w.Trouble()); strings.Contains(out, "tok\"") || strings.Contains(out, "dTpw") {
				t.Errorf("a secret comes out: %s", out)
			}
		})
	}
}

// TestKept: ids that nobody meant fill no memory.
func TestKept(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		for id := range uint32(mostKept + 500) {
			_, _ = w.wait(byID(id), time.Minute)
		}
		if n := len(w.unusable); n > mostKept {
			t.Errorf("%d are kept, want %d", n, mostKept)
		}
	})
}

// TestNextAddress: of two addresses one is in trouble of its own. The other is asked at
// once, and first from then on; only when both are in trouble there is some to tell of.
func TestNextAddress(t *testing.T) {
	for name, ill := range map[string]func(*http.Request) (*http.Response, error){
		"no connection": refused,
		"503":           status(503, "<html>"),
		"401":           status(401, ""),
		"a login page":  status(200, "<html>"),
		"hangs":         func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{URLs: []string{"https://ill.example/sub", "https://well.example/sub"}}, func(w *world) {
				w.fake.SeedSchema("s", 1, 7, sr.Schema{Schema: `"int"`})
				w.fake.SeedSchema("s", 2, 8, sr.Schema{Schema: `"long"`})
				asked := map[string]int{}
				w.answers(func(r *http.Request) (*http.Response, error) {
					asked[r.URL.Host]++
					if r.URL.Host == "ill.example" {
						return ill(r)
					}
					return nil, nil
				})
				for id := range uint32(4) {
					if _, err := w.wait(byID(7+id), time.Minute); (err == nil) != (id < 2) || id >= 2 && !strings.Contains(err.Error(), "does not have it") {
						t.Errorf("%d: %v", 7+id, err)
					}
				}
				if asked["ill.example"] != 1 || asked["well.example"] != 4 || w.Trouble() != nil || w.log.Len() > 0 && strings.Contains(w.log.String(), "wait for it") {
					t.Errorf("asked %v, trouble %v, log %s", asked, w.Trouble(), w.log.String())
				}
				w.answers(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host == "ill.example" {
						return ill(r)
					}
					return status(503, "")(r)
				})
				_, err := w.wait(byID(30), time.Minute)
				if tr := w.Trouble(); !errors.Is(err, context.DeadlineExceeded) || tr == nil || tr.Blocked ||
					!strings.Contains(tr.Err.Error(), "https://ill.example/sub: ") || !strings.Contains(tr.Err.Error(), "https://well.example/sub: 503") {
					t.Errorf("%v, trouble %+v", err, tr)
				}
			})
		})
	}
}

// TestLookupsMeanwhile: schemas are looked up on several cores while others come.
func TestLookupsMeanwhile(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		const n = 50
		for id := range n {
			w.fake.SeedSchema("a", id+1, id+1, sr.Schema{Schema: fmt.Sprint(id + 1)})
		}
		done := make(chan struct{})
		var lookups sync.WaitGroup
		for range 4 {
			lookups.Go(func() {
				for {
					for id := range uint32(n) {
						if s, err := w.Schema(convert.Ref{ID: id + 1}); err == nil && s != text(fmt.Sprint("avro ", id+1)) {
							t.Errorf("schema %d is %v", id+1, s)
						}
					}
					select {
					case <-done:
						return
					case <-time.After(100 * time.Microsecond):
					}
				}
			})
		}
		for id := range uint32(n) {
			<-w.Fetch(w.ctx, convert.Ref{ID: id + 1})
			if _, err := w.Schema(convert.Ref{ID: id + 1}); err != nil {
				t.Error(err)
			}
		}
		close(done)
		lookups.Wait()
	})
}

// TestFirstAttemptIsImmediate: as long as the registry fails for one schema, others are fetched
// at once.
func TestFirstAttemptIsImmediate(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.fake.SeedSchema("a", 1, 1, sr.Schema{Schema: `"long"`})
		w.answers(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/2") {
				return status(http.StatusInternalServerError, "")(r)
			}
			return nil, nil
		})
		for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			<-w.Fetch(w.ctx, convert.Ref{ID: 2})
		}
		if n := w.asked(); n > 30 {
			t.Errorf("%d attempts in a minute for a schema that can't be fetched", n)
		}
		w.Fetch(w.ctx, convert.Ref{ID: 2})
		begin := time.Now()
		<-w.Fetch(w.ctx, convert.Ref{ID: 1})
		if took := time.Since(begin); took > 10*time.Millisecond {
			t.Errorf("another schema was fetched after %v", took)
		}
	})
}
