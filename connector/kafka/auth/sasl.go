package auth

import (
	"fmt"
	"slices"

	"kafka-firehose/connector/env"
)

// The mechanisms of SASL.
const (
	plainMechanism  = "PLAIN"
	scram256        = "SCRAM-SHA-256"
	scram512        = "SCRAM-SHA-512"
	oauthMechanism  = "OAUTHBEARER"
	mskIAMMechanism = "AWS_MSK_IAM"
)

const (
	saslMechanism = "KAFKA_SASL_MECHANISM"
	saslUsername  = "KAFKA_SASL_USERNAME"
	saslPassword  = "KAFKA_SASL_PASSWORD" //nolint:gosec // a name
)

var (
	mechanisms = []string{plainMechanism, scram256, scram512, oauthMechanism, mskIAMMechanism}
	passwords  = []string{plainMechanism, scram256, scram512}
)

// SASLConfig says how to log in to the brokers. Secrets in files, and the tokens made of them, are
// read again for each login, so that they can be rotated without a restart.
type SASLConfig struct {
	// Mechanism is how to log in; without one, the brokers know the process by its certificate, if at
	// all.
	Mechanism string `envconfig:"KAFKA_SASL_MECHANISM" unset:"no login" desc:"How to log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM."`
	// Username and Password are for PLAIN and SCRAM.
	Username string     `envconfig:"KAFKA_SASL_USERNAME" unset:"none" desc:"User name, for PLAIN and SCRAM."`
	Password env.Secret `envconfig:"KAFKA_SASL_PASSWORD" unset:"none" desc:"Password, for PLAIN and SCRAM."`

	OAuth OAuthConfig
	AWS   AWSConfig
}

// saslSetting is one of the fields, with the mechanisms that read it.
type saslSetting struct {
	name  string
	set   bool
	value any // the value that messages may show
	of    []string
}

func (c SASLConfig) listSettings() []saslSetting {
	return slices.Concat([]saslSetting{
		{saslUsername, c.Username != "", c.Username, passwords},
		{c.Password.VariableName(saslPassword), c.Password.IsSet(), c.Password, passwords},
	}, c.OAuth.listSettings(), c.AWS.listSettings())
}

// validate requires each mechanism's settings, and refuses settings that it doesn't read: an unused
// password was meant for another mechanism.
func (c SASLConfig) validate(check *env.Check, encrypted bool) {
	if c.Mechanism != "" {
		check.OneOf(saslMechanism, c.Mechanism, mechanisms)
	}
	for _, s := range c.listSettings() {
		switch {
		case !s.set || c.Mechanism != "" && !slices.Contains(mechanisms, c.Mechanism):
		case c.Mechanism == "":
			check.AddFault(env.HoldsFault(s.name, s.value, fmt.Sprintf("without %s it has no effect; want that set to %s", saslMechanism, env.JoinOr(s.of))).WithSettings(saslMechanism))
		case !slices.Contains(s.of, c.Mechanism):
			check.AddFault(env.HoldsFault(s.name, s.value, fmt.Sprintf("it has no effect with %s=%s; it is for %s", saslMechanism, c.Mechanism, env.JoinOr(s.of))).WithSettings(saslMechanism))
		}
	}
	switch c.Mechanism {
	case plainMechanism, scram256, scram512:
		c.validatePassword(check)
	case oauthMechanism:
		c.OAuth.validateOAuth(check)
	case mskIAMMechanism:
		c.AWS.validateAWS(check, encrypted)
	}
}

func (c SASLConfig) validatePassword(check *env.Check) {
	if c.Username == "" {
		check.AddFault(env.MissingFault(saslUsername, c.Mechanism+" wants a user name").WithSettings(saslMechanism))
	}
	check.CheckName(saslUsername, c.Username)
	if !c.Password.IsSet() {
		check.AddFault(env.MissingFault(saslPassword, c.Mechanism+" wants a password, or "+saslPassword+"_FILE").WithSettings(saslMechanism, saslPassword+"_FILE"))
	}
}

// RefusedAdvice says where the credentials come from, for a login that a broker refuses.
func (c Config) RefusedAdvice() string {
	switch {
	case c.SASL.Mechanism == mskIAMMechanism:
		return "look at the credentials of AWS, at " + awsRole + " and " + awsRegion + ", and whether they allow kafka-cluster:Connect"
	case c.SASL.Mechanism != oauthMechanism:
		return "look at " + saslUsername + " and " + c.SASL.Password.VariableName(saslPassword)
	}
	return c.SASL.OAuth.tokens().RefusedAdvice()
}

// settingHints are the warnings about settings that work and are not safe.
func (c SASLConfig) settingHints(encrypted bool) (hints []string) {
	switch {
	case encrypted:
	case c.Mechanism == plainMechanism:
		hints = append(hints, fmt.Sprintf("%s is PLAIN and %s is not true: the password crosses the network in the clear, readable for anybody on the way", saslMechanism, tlsEnabled))
	case c.Mechanism == oauthMechanism:
		hints = append(hints, fmt.Sprintf("%s is OAUTHBEARER and %s is not true: tokens cross the network in the clear, and whoever sees one can use it", saslMechanism, tlsEnabled))
	}
	if c.Mechanism == oauthMechanism {
		hints = append(hints, c.OAuth.tokens().SettingHints()...)
	}
	return hints
}
