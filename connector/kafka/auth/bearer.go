package auth

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"

	"kafka-firehose/connector/oauthtoken"
)

// newBearer is the mechanism of OAUTHBEARER with tokens of a source.
func newBearer(cfg OAuthConfig, tokens *oauthtoken.Source) (m sasl.Mechanism, forget func()) {
	auth := func(ctx context.Context) (oauth.Auth, error) {
		token, err := tokens.CurrentToken(ctx)
		return oauth.Auth{Token: token, Extensions: cfg.Extensions}, err
	}
	return brokerLogin{bearerMechanism{oauth.Oauth(auth)}}, tokens.ForgetToken
}

// bearerMechanism is OAUTHBEARER with the brokers' own words for refusals: they send
// them as a challenge, and the client only says that it expected none.
type bearerMechanism struct{ sasl.Mechanism }

// Authenticate implements sasl.Mechanism.
func (b bearerMechanism) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
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
