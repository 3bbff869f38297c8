package kafka

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
	saslPassword  = "KAFKA_SASL_PASSWORD"
)

var (
	mechanisms = []string{plainMechanism, scram256, scram512}
	passwords  = []string{plainMechanism, scram256, scram512}
)

// SASLConfig says how to log in to the brokers. Secrets in files, and the tokens made of them, are
// read anew for each login, so that they can be rotated without a restart.
type SASLConfig struct {
	// Mechanism is how to log in; without one, the brokers know the process by its certificate, if at
	// all.
	Mechanism string `envconfig:"KAFKA_SASL_MECHANISM" unset:"no login" desc:"How to log in: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."`
	// Username and Password are for PLAIN and SCRAM.
	Username string     `envconfig:"KAFKA_SASL_USERNAME" unset:"none" desc:"User name, for PLAIN and SCRAM."`
	Password env.Secret `envconfig:"KAFKA_SASL_PASSWORD" unset:"none" desc:"Password, for PLAIN and SCRAM."`
}

// setting is one of the fields, with the mechanisms that read it.
type setting struct {
	name  string
	set   bool
	value any // what may be shown
	of    []string
}

func (c SASLConfig) settings() []setting {
	return []setting{
		{saslUsername, c.Username != "", c.Username, passwords},
		{c.Password.Variable(saslPassword), c.Password.IsSet(), c.Password, passwords},
	}
}

// validate wants each mechanism to have what it needs, and nothing that it doesn't read: a password
// that nobody asks for was meant for another mechanism.
func (c SASLConfig) validate(check *env.Check) {
	if c.Mechanism != "" {
		check.OneOf(saslMechanism, c.Mechanism, mechanisms)
	}
	for _, s := range c.settings() {
		switch {
		case !s.set || c.Mechanism != "" && !slices.Contains(mechanisms, c.Mechanism):
		case c.Mechanism == "":
			check.Add(env.Holds(s.name, s.value, fmt.Sprintf("without %s it has no effect; want that set to %s", saslMechanism, env.Or(s.of))).With(saslMechanism))
		case !slices.Contains(s.of, c.Mechanism):
			check.Add(env.Holds(s.name, s.value, fmt.Sprintf("it has no effect with %s=%s; it is for %s", saslMechanism, c.Mechanism, env.Or(s.of))).With(saslMechanism))
		}
	}
	if slices.Contains(passwords, c.Mechanism) {
		c.password(check)
	}
}

func (c SASLConfig) password(check *env.Check) {
	if c.Username == "" {
		check.Add(env.Missing(saslUsername, c.Mechanism+" wants a user name").With(saslMechanism))
	}
	check.Name(saslUsername, c.Username)
	if !c.Password.IsSet() {
		check.Add(env.Missing(saslPassword, c.Mechanism+" wants a password, or "+saslPassword+"_FILE").With(saslMechanism, saslPassword+"_FILE"))
	}
}

// hints are the warnings about settings that work and are not safe.
func (c SASLConfig) hints(encrypted bool) (hints []string) {
	switch {
	case encrypted:
	case c.Mechanism == plainMechanism:
		hints = append(hints, fmt.Sprintf("%s is PLAIN and %s is not true: the password crosses the network in the clear, readable for anybody on the way", saslMechanism, tlsEnabled))
	}
	return hints
}
