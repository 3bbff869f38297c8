package oauthtoken

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"kafka-firehose/connector/env"
)

const planted = "planted-secret-0123456789"

// jwt is a token that ends at a time; nobody looks at its signature here.
func jwt(end time.Time) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"none"}`)) + "." + part(fmt.Appendf(nil, `{"sub":"bridge","exp":%d}`, end.Unix())) + ".c2ln"
}

// endpoint is a token endpoint in virtual time that answers in turn.
type endpoint struct {
	t        *testing.T
	net      kfake.VirtualNetwork
	listener net.Listener

	mu    sync.Mutex
	asked int
	reply func(w http.ResponseWriter, r *http.Request)
}

// answer sets what the endpoint does from now on.
func (e *endpoint) answer(reply func(w http.ResponseWriter, r *http.Request)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reply = reply
}

// requests is how often it was asked.
func (e *endpoint) requests() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.asked++
	reply := e.reply
	e.mu.Unlock()
	reply(w, r)
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{t: t}
	e.listen()
	return e
}

func (e *endpoint) listen() {
	e.t.Helper()
	var err error
	if e.listener, err = e.net.Listen("tcp", "localhost:80"); err != nil {
		e.t.Fatal(err)
	}
	server := &http.Server{Handler: e}
	go server.Serve(e.listener) //nolint:errcheck // ends with the listener
}

func (e *endpoint) tokens() *Source {
	return New(Config{
		Prefix: "KAFKA_SASL_OAUTH_", Endpoint: "http://localhost:80/token", ClientID: "bridge/1", ClientSecret: env.NewSecret(planted + "%"), Scope: "kafka  read", Audience: "brokers",
	}, Options{Dial: e.net.DialContext})
}

func gives(token string, seconds any) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%v}`, token, seconds)
	}
}

// TestTokenFetched: what the endpoint is asked, and how long its token is used.
func TestTokenFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t)
		defer e.listener.Close()
		tokens := e.tokens()
		e.answer(func(w http.ResponseWriter, r *http.Request) {
			user, pass, _ := r.BasicAuth()
			if err := r.ParseForm(); err != nil {
				t.Error(err)
			}
			// RFC 6749, section 2.3.1: both are encoded as in a form first.
			if user != "bridge%2F1" || pass != planted+"%25" || r.Method != http.MethodPost {
				t.Errorf("%s %s asks", r.Method, user)
			}
			if got := r.PostForm.Encode(); got != "audience=brokers&grant_type=client_credentials&scope=kafka+read" {
				t.Errorf("it asks for %s", got)
			}
			gives(fmt.Sprint("token-", e.requests()), 100)(w, r)
		})
		want := func(step, token string) {
			t.Helper()
			for range 3 {
				got, err := tokens.CurrentToken(t.Context())
				if err != nil || got != token {
					t.Errorf("%s: %s, %v, want %s", step, got, err, token)
				}
			}
		}
		want("at first", "token-1")
		time.Sleep(79 * time.Second)
		want("while it is young", "token-1")
		time.Sleep(2 * time.Second)
		want("when it gets old", "token-2")
		tokens.ForgetToken()
		want("when a broker has refused it", "token-3")
		e.answer(gives(jwt(time.Now().Add(50*time.Second)), 100))
		tokens.ForgetToken()
		want("a JWT", jwt(time.Now().Add(50*time.Second)))
		time.Sleep(41 * time.Second)
		e.answer(gives("next", 100))
		want("a JWT that ends before the endpoint says so", "next")
		e.answer(gives("single", 0))
		tokens.ForgetToken()
		before := e.requests()
		want("one whose end is unknown", "single")
		if got := e.requests() - before; got != 3 {
			t.Errorf("%d requests for 3 logins without a known end", got)
		}
	})
}

// TestTokenEndpointFails: each way says what it is and no secret, and an hour of it is
// not many requests.
func TestTokenEndpointFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		want   string
	}{
		{"refuses", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":"invalid_client","error_description":"no such client","echo":%q}`, planted)
		}, `get a token from KAFKA_SASL_OAUTH_ENDPOINT at http://localhost:80: it answers 401 Unauthorized, "invalid_client" "no such client"`},
		{"is broken", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, planted, http.StatusBadGateway) }, "it answers 502 Bad Gateway"},
		{"points elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://localhost:81/"+planted, http.StatusTemporaryRedirect)
		}, "it answers 307 Temporary Redirect"},
		{"gives nothing", gives("", 100), "missing access_token"},
		{"gives an old one", gives(jwt(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)), 100), "has expired at 1999-01-01T00:00:00Z; are the clocks right?"},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that nobody waits
			<-r.Context().Done()
		}, "it does not answer within 10s"},
		{"is down", nil, "no listener on port 80"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEndpoint(t)
				defer func() { _ = e.listener.Close() }()
				if e.answer(test.answer); test.answer == nil {
					_ = e.listener.Close()
				}
				tokens, dials := e.tokens(), 0
				tokens.o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					dials++
					return e.net.DialContext(ctx, network, addr)
				}
				for begin := time.Now(); time.Since(begin) < time.Hour; time.Sleep(time.Second) {
					_, err := tokens.CurrentToken(t.Context())
					if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), planted) {
						t.Fatalf("%v, want %q", err, test.want)
					}
				}
				if dials < 60 || dials > 300 {
					t.Errorf("%d requests in an hour", dials)
				}
				if test.answer == nil {
					e.listen()
				}
				e.answer(gives("token", 100))
				time.Sleep(maxTokenRetry)
				if got, err := tokens.CurrentToken(t.Context()); err != nil || got != "token" {
					t.Errorf("when it is mended: %v, %v", got, err)
				}
			})
		})
	}
}

// TestTokenIsUsedToItsEnd: an endpoint that is down costs no login before the token ends, says so, and is asked seldom.
func TestTokenIsUsedToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t)
		defer e.listener.Close()
		var log bytes.Buffer
		tokens := e.tokens()
		tokens.o.Log = slog.New(slog.NewTextHandler(&log, nil))
		first, end := jwt(time.Now().Add(time.Hour)), time.Now().Add(time.Hour)
		e.answer(gives(first, 3600))
		want := func(step, token string) {
			t.Helper()
			got, err := tokens.CurrentToken(t.Context())
			if got != token || (err != nil) != (token == "") {
				t.Errorf("%s: %.20s, %v", step, got, err)
			}
		}
		want("at first", first)
		e.answer(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, planted, http.StatusServiceUnavailable) })
		time.Sleep(40 * time.Minute)
		want("when it is young", first)
		if log.Len() > 0 || e.requests() != 1 {
			t.Errorf("%d requests and a line while the token is young: %s", e.requests(), &log)
		}
		tokens.ForgetToken()
		want("when a broker has refused it, and there is no other", first)
		time.Sleep(9 * time.Minute)
		before := e.requests()
		for time.Now().Before(end) {
			want("before its end", first)
			time.Sleep(time.Second)
		}
		if got := e.requests() - before; got < 20 || got > 60 {
			t.Errorf("%d requests in the last eleven minutes", got)
		}
		if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "it answers 503 Service Unavailable") || strings.Contains(got, planted) {
			t.Errorf("log: %.300s", got)
		}
		want("after its end", "")
		e.answer(gives("next", 3600))
		time.Sleep(maxTokenRetry)
		want("when the endpoint is back", "next")
		tokens.ForgetToken()
		e.answer(gives("single", 0))
		want("one whose end is unknown", "single")
		e.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		want("one whose end is unknown, and the endpoint is down", "single")
	})
}

// TestTokenAskedOnce: very many logins at the same time are one request.
func TestTokenAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t)
		defer e.listener.Close()
		tokens := e.tokens()
		e.answer(gives("token", 100))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if got, err := tokens.CurrentToken(t.Context()); err != nil || got != "token" {
					t.Errorf("%s, %v", got, err)
				}
			})
		}
		all.Wait()
		if got := e.requests(); got != 1 {
			t.Errorf("%d requests for 50 logins", got)
		}
	})
}

// TestTokenEndpointRedirects: to its own origin it may, with the secret; elsewhere the secret does not go.
func TestTokenEndpointRedirects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t)
		defer e.listener.Close()
		other, err := e.net.Listen("tcp", "localhost:81")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		asked := 0
		go http.Serve(other, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ })) //nolint:errcheck // ends with the listener
		to := "http://localhost/moved"
		e.answer(func(w http.ResponseWriter, r *http.Request) {
			if _, secret, _ := r.BasicAuth(); r.URL.Path == "/moved" && secret != "" && r.Method == http.MethodPost {
				gives("token", 100)(w, r)
				return
			}
			http.Redirect(w, r, to, http.StatusPermanentRedirect)
		})
		tokens := e.tokens()
		if got, err := tokens.CurrentToken(t.Context()); err != nil || got != "token" {
			t.Errorf("a redirect to the same origin: %s, %v", got, err)
		}
		to = "http://localhost:81/moved"
		if got, err := e.tokens().CurrentToken(t.Context()); err == nil || !strings.Contains(err.Error(), "it answers 308 Permanent Redirect") || asked > 0 {
			t.Errorf("a redirect to another port: %s, %v; it was asked %d times", got, err, asked)
		}
	})
}

// TestTokenFileInTheMiddle: while a file is written, the token that it held is used to its end.
func TestTokenFileInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "token")
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		first, second, ended := jwt(time.Now().Add(time.Hour)), jwt(time.Now().Add(2*time.Hour)), jwt(time.Now().Add(-time.Hour))
		var log bytes.Buffer
		tokens := New(Config{Token: env.NewSecretFile("KAFKA_SASL_OAUTH_TOKEN", path), TokenName: "KAFKA_SASL_OAUTH_TOKEN"}, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		want := func(step, token string, lines int) {
			t.Helper()
			got, err := tokens.CurrentToken(t.Context())
			if got != token || (err != nil) != (token == "") || strings.Count(log.String(), "level=WARN") != lines {
				t.Errorf("%s: %.20s, %v, %s", step, got, err, &log)
			}
			log.Reset()
		}
		write(first)
		want("at first", first, 0)
		write("")
		want("empty", first, 1)
		_ = os.Remove(path)
		want("missing", first, 1)
		write(ended)
		want("an old one", first, 1)
		write(second)
		want("the next", second, 0)
		_ = os.Remove(path)
		time.Sleep(119 * time.Minute)
		want("missing, to its end", second, 1)
		time.Sleep(2 * time.Minute)
		want("missing, after its end", "", 0)
	})
}

// TestTokenFromFile: it is read for each login, and one that has expired is not even
// tried.
func TestTokenFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tokens := New(Config{Token: env.NewSecretFile("KAFKA_SASL_OAUTH_TOKEN", path), TokenName: "KAFKA_SASL_OAUTH_TOKEN"}, Options{})
	for _, want := range []string{"opaque", jwt(time.Now().Add(time.Minute)), "not.a.jwt", "a.b"} {
		write(want)
		if got, err := tokens.CurrentToken(t.Context()); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	write(jwt(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)))
	if _, err := tokens.CurrentToken(t.Context()); err == nil || err.Error() != "the token of KAFKA_SASL_OAUTH_TOKEN_FILE has expired at 2020-01-01T00:00:00Z" {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.CurrentToken(t.Context()); err == nil || !strings.Contains(err.Error(), "KAFKA_SASL_OAUTH_TOKEN_FILE holds") {
		t.Error(err)
	}
}

// TestTokenDiscarded: a token that a server refuses is replaced once, by one request, and not again for a minute. While
// the endpoint is down there is none: a token that is known to be refused is not used.
func TestTokenDiscarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t)
		defer e.listener.Close()
		tokens := e.tokens()
		give := func(w http.ResponseWriter, r *http.Request) {
			gives(fmt.Sprint("token-", e.requests()), 3600)(w, r)
		}
		e.answer(give)
		want := func(step, token, problem string) {
			t.Helper()
			got, err := tokens.CurrentToken(t.Context())
			if got != token || (err == nil) != (problem == "") || err != nil && !strings.Contains(err.Error(), problem) {
				t.Errorf("%s: %q, %v", step, got, err)
			}
		}
		want("at first", "token-1", "")
		if tokens.DiscardToken("token-1") {
			t.Error("a new token is discarded")
		}
		time.Sleep(2 * time.Minute)
		another := 0
		for range 50 {
			if tokens.DiscardToken("token-1") {
				another++
			}
			want("refused by a server", "token-2", "")
		}
		if another != 50 || e.requests() != 2 {
			t.Errorf("%d of 50 logins have another token, by %d requests", another, e.requests())
		}
		if tokens.DiscardToken("token-2") {
			t.Error("the next token is discarded, too")
		}
		time.Sleep(2 * time.Minute)
		e.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		tokens.DiscardToken("token-2")
		want("refused, and the endpoint is down", "", "at http://localhost:80: it answers 503")
		if tokens.DiscardToken("token-2") {
			t.Error("there is no other token")
		}
		e.answer(give)
		time.Sleep(maxTokenRetry)
		want("when the endpoint is back", "token-4", "")
	})
}

// TestTokenOfUnknownEnd is used for as long as Options say.
func TestTokenOfUnknownEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t)
		defer e.listener.Close()
		tokens := e.tokens()
		tokens.o.Reuse = time.Minute
		e.answer(gives("token", 0))
		for range 60 {
			if got, err := tokens.CurrentToken(t.Context()); got != "token" || err != nil {
				t.Errorf("%s, %v", got, err)
			}
			time.Sleep(3 * time.Second)
		}
		if e.requests() != 3 {
			t.Errorf("%d requests in three minutes", e.requests())
		}
	})
}

// TestTokenErrors: an endpoint that refuses the client needs somebody, and one that is in trouble does not.
func TestTokenErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(t)
		defer e.listener.Close()
		for code, refused := range map[int]bool{400: true, 401: true, 403: true, 404: true, 307: true, 408: false, 429: false, 500: false, 503: false} {
			e.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
			_, err := e.tokens().CurrentToken(t.Context())
			if failed, ok := errors.AsType[*Error](err); !ok || failed.Refused != refused {
				t.Errorf("%d: %v", code, err)
			}
		}
	})
}
