package auth

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/oauthtoken"
)

// Login is who this process is to the brokers. It keeps the tokens or the credentials of AWS that it has got.
type Login struct {
	Mechanism sasl.Mechanism // nil without a login
	// DiscardCredentials makes the next login fetch new credentials, where they are kept at all. It is for those that a broker has refused.
	DiscardCredentials func()
	aws                *awsconfig.MSKSigner // nil unless the mechanism is AWS_MSK_IAM
}

// NewLogin prepares the login and sends nothing. dial is for the token endpoint. The error is about AWS's configuration.
func (c Config) NewLogin(dial DialFunc, log *slog.Logger) (*Login, error) {
	l := &Login{DiscardCredentials: func() {}}
	if c.SASL.Mechanism == "" {
		return l, nil
	}
	var msk loginSigner
	if c.SASL.Mechanism == mskIAMMechanism {
		var err error
		if l.aws, err = awsconfig.NewMSK(context.Background(), c.SASL.AWS.Region, c.SASL.AWS.assumedRole(), log); err != nil {
			return nil, err
		}
		msk = l.aws
	}
	l.Mechanism, l.DiscardCredentials = newMechanism(c.SASL, oauthtoken.New(c.SASL.OAuth.tokens(), oauthtoken.Options{Dial: dial, Log: log}), msk)
	return l, nil
}

// Credentials returns the state of the AWS credentials that log in to the brokers, and false if the login uses none.
func (l *Login) Credentials() (awsconfig.CredentialState, bool) {
	if l.aws == nil {
		return awsconfig.CredentialState{}, false
	}
	return l.aws.Credentials(), true
}

// brokerLogin is a mechanism of SASL that can be told from the brokers by its errors: what
// goes wrong before a broker is asked is a *CredentialsError.
type brokerLogin struct{ sasl.Mechanism }

// CredentialsError says that this process has nothing to log in with: a file can't be
// read, a token can't be had. It does not unwrap, because the client would take a
// refused connection to a token endpoint for one to the broker, and the broker for
// down.
type CredentialsError struct{ text string }

func (e *CredentialsError) Error() string { return e.text }

// Authenticate implements sasl.Mechanism.
func (l brokerLogin) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	session, first, err := l.Mechanism.Authenticate(ctx, host)
	if err != nil {
		return nil, nil, &CredentialsError{err.Error()}
	}
	return session, first, nil
}

// newMechanism makes the mechanism that is configured. forget has the next login use
// credentials that were not used before, where they are kept at all.
func newMechanism(c SASLConfig, tokens *oauthtoken.Source, msk loginSigner) (m sasl.Mechanism, forget func()) {
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
