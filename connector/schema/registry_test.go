package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
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

	polled time.Time // of the records that wait asks for; zero for long ago

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

func (text) AppendJSON(dst, _ []byte, _ convert.MessageIndex, _ int) ([]byte, error) { return dst, nil }

// textOf is the text of a definition and those that it references.
func textOf(d convert.SchemaDefinition) text {
	all := d.Kind + " " + d.Text
	for _, r := range d.References {
		all += " " + r.Name + "=" + r.Text
	}
	return text(all)
}

func bubble(t *testing.T, cfg Config, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer func() {
			cancel()
			time.Sleep(time.Minute) // the fake takes its time for the request that is in flight, if one is
			synctest.Wait()
		}()
		w := &world{fake: srfake.NewRegistry(), ctx: ctx}
		if cfg.URLs == nil {
			cfg.URLs = []string{"https://registry.example/sub"}
		}
		var err error
		w.Registry, err = New(cfg, Options{
			Transport: stripped{w}, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Metrics: metrics.New(prometheus.NewRegistry()).Schema,
			Compile: func(d convert.SchemaDefinition) (convert.Schema, error) {
				if strings.Contains(d.Text, "spoiled") {
					return nil, errors.New("it is spoiled")
				}
				return textOf(d), nil
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
func (w *world) wait(ref convert.SchemaRef, most time.Duration) (convert.Schema, error) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for {
		s, err := w.LookupSchema(ref)
		if outdated := RefreshAbsent(err, w.polled); outdated != nil {
			err = outdated
		}
		if _, missing := errors.AsType[*convert.MissingSchema](err); !missing {
			return s, err
		}
		select {
		case <-w.FetchFor(w.ctx, ref, w.polled):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func byID(id uint32) convert.SchemaRef { return convert.SchemaRef{ID: uint64(id)} }

func TestFetchesOnce(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.fake.SeedSchema("s", 1, 7, sr.Schema{Schema: `"int"`})
		var pipelines sync.WaitGroup
		for range 10 {
			pipelines.Go(func() {
				if s, err := w.wait(byID(7), time.Minute); err != nil || s != text(`avro "int"`) {
					t.Errorf("%v, %v", s, err)
				}
			})
		}
		pipelines.Wait()
		if n := w.asked(); n != 1 {
			t.Errorf("%d requests for ten pipelines: %q", n, w.requests)
		}
	})
}

func TestByGUID(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		ref := convert.SchemaRef{GUID: [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 1, 2, 3, 4, 5, 6, 7}}
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

// TestReferencesWithoutEnd: a registry may claim anything. The references of one schema
// are bounded, in number and in depth.
func TestReferencesWithoutEnd(t *testing.T) {
	list := func(from, n int) string {
		var refs []string
		for i := range n {
			refs = append(refs, fmt.Sprintf(`{"name":"n%[1]d","subject":"s%[1]d","version":1}`, from+i))
		}
		return `{"schema":"x","references":[` + strings.Join(refs, ",") + `]}`
	}
	for name, tt := range map[string]struct {
		answer   func(path string, at int) string
		bad      bool
		requests int
	}{
		"to itself":  {func(string, int) string { return list(0, 1) }, true, 2},
		"a chain":    {func(_ string, at int) string { return list(at+1, 1) }, true, maxDepth + 1},
		"a long one": {func(_ string, at int) string { return list(at+1, min(1, max(0, maxDepth-1-at))) }, false, maxDepth + 1},
		"very many":  {func(_ string, at int) string { return list(0, map[bool]int{true: convert.MaxReferences + 1}[at < 0]) }, true, 1},
		"two lists": {func(_ string, at int) string {
			return list(300*(at+1), map[bool]int{true: 300}[at <= 0])
		}, true, convert.MaxReferences + 1},
		"just enough": {func(_ string, at int) string { return list(0, map[bool]int{true: convert.MaxReferences}[at < 0]) }, false, convert.MaxReferences + 1},
	} {
		bubble(t, Config{}, func(w *world) {
			w.answers(func(r *http.Request) (*http.Response, error) {
				at := -1
				_, _ = fmt.Sscanf(r.URL.Path, "/subjects/s%d/versions", &at)
				return status(200, tt.answer(r.URL.Path, at))(r)
			})
			_, err := w.wait(byID(1), time.Minute)
			if tt.bad {
				wantReject(t, name, err, convert.Undecodable, "refers to too many")
			} else if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if n := w.asked(); n != tt.requests {
				t.Errorf("%s: %d requests, want %d", name, n, tt.requests)
			}
		})
	}
}

// TestReferencesTakeTime: a schema whose references come slowly is given up, and records
// wait.
func TestReferencesTakeTime(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		at := 0
		w.answers(func(r *http.Request) (*http.Response, error) {
			at++
			select {
			case <-time.After(9 * time.Second):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
			return status(200, fmt.Sprintf(`{"schema":"x","references":[{"name":"n%[1]d","subject":"s%[1]d","version":1}]}`, at))(r)
		})
		begin := time.Now()
		<-w.FetchFor(w.ctx, byID(1), time.Now())
		if took := time.Since(begin); took > fetchTimeout+requestTimeout || w.CurrentOutage() == nil {
			t.Errorf("the attempt took %v, trouble %v", took, w.CurrentOutage())
		}
	})
}

// TestReferenceIsGone: a schema can't be used without one that it refers to.
func TestReferenceIsGone(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.fake.SeedSchema("other", 1, 2, sr.Schema{Schema: `"int"`})
		_, _ = w.wait(byID(2), time.Minute)
		var gone atomic.Bool
		gone.Store(true)
		w.answers(func(r *http.Request) (*http.Response, error) {
			switch {
			case gone.Load() && strings.HasPrefix(r.URL.Path, "/subjects/s"):
				return status(404, `{"error_code":40402,"message":"Version 1 not found."}`)(r)
			case strings.HasPrefix(r.URL.Path, "/subjects/s"):
				return status(200, `{"schema":"y"}`)(r)
			case strings.HasSuffix(r.URL.Path, "/1"):
				return status(200, `{"schema":"x","references":[{"name":"n","subject":"s","version":1}]}`)(r)
			}
			return nil, nil
		})
		_, err := w.wait(byID(1), time.Minute)
		wantReject(t, "gone", err, convert.Undecodable, "its schema refers to s version 1: the Schema Registry does not have it (40402)")
		w.polled = time.Now()
		time.AfterFunc(10*time.Second, func() { gone.Store(false) })
		if _, err := w.wait(byID(1), time.Minute); err != nil {
			t.Errorf("it is there again, and yet %v", err)
		}
	})
}

func wantReject(t *testing.T, name string, err error, reason convert.Reason, text string) {
	t.Helper()
	bad, ok := errors.AsType[*convert.BadRecord](err)
	if !ok || bad.Reason != reason || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want %s with %q", name, err, reason, text)
	}
}

// TestUnknown: only the registry itself makes records bad, and not for good.
func TestUnknown(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.fake.SeedSchema("other", 1, 1, sr.Schema{Schema: `"int"`})
		_, err := w.wait(byID(7), time.Minute)
		wantReject(t, "unknown", err, convert.UnknownSchema, "schema 7: the Schema Registry does not have it (40403)")
		if w.CurrentOutage() != nil {
			t.Error("an answer is no trouble")
		}
		n := w.asked()
		w.fake.SeedSchema("s", 1, 7, sr.Schema{Schema: `"int"`})
		if _, err := w.wait(byID(7), time.Minute); err == nil || w.asked() != n {
			t.Errorf("%v, asked %d times; that it is unknown is remembered for old records", err, w.asked())
		}
		time.Sleep(forget)
		if _, err := w.wait(byID(7), time.Minute); err != nil {
			t.Errorf("registered since, and yet %v", err)
		}
	})
}

// TestAbsentForAWhile: a record waits for its schema until half a minute after it was
// polled, whatever the registry has said before, and is asked for now and then.
func TestAbsentForAWhile(t *testing.T) {
	for name, tt := range map[string]struct {
		registered time.Duration // after the record was polled; 0 for never
		after      time.Duration // what the verdict, or the schema, takes
		requests   int           // at most
	}{
		"at once":            {registered: time.Millisecond, after: 2 * time.Second, requests: 3},
		"after five seconds": {registered: 5 * time.Second, after: 12 * time.Second, requests: 12},
		"just in time":       {registered: absentAfter - time.Second, after: absentAfter + time.Second, requests: 20},
		"never":              {after: absentAfter + time.Second, requests: 20},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(w *world) {
				w.fake.SeedSchema("other", 1, 1, sr.Schema{Schema: `"int"`})
				_, _ = w.wait(byID(1), time.Minute)
				_, _ = w.wait(byID(7), time.Minute) // an old record is bad, and that is remembered
				before := w.asked()
				begin := time.Now()
				w.polled = begin
				if tt.registered > 0 {
					time.AfterFunc(tt.registered, func() { w.fake.SeedSchema("s", 1, 7, sr.Schema{Schema: `"int"`}) })
				}
				_, err := w.wait(byID(7), 2*time.Minute)
				if took := time.Since(begin); (err == nil) != (tt.registered > 0) || took > tt.after {
					t.Errorf("%v after %v", err, took)
				}
				if n := w.asked() - before; n > tt.requests {
					t.Errorf("%d requests", n)
				}
				if tt.registered == 0 {
					wantReject(t, name, err, convert.UnknownSchema, "does not have it")
				}
			})
		})
	}
}

// TestUnsteady: an answer that a schema is absent proves nothing for half a minute after the
// registry has failed, or turned out to be late, whatever the record's age is.
func TestUnsteady(t *testing.T) {
	for name, upset := range map[string]func(w *world){
		"an outage": func(w *world) {
			w.answers(status(503, ""))
			_, _ = w.wait(byID(7), time.Second)
			w.answers(nil)
		},
		"a late schema": func(w *world) {
			w.polled = time.Now()
			time.AfterFunc(10*time.Second, func() { w.fake.SeedSchema("s", 1, 8, sr.Schema{Schema: `"int"`}) })
			if _, err := w.wait(byID(8), time.Minute); err != nil {
				t.Error(err)
			}
			w.polled = time.Time{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(w *world) {
				w.fake.SeedSchema("other", 1, 1, sr.Schema{Schema: `"int"`})
				upset(w)
				begin := time.Now()
				_, err := w.wait(byID(7), time.Hour)
				wantReject(t, name, err, convert.UnknownSchema, "does not have it")
				if took := time.Since(begin); took < absentAfter-time.Second || took > absentAfter+maxBackoff {
					t.Errorf("the verdict took %v", took)
				}
			})
		})
	}
}

// TestNoRegistry: something that says of every schema, in the registry's own words, that it
// is not there is not the registry. From the start, or from some time on.
func TestNoRegistry(t *testing.T) {
	absent := status(404, `{"error_code":40403,"message":"Schema not found"}`)
	schemasOnly := func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/subjects") {
			return status(200, "[]")(r)
		}
		return absent(r)
	}
	for name, tt := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		known  bool
		text   string
	}{
		"from the start":    {absent, false, "404 to everything"},
		"empty":             {schemasOnly, false, "has no schema at all"},
		"from some time on": {absent, true, "does not have schema 1 any more"},
		"emptied":           {schemasOnly, true, "does not have schema 1 any more"},
		"a login page otherwise": {func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/7") {
				return absent(r)
			}
			return status(200, "<html>Sign in")(r)
		}, true, "unable to decode"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(w *world) {
				w.fake.SeedSchema("s", 1, 1, sr.Schema{Schema: `"int"`})
				w.fake.SeedSchema("s", 2, 7, sr.Schema{Schema: `"long"`})
				if tt.known {
					_, _ = w.wait(byID(1), time.Minute)
				}
				w.answers(tt.answer)
				if _, err := w.wait(byID(7), time.Hour); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("%v, want to wait", err)
				}
				if trouble := w.CurrentOutage(); trouble == nil || !trouble.Blocked || !strings.Contains(trouble.Err.Error(), tt.text) {
					t.Errorf("trouble %+v, want %q", trouble, tt.text)
				}
				w.answers(nil)
				if _, err := w.wait(byID(7), time.Minute); err != nil {
					t.Errorf("the registry is back, and yet %v", err)
				}
			})
		})
	}
}

// TestAddressesDiffer: a schema is absent when every address says so. One that lags, is
// down, or answers 404 to everything decides nothing.
func TestAddressesDiffer(t *testing.T) {
	absent := status(404, `{"error_code":40403,"message":"Schema not found"}`)
	for7 := func(answer func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/7") {
				return answer(r)
			}
			return nil, nil
		}
	}
	for name, tt := range map[string]struct {
		one, two func(*http.Request) (*http.Response, error)
		found    bool
		trouble  string
	}{
		"one does not have it":        {one: absent, found: true},
		"the other does not have it":  {two: absent, found: true},
		"one is down":                 {one: refused, two: absent, trouble: "one.example/sub: "},
		"the other is down":           {one: absent, two: status(503, ""), trouble: "two.example/sub: 503"},
		"one fails for the schema":    {one: for7(status(500, "")), two: for7(absent), trouble: "one.example/sub: 500"},
		"neither has anything":        {one: absent, two: absent, trouble: "does not have schema 1 any more"},
		"the other is at a dead link": {one: absent, two: status(404, "<html>"), trouble: "two.example/sub: this is not the address"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{URLs: []string{"https://one.example/sub", "https://two.example/sub"}}, func(w *world) {
				w.fake.SeedSchema("s", 1, 1, sr.Schema{Schema: `"int"`})
				w.fake.SeedSchema("s", 2, 7, sr.Schema{Schema: `"long"`})
				_, _ = w.wait(byID(1), time.Minute)
				w.answers(func(r *http.Request) (*http.Response, error) {
					answer := map[string]func(*http.Request) (*http.Response, error){"one.example": tt.one, "two.example": tt.two}[r.URL.Host]
					if answer == nil {
						return nil, nil
					}
					return answer(r)
				})
				_, err := w.wait(byID(7), time.Hour)
				if tt.found != (err == nil) || !tt.found && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("found %v, want %v: %v", err == nil, tt.found, err)
				}
				if tr := w.CurrentOutage(); (tr != nil) == tt.found || tr != nil && !strings.Contains(tr.Err.Error(), tt.trouble) {
					t.Errorf("trouble %+v, want %q", tr, tt.trouble)
				}
			})
		})
	}
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
		"no end":           {status(200, `{"schema":"`+strings.Repeat("x", maxAnswer)+`"}`), false, "8MiB"},
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
				trouble := w.CurrentOutage()
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
				if _, err := w.wait(byID(7), time.Minute); err != nil || time.Since(begin) > maxBackoff+maxBackoff/10+requestTimeout {
					t.Errorf("%v after %v", err, time.Since(begin))
				}
				if w.CurrentOutage() != nil || !strings.Contains(w.log.String(), "answers again") {
					t.Errorf("trouble %+v, log %s", w.CurrentOutage(), w.log.String())
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
		if w.CurrentOutage() == nil {
			t.Fatal("no trouble")
		}
		n := w.asked()
		time.Sleep(time.Hour)
		if tr := w.CurrentOutage(); tr != nil || w.asked() > n+1 {
			t.Errorf("trouble %+v, %d requests for nobody", tr, w.asked()-n)
		}
	})
}

func TestStops(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		ctx, cancel := context.WithCancel(w.ctx)
		w.answers(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
		done := w.FetchFor(ctx, byID(7), time.Now())
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
			if out := fmt.Sprint(w.log.String(), w.CurrentOutage()); strings.Contains(out, "tok\"") || strings.Contains(out, "dTpw") {
				t.Errorf("a secret comes out: %s", out)
			}
		})
	}
}

// TestKept: ids that nobody meant fill no memory.
func TestKept(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		w.fake.SeedSchema("s", 1, 1, sr.Schema{Schema: `"int"`})
		_, _ = w.wait(byID(1), time.Minute)
		for id := range uint32(maxKept + 500) {
			if _, err := w.wait(byID(10+id), time.Minute); err == nil {
				t.Fatalf("%d is found", id)
			}
		}
		if n, m := len(w.unusable), len(w.suspects); n != maxKept || m > maxKept {
			t.Errorf("%d and %d are kept, want %d at most", n, m, maxKept)
		}
	})
}

// TestAnswerIsBounded: an answer of references that are all empty takes no more memory than
// the most that may be used.
func TestAnswerIsBounded(t *testing.T) {
	list := "[" + strings.Repeat("{},", 2_000_000) + "{}]"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var a schemaAnswer
	err := json.Unmarshal([]byte(`{"schema":"x","references":`+list+`}`), &a)
	var some someList
	err2 := json.Unmarshal([]byte(list), &some)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, errReferences) || len(a.References) != convert.MaxReferences || err2 != nil || !bool(some) {
		t.Errorf("%v, %d references; %v, %v", err, len(a.References), err2, some)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
		t.Errorf("%d MiB for answers of 6 MB", took>>20)
	}
	for text, want := range map[string]bool{"[]": false, " [ ] ": false, `["a"]`: true, " [ 1]": true} {
		if err := json.Unmarshal([]byte(text), &some); err != nil || bool(some) != want {
			t.Errorf("%s: %v, %v", text, some, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"a":1}`), &some); err == nil {
		t.Error("an object is a list")
	}
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
				for id := range uint32(2) {
					if _, err := w.wait(byID(7+id), time.Minute); err != nil {
						t.Errorf("%d: %v", 7+id, err)
					}
				}
				if asked["ill.example"] != 1 || asked["well.example"] != 2 || w.CurrentOutage() != nil || w.log.Len() > 0 && strings.Contains(w.log.String(), "wait for it") {
					t.Errorf("asked %v, trouble %v, log %s", asked, w.CurrentOutage(), w.log.String())
				}
				w.answers(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host == "ill.example" {
						return ill(r)
					}
					return status(503, "")(r)
				})
				_, err := w.wait(byID(30), time.Minute)
				if tr := w.CurrentOutage(); !errors.Is(err, context.DeadlineExceeded) || tr == nil || tr.Blocked ||
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
						if s, err := w.LookupSchema(convert.SchemaRef{ID: uint64(id) + 1}); err == nil && s != text(fmt.Sprint("avro ", id+1)) {
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
			<-w.FetchFor(w.ctx, convert.SchemaRef{ID: uint64(id) + 1}, time.Now())
			if _, err := w.LookupSchema(convert.SchemaRef{ID: uint64(id) + 1}); err != nil {
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
			<-w.FetchFor(w.ctx, convert.SchemaRef{ID: 2}, time.Now())
		}
		if n := w.asked(); n > 30 {
			t.Errorf("%d attempts in a minute for a schema that can't be fetched", n)
		}
		w.FetchFor(w.ctx, convert.SchemaRef{ID: 2}, time.Now())
		begin := time.Now()
		<-w.FetchFor(w.ctx, convert.SchemaRef{ID: 1}, time.Now())
		if took := time.Since(begin); took > 10*time.Millisecond {
			t.Errorf("another schema was fetched after %v", took)
		}
	})
}
