package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kafka-firehose/connector/oauthtoken"
)

// brokerLogin is a mechanism of SASL that can be told from the brokers by its errors: what
// goes wrong before a broker is asked is a *credentialsError.
type brokerLogin struct{ sasl.Mechanism }

// credentialsError says that this process has nothing to log in with: a file can't be
// read, a token can't be had. It does not unwrap, because the client would take a
// refused connection to a token endpoint for one to the broker, and the broker for
// down.
type credentialsError struct{ text string }

func (e *credentialsError) Error() string { return e.text }

// Authenticate implements sasl.Mechanism.
func (l brokerLogin) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	session, first, err := l.Mechanism.Authenticate(ctx, host)
	if err != nil {
		return nil, nil, &credentialsError{err.Error()}
	}
	return session, first, nil
}

// newLogin makes the mechanism that is configured. forget has the next login use
// credentials that were not used before, where they are kept at all.
func newLogin(c SASLConfig, tokens *oauthtoken.Source, msk loginSigner) (m sasl.Mechanism, forget func()) {
	switch c.Mechanism {
	case plainMechanism:
		m = plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := c.Password.ReadValue()
			return plain.Auth{User: c.Username, Pass: password}, err
		})
	case scram256:
		m = scram.Sha256(c.scramAuth)
	case scram512:
		m = scram.Sha512(c.scramAuth)
	case oauthMechanism:
		return newBearer(c.OAuth, tokens)
	case mskIAMMechanism:
		return brokerLogin{mskIAM{msk}}, msk.DiscardCredentials
	}
	return brokerLogin{m}, func() {}
}

func (c SASLConfig) scramAuth(context.Context) (scram.Auth, error) {
	password, err := c.Password.ReadValue()
	return scram.Auth{User: c.Username, Pass: password}, err
}
