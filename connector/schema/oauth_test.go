package schema

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/oauthtoken/oauthtest"
)

const clientSecret = "s3cret&planted" // #nosec G101 -- of a test

// newEndpoint is a token endpoint, and a configuration that logs in there.
func newEndpoint() (*oauthtest.Server, Config) {
	e := &oauthtest.Server{ClientID: "bridge", Secret: clientSecret, Scope: "registry read", Audience: "registry", Life: time.Hour}
	return e, Config{OAuth: OAuthConfig{
		Endpoint: "https://login.example/sub/token", ClientID: e.ClientID, ClientSecret: env.NewSecret(e.Secret), Scope: e.Scope, Audience: e.Audience,
		LogicalCluster: "lsrc-1", IdentityPoolID: "pool-1",
	}}
}

// served answers with a handler.
func served(h http.Handler, r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result()
}

// oauthBubble is a bubble with a token endpoint, and a registry that wants its tokens and Confluent's headers. It counts
// the requests that the registry has refused.
func oauthBubble(t *testing.T, f func(w *world, e *oauthtest.Server, refused *atomic.Int64)) {
	t.Helper()
	e, cfg := newEndpoint()
	bubble(t, cfg, func(w *world) {
		var refused atomic.Int64
		w.answers(func(r *http.Request) (*http.Response, error) {
			switch {
			case r.URL.Host == "login.example":
				return served(e, r), nil
			case !e.Accepts(r), r.Header.Get("target-sr-cluster") != "lsrc-1", r.Header.Get("Confluent-Identity-Pool-Id") != "pool-1":
				refused.Add(1)
				return status(http.StatusUnauthorized, `{"error_code":401,"message":"Unauthorized"}`)(r)
			}
			return nil, nil //nolint:nilnil // the fake's own answer
		})
		for id := range 1000 {
			w.fake.SeedSchema("s", id+1, id+1, sr.Schema{Schema: `"int"`})
		}
		f(w, e, &refused)
		if log := w.log.String(); strings.Contains(log, "s3cret") || strings.Contains(log, "token-") {
			t.Errorf("the log has a secret: %s", log)
		}
	})
}

// TestOAuthForHours: many requests at a time share one token, a token is replaced before it ends, and the registry
// sees no bad one.
func TestOAuthForHours(t *testing.T) {
	oauthBubble(t, func(w *world, e *oauthtest.Server, refused *atomic.Int64) {
		var pipelines sync.WaitGroup
		for id := range uint32(50) {
			pipelines.Go(func() {
				if _, err := w.wait(byID(id+1), time.Minute); err != nil {
					t.Error(err)
				}
			})
		}
		pipelines.Wait()
		if n := e.Requests(); n != 1 {
			t.Errorf("%d tokens for 50 requests at a time", n)
		}
		for minute := range uint32(600) {
			time.Sleep(time.Minute)
			if _, err := w.wait(byID(100+minute), time.Second); err != nil {
				t.Fatalf("minute %d: %v", minute, err)
			}
		}
		if n := e.Requests(); n != 13 || refused.Load() > 0 {
			t.Errorf("%d tokens in ten hours, want one each 48 minutes; the registry refused %d requests", n, refused.Load())
		}
	})
}

// TestOAuthTokenRevoked: a refused token is replaced, and the request sent again, without trouble. While the registry
// refuses every token that is not an attempt at the endpoint each time.
func TestOAuthTokenRevoked(t *testing.T) {
	oauthBubble(t, func(w *world, e *oauthtest.Server, refused *atomic.Int64) {
		if _, err := w.wait(byID(1), time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		e.Revoke()
		if _, err := w.wait(byID(2), time.Second); err != nil || w.log.Len() > 0 || refused.Load() != 1 || e.Requests() != 2 {
			t.Errorf("%v, %d refused, %d tokens, log %s", err, refused.Load(), e.Requests(), &w.log)
		}
		e.GiveUseless()
		e.Revoke()
		before := e.Requests()
		if _, err := w.wait(byID(3), time.Hour); err == nil {
			t.Error("the registry has taken a bad token")
		}
		if n := e.Requests() - before; n == 0 || n > 65 {
			t.Errorf("%d tokens in an hour in which the registry refuses each", n)
		}
		if p := w.CurrentOutage(); p == nil || !p.Blocked || !strings.Contains(p.Err.Error(), "the login is refused: 401") {
			t.Errorf("trouble: %+v", p)
		}
	})
}

// TestOAuthEndpointDown: it is trouble that names the endpoint and the reason. An endpoint that is down may come back by
// itself, and one that refuses the client does not; no record is bad for either.
func TestOAuthEndpointDown(t *testing.T) {
	for code, blocked := range map[int]bool{http.StatusServiceUnavailable: false, http.StatusUnauthorized: true} {
		oauthBubble(t, func(w *world, e *oauthtest.Server, _ *atomic.Int64) {
			e.Answer(code)
			if _, err := w.wait(byID(1), time.Hour); err == nil || !strings.Contains(err.Error(), "deadline") {
				t.Errorf("%d: %v", code, err)
			}
			want := "get a token from SCHEMA_REGISTRY_OAUTH_ENDPOINT at https://login.example: it answers " + http.StatusText(code)
			if p := w.CurrentOutage(); p == nil || p.Blocked != blocked || strings.Replace(p.Err.Error(), "answers 503 ", "answers ", 1) != want && strings.Replace(p.Err.Error(), "answers 401 ", "answers ", 1) != want {
				t.Errorf("%d: %+v", code, p)
			}
			if n := e.Requests(); n < 60 || n > 1000 {
				t.Errorf("%d: %d requests in an hour", code, n)
			}
			e.Answer(0)
			if _, err := w.wait(byID(1), time.Minute); err != nil || w.CurrentOutage() != nil {
				t.Errorf("%d, when it is back: %v, %+v", code, err, w.CurrentOutage())
			}
		})
	}
}

// TestOAuthEndpointDownBeforeTheEnd: the token is used to its end.
func TestOAuthEndpointDownBeforeTheEnd(t *testing.T) {
	oauthBubble(t, func(w *world, e *oauthtest.Server, refused *atomic.Int64) {
		for minute := range uint32(59) {
			if _, err := w.wait(byID(1+minute), time.Second); err != nil || w.CurrentOutage() != nil {
				t.Fatalf("minute %d: %v, %+v", minute, err, w.CurrentOutage())
			}
			e.Answer(http.StatusBadGateway)
			time.Sleep(time.Minute)
		}
		if n := strings.Count(w.log.String(), "no new OAuth token"); n == 0 || n > 12 || refused.Load() > 0 {
			t.Errorf("%d lines in twelve minutes, %d requests refused", n, refused.Load())
		}
	})
}

// TestBearerFileRotates: the token of the file counts as it is at each request.
func TestBearerFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	bubble(t, Config{Token: env.NewSecretFile("SCHEMA_REGISTRY_TOKEN", path)}, func(w *world) {
		good := "first"
		w.answers(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") != "Bearer "+good {
				return status(http.StatusUnauthorized, "{}")(r)
			}
			return nil, nil //nolint:nilnil // the fake's own answer
		})
		for id, token := range []string{"first", "second"} {
			w.fake.SeedSchema("s", id+1, id+1, sr.Schema{Schema: `"int"`})
			write(token)
			good = token
			if _, err := w.wait(byID(uint32(id+1)), time.Second); err != nil || w.log.Len() > 0 {
				t.Errorf("%s: %v, %s", token, err, &w.log)
			}
		}
	})
}

// TestHeadersOfRequests: each request has them, with what a file holds then.
func TestHeadersOfRequests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "headers")
	bubble(t, Config{Headers: env.NewSecretFile("SCHEMA_REGISTRY_HEADERS", path)}, func(w *world) {
		for id, want := range []string{"a=1, b", "a=2"} {
			if err := os.WriteFile(path, []byte("x-key="+want+"\nx-other=c\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			w.answers(func(r *http.Request) (*http.Response, error) {
				if r.Header.Get("X-Key") != want || r.Header.Get("X-Other") != "c" {
					t.Errorf("headers %v", r.Header)
				}
				return nil, nil //nolint:nilnil // the fake's own answer
			})
			w.fake.SeedSchema("s", id+1, id+1, sr.Schema{Schema: `"int"`})
			if _, err := w.wait(byID(uint32(id+1)), time.Second); err != nil {
				t.Error(err)
			}
		}
	})
}
