package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kafka-firehose/connector/oauthtoken"
)

// login is a mechanism of SASL that can be told from the brokers by its errors: what
// goes wrong before a broker is asked is a *credentialsError.
type login struct{ sasl.Mechanism }

// credentialsError says that this process has nothing to log in with: a file can't be
// read, a token can't be had. It does not unwrap, because the client would take a
// refused connection to a token endpoint for one to the broker, and the broker for
// down.
type credentialsError struct{ text string }

func (e *credentialsError) Error() string { return e.text }

// Authenticate implements sasl.Mechanism.
func (l login) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	session, first, err := l.Mechanism.Authenticate(ctx, host)
	if err != nil {
		return nil, nil, &credentialsError{err.Error()}
	}
	return session, first, nil
}

// newLogin makes the mechanism that is configured. forget has the next login use
// credentials that were not used before, where they are kept at all.
func newLogin(c SASLConfig, tokens *oauthtoken.Source, msk signer) (m sasl.Mechanism, forget func()) {
	switch c.Mechanism {
	case plainMechanism:
		m = plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := c.Password.Read()
			return plain.Auth{User: c.Username, Pass: password}, err
		})
	case scram256:
		m = scram.Sha256(c.scram)
	case scram512:
		m = scram.Sha512(c.scram)
	case oauthMechanism:
		return newBearer(c.OAuth, tokens)
	case mskIAMMechanism:
		return login{mskIAM{msk}}, msk.Forget
	}
	return login{m}, func() {}
}

func (c SASLConfig) scram(context.Context) (scram.Auth, error) {
	password, err := c.Password.Read()
	return scram.Auth{User: c.Username, Pass: password}, err
}
