package oauthtoken

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"kafka-firehose/connector/origin"
	"kafka-firehose/connector/retry"
)

const (
	// tokenTimeout bounds one request to the token endpoint. Logins wait for it.
	tokenTimeout = 10 * time.Second
	// maxHeader is the most bytes of an answer's header. The library reads 1 MiB of the body.
	maxHeader = 64 << 10
	// maxTokenRetry is the longest backoff of a token endpoint that fails.
	maxTokenRetry = 30 * time.Second
	// tokenShare is the part of a token's life in which it is used for new logins.
	tokenShare = 0.8
	// discardAfter is the least age of a token that is discarded. A younger one is as good as its successor would be.
	discardAfter = time.Minute
	// warnAgain is the time between two warnings with the same error.
	warnAgain = time.Minute
)

// backoff is between requests to a token endpoint that fails. Logins in between fail with the same error.
var backoff = retry.Backoff{Min: time.Second, Max: maxTokenRetry}

// Options are what a Source needs beside its configuration.
type Options struct {
	// Dial makes connections to the endpoint, and Transport replaces all of its network. Both may be nil.
	Dial      func(ctx context.Context, network, address string) (net.Conn, error)
	Transport http.RoundTripper
	Log       *slog.Logger // nil for none
	// Reuse is how long a token of unknown end is used. With 0 it is good for one login.
	Reuse time.Duration
}

// Source gives the token of a login: one from the configuration, or one that an
// endpoint has given and that is used by all logins while it is young. It is safe for concurrent use.
type Source struct {
	cfg Config
	o   Options

	// lock holds a place for the owner of the fields below. It is held while the endpoint is asked: one request at a
	// time. It is a channel because a login that waits for it ends with its context.
	lock   chan struct{}
	token  string    // the newest that was good
	got    time.Time // when the endpoint gave it
	end    time.Time // of token; zero if that is unknown
	until  time.Time // when to ask for the next
	fault  error     // why there is no newer one
	again  time.Time // when to ask again after a fault
	failed int       // requests in a row
	warned string    // the error of the last warning
	rewarn time.Time // when to repeat it
}

// New returns a source of tokens. It asks for none yet.
func New(cfg Config, o Options) *Source { return &Source{cfg: cfg, o: o, lock: make(chan struct{}, 1)} }

// CurrentToken returns a token that has not expired, as far as one can tell.
func (t *Source) CurrentToken(ctx context.Context) (string, error) {
	if t.cfg.Token.IsSet() {
		return t.configuredToken()
	}
	return t.fetchedToken(ctx)
}

// configuredToken returns the token of the variable or the file. A file that is missing, empty or old, because its writer
// is late or in the middle of it, leaves the token that it held before in use, as long as that is known to be good.
func (t *Source) configuredToken() (string, error) {
	token, err := t.cfg.Token.ReadValue()
	end, known := tokenExpiry(token)
	if known && time.Now().After(end) {
		err = &Error{true, fmt.Errorf("the token of %s has expired at %s", t.cfg.Token.VariableName(t.cfg.TokenName), end.UTC().Format(time.RFC3339))}
	}
	t.lock <- struct{}{}
	defer t.releaseLock()
	switch {
	case err == nil:
		t.token, t.end = token, end
		return token, nil
	case time.Now().Before(t.end):
		return t.keepOld(err), nil
	}
	return "", err
}

// keepOld returns the token from before, and warns that there is no newer one. It needs lock.
func (t *Source) keepOld(err error) string {
	if now := time.Now(); t.o.Log != nil && (err.Error() != t.warned || !now.Before(t.rewarn)) {
		t.warned, t.rewarn = err.Error(), now.Add(warnAgain)
		t.o.Log.Warn("no new OAuth token; the one from before is used to its end", "end", t.end.UTC().Format(time.RFC3339), "error", err)
	}
	return t.token
}

func (t *Source) releaseLock() { <-t.lock }

// ForgetToken has the next login ask for a new token. If there is none, it uses the old one: the server that refused it may
// have been in trouble itself.
func (t *Source) ForgetToken() {
	t.lock <- struct{}{}
	defer t.releaseLock()
	t.until = time.Time{}
}

// DiscardToken drops a token of the endpoint that a server has refused, and reports whether another one can be had now. A
// token that is younger than a minute stays: its successor would be refused as well, and the endpoint asked each time.
func (t *Source) DiscardToken(token string) bool {
	t.lock <- struct{}{}
	defer t.releaseLock()
	switch {
	case t.cfg.Token.IsSet():
		return false // the file is read for each login
	case token != t.token:
		return t.token != "" // another login has discarded it
	case time.Since(t.got) < discardAfter:
		return false
	}
	t.token, t.until, t.again = "", time.Time{}, time.Time{}
	return true
}

// fetchedToken returns the endpoint's token: a new one when the old one gets old, and the old one to its end when the
// endpoint has none to give.
func (t *Source) fetchedToken(ctx context.Context) (string, error) {
	select {
	case t.lock <- struct{}{}:
		defer t.releaseLock()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if now := time.Now(); !now.Before(t.until) && !now.Before(t.again) {
		t.renewToken(ctx, now)
	}
	switch now := time.Now(); {
	case t.fault == nil:
		return t.token, nil
	case t.token != "" && (t.end.IsZero() || now.Before(t.end)):
		return t.keepOld(t.fault), nil
	}
	return "", t.fault
}

// renewToken asks the endpoint. It needs lock.
func (t *Source) renewToken(ctx context.Context, now time.Time) {
	token, err := t.fetchToken(ctx)
	if err != nil {
		t.again = time.Now().Add(backoff.Jittered(t.failed))
		t.failed++
		t.fault = err
		return
	}
	t.token, t.got, t.end, t.fault, t.failed, t.again = token.AccessToken, now, token.Expiry, nil, 0, time.Time{}
	t.until = now.Add(t.o.Reuse)
	if !t.end.IsZero() {
		t.until = now.Add(time.Duration(tokenShare * float64(t.end.Sub(now))))
	}
}

// fetchToken asks the endpoint. The client's secret and the authorities are read again for each request.
func (t *Source) fetchToken(ctx context.Context) (*oauth2.Token, error) {
	secret, err := t.cfg.ClientSecret.ReadValue()
	if err != nil {
		return nil, err
	}
	config, _, err := t.cfg.certificateFiles().LoadTLS()
	if err != nil {
		return nil, err
	}
	ask := clientcredentials.Config{ClientID: t.cfg.ClientID, ClientSecret: secret, TokenURL: t.cfg.Endpoint, AuthStyle: oauth2.AuthStyleInHeader, Scopes: strings.Fields(t.cfg.Scope)}
	if t.cfg.Audience != "" {
		ask.EndpointParams = url.Values{"audience": {t.cfg.Audience}}
	}
	token, err := ask.Token(context.WithValue(ctx, oauth2.HTTPClient, t.endpointClient(config)))
	if err != nil {
		return nil, t.explainError(err, secret)
	}
	if strings.ContainsFunc(token.AccessToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &Error{true, fmt.Errorf("the token that %s gives has blanks or other characters that no token has", t.cfg.settingName(endpointName))}
	}
	if end, ok := tokenExpiry(token.AccessToken); ok && (token.Expiry.IsZero() || end.Before(token.Expiry)) {
		token.Expiry = end
	}
	if !token.Expiry.IsZero() && time.Now().After(token.Expiry) {
		return nil, &Error{true, fmt.Errorf("the token that %s gives has expired at %s; are the clocks right?", t.cfg.settingName(endpointName), token.Expiry.UTC().Format(time.RFC3339))}
	}
	return token, nil
}

// endpointClient is for one request, so that it reads the authorities' file as it is then.
func (t *Source) endpointClient(config *tls.Config) *http.Client {
	transport := t.o.Transport
	if transport == nil {
		own := &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: t.o.Dial, TLSClientConfig: config, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader,
		}
		origin.ReportProxy(own)
		transport = own
	}
	return &http.Client{Timeout: tokenTimeout, Transport: transport, CheckRedirect: origin.StayOnOrigin}
}
