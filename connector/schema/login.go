package schema

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"kafka-firehose/connector/oauthtoken"
	"kafka-firehose/connector/origin"
)

// tokenReuse is how long a token is used whose end the endpoint does not tell. A 401 ends it earlier.
const tokenReuse = 5 * time.Minute

// login logs requests in to the registry. All addresses share one, and with it its token.
type login struct {
	cfg    Config
	tokens *oauthtoken.Source // nil without tokens
}

func newLogin(cfg Config, o Options) *login {
	l := &login{cfg: cfg}
	if cfg.usesToken() {
		l.tokens = oauthtoken.New(cfg.tokens(), oauthtoken.Options{Transport: o.Transport, Log: o.Log, Reuse: tokenReuse})
	}
	return l
}

// authorize adds the login and the extra headers to a request. Secrets in files are read for each.
func (l *login) authorize(r *http.Request) error {
	headers, err := l.cfg.extraHeaders()
	if err != nil {
		return err
	}
	maps.Copy(r.Header, headers)
	switch {
	case l.tokens != nil:
		token, err := l.tokens.CurrentToken(r.Context())
		if err != nil {
			return err
		}
		setBearer(r, token)
		setHeader(r, clusterHeader, l.cfg.OAuth.LogicalCluster)
		setHeader(r, identityPoolHeader, l.cfg.OAuth.IdentityPoolID)
	case l.cfg.Username != "":
		password, err := l.cfg.Password.ReadValue()
		if err != nil {
			return err
		}
		r.SetBasicAuth(l.cfg.Username, password)
	}
	return nil
}

func setHeader(r *http.Request, name, value string) {
	if value != "" {
		r.Header.Set(name, value)
	}
}

const bearerScheme = "Bearer "

func setBearer(r *http.Request, token string) { r.Header.Set("Authorization", bearerScheme+token) }

// stay is the CheckRedirect of requests with the login. Extra headers may hold secrets as well, so they make every
// redirect to another origin the answer.
func (l *login) stay(r *http.Request, via []*http.Request) error {
	if l.cfg.Headers.IsSet() && !origin.SameOrigin(via[0].URL, r.URL) {
		return http.ErrUseLastResponse
	}
	return origin.StayOnOrigin(r, via)
}

// retried sends a request again with the next token, once, when the registry refuses the token that it had.
type retried struct {
	next  http.RoundTripper
	login *login
}

// RoundTrip implements http.RoundTripper. Requests have no body.
func (t retried) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), bearerScheme)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !bearer || t.login.tokens == nil || !t.login.tokens.DiscardToken(token) {
		return resp, err
	}
	next, err := t.login.tokens.CurrentToken(r.Context())
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxHeader)) // so that the connection can be used again
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	again := r.Clone(r.Context())
	setBearer(again, next)
	return t.next.RoundTrip(again)
}

// tokenError returns the error of the source of tokens in err, nil if there is none.
func tokenError(err error) *oauthtoken.Error {
	failed, _ := errors.AsType[*oauthtoken.Error](err)
	return failed
}
