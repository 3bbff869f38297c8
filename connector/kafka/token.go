package kafka

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"kafka-firehose/connector/origin"
)

const (
	// tokenTimeout bounds one request to the token endpoint. Logins wait for it.
	tokenTimeout = 10 * time.Second
	// A token endpoint that fails is asked again after a second, then twice that, and
	// so on to tokenRetryMost; logins in between fail with the same error.
	tokenRetryFirst = time.Second
	tokenRetryMost  = 30 * time.Second
	// tokenShare is the part of a token's life in which it is used for new logins.
	tokenShare = 0.8
)

// tokens gives the token of a login: one from the configuration, or one that an
// endpoint has given and that is used by all connections while it is young.
type tokens struct {
	cfg  OAuthConfig
	dial DialFunc
	log  *slog.Logger // nil for none

	mu    sync.Mutex // held while the endpoint is asked: one at a time
	token string     // the newest that was good
	end   time.Time  // of token; zero if that is unknown
	until time.Time  // when to ask for the next
	fault error      // why there is no newer one
	again time.Time  // when to ask again after a fault
	wait  time.Duration
}

// get returns a token that has not expired, as far as one can tell.
func (t *tokens) get(ctx context.Context) (oauth.Auth, error) {
	from := t.fetched
	if t.cfg.Token.IsSet() {
		from = t.configured
	}
	token, err := from(ctx)
	if err != nil {
		return oauth.Auth{}, err
	}
	return oauth.Auth{Token: token, Extensions: t.cfg.Extensions}, nil
}

// configured returns the token of the variable or the file. A file that is missing, empty or old, because its writer
// is late or in the middle of it, leaves the token that it held before in use, as long as that is known to be good.
func (t *tokens) configured(context.Context) (string, error) {
	token, err := t.cfg.Token.Read()
	end, known := expiry(token)
	if known && time.Now().After(end) {
		err = fmt.Errorf("the token of %s has expired at %s", t.cfg.Token.Variable(oauthToken), end.UTC().Format(time.RFC3339))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.token, t.end = token, end
		return token, nil
	case time.Now().Before(t.end):
		return t.old(err), nil
	}
	return "", err
}

// old returns the token from before, and warns that there is no newer one. It needs mu.
func (t *tokens) old(err error) string {
	if t.log != nil {
		t.log.Warn("no new OAuth token; the one from before is used to its end", "end", t.end.UTC().Format(time.RFC3339), "error", err)
	}
	return t.token
}

// forget has the next login ask for a new token. If there is none, it uses the old one: the broker that refused it may
// have been in trouble itself.
func (t *tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = time.Time{}
}

// fetched returns the endpoint's token: a new one when the old one gets old, and the old one to its end when the
// endpoint has none to give.
func (t *tokens) fetched(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); !now.Before(t.until) && !now.Before(t.again) {
		t.renew(ctx, now)
	}
	switch now := time.Now(); {
	case t.fault == nil:
		return t.token, nil
	case t.token != "" && (t.end.IsZero() || now.Before(t.end)):
		return t.old(t.fault), nil
	}
	return "", t.fault
}

// renew asks the endpoint. It needs mu.
func (t *tokens) renew(ctx context.Context, now time.Time) {
	token, err := t.fetch(ctx)
	if err != nil {
		t.wait = min(max(2*t.wait, tokenRetryFirst), tokenRetryMost)
		t.again = time.Now().Add(t.wait/2 + rand.N(t.wait/2))
		t.fault = err
		return
	}
	t.token, t.end, t.fault, t.until, t.wait, t.again = token.AccessToken, token.Expiry, nil, time.Time{}, 0, time.Time{}
	if !t.end.IsZero() { // else it is good for one login
		t.until = now.Add(time.Duration(tokenShare * float64(t.end.Sub(now))))
	}
}

// fetch asks the endpoint. The client's secret and the authorities are read
// again each time.
func (t *tokens) fetch(ctx context.Context) (*oauth2.Token, error) {
	secret, err := t.cfg.ClientSecret.Read()
	if err != nil {
		return nil, err
	}
	config, _, err := t.cfg.files().Config()
	if err != nil {
		return nil, err
	}
	ask := clientcredentials.Config{ClientID: t.cfg.ClientID, ClientSecret: secret, TokenURL: t.cfg.Endpoint, AuthStyle: oauth2.AuthStyleInHeader, Scopes: strings.Fields(t.cfg.Scope)}
	if t.cfg.Audience != "" {
		ask.EndpointParams = url.Values{"audience": {t.cfg.Audience}}
	}
	token, err := ask.Token(context.WithValue(ctx, oauth2.HTTPClient, t.client(config)))
	if err != nil {
		return nil, fmt.Errorf("get a token from %s: %w", oauthEndpoint, answered(err))
	}
	if end, ok := expiry(token.AccessToken); ok && (token.Expiry.IsZero() || end.Before(token.Expiry)) {
		token.Expiry = end
	}
	if !token.Expiry.IsZero() && time.Now().After(token.Expiry) {
		return nil, fmt.Errorf("the token that %s gives has expired at %s; are the clocks right?", oauthEndpoint, token.Expiry.UTC().Format(time.RFC3339))
	}
	return token, nil
}

// client is for one request, so that it reads the authorities' file as it is then.
func (t *tokens) client(config *tls.Config) *http.Client {
	return &http.Client{
		Timeout: tokenTimeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: t.dial, TLSClientConfig: config, DisableKeepAlives: true,
		},
		CheckRedirect: origin.Stay,
	}
}

// answered returns the error of the endpoint without the body of the answer, which
// may hold anything.
func answered(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		text := "it answers " + refused.Response.Status
		if refused.ErrorCode != "" {
			text += fmt.Sprintf(", %.40q %.200q", refused.ErrorCode, refused.ErrorDescription)
		}
		return errors.New(text)
	}
	if asked, ok := errors.AsType[*url.Error](err); ok {
		if asked.Timeout() {
			return fmt.Errorf("it does not answer within %s", tokenTimeout)
		}
		return errors.New(origin.Bare(asked.Err.Error())) // the URL is known
	}
	return err
}

// expiry reads when a token ends, if it is a JWT. The signature is the brokers' affair.
func expiry(token string) (end time.Time, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	var c struct {
		Exp float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(claims, &c) != nil || c.Exp <= 0 || c.Exp > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(c.Exp), 0), true
}

// bearer is OAUTHBEARER with the brokers' own words for refusals: they send
// them as a challenge, and the client only says that it expected none.
type bearer struct{ sasl.Mechanism }

// Authenticate implements sasl.Mechanism.
func (b bearer) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	session, first, err := b.Mechanism.Authenticate(ctx, host)
	return bearerSession{session}, first, err
}

type bearerSession struct{ sasl.Session }

// tokenRefused is the answer of a broker that does not like a token.
type tokenRefused struct{ status string }

func (e *tokenRefused) Error() string { return "the broker refuses the token: " + e.status }

// Challenge implements sasl.Session.
func (b bearerSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) == 0 {
		return b.Session.Challenge(answer)
	}
	var refusal struct{ Status, Scope string }
	if json.Unmarshal(answer, &refusal) != nil || refusal.Status == "" {
		refusal.Status = "it does not say why"
	}
	if refusal.Scope != "" {
		refusal.Status += ", scope " + refusal.Scope
	}
	return false, nil, &tokenRefused{fmt.Sprintf("%.200q", refusal.Status)}
}
