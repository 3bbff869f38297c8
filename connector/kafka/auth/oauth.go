package auth

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/oauthtoken"
)

// OAuthConfig says where the token of OAUTHBEARER comes from: a file that another program keeps fresh, or
// an endpoint that gives one for a client's id and secret.
type OAuthConfig struct {
	// Token is used as it is; its _FILE twin is for a token that is renewed, such as the one that
	// Kubernetes projects into a pod.
	Token env.Secret `envconfig:"KAFKA_SASL_OAUTH_TOKEN" unset:"this or KAFKA_SASL_OAUTH_ENDPOINT" desc:"Token, for OAUTHBEARER; the file is for one that is renewed."`
	// Endpoint is the URL that gives tokens, by the client credentials grant of RFC 6749.
	Endpoint string `envconfig:"KAFKA_SASL_OAUTH_ENDPOINT" unset:"this or KAFKA_SASL_OAUTH_TOKEN" desc:"URL of the token endpoint, for OAUTHBEARER with client credentials."`
	// ClientID and ClientSecret are what the endpoint knows this client by, sent in an Authorization
	// header.
	ClientID     string     `envconfig:"KAFKA_SASL_OAUTH_CLIENT_ID" unset:"none" desc:"Client id, for the token endpoint."`
	ClientSecret env.Secret `envconfig:"KAFKA_SASL_OAUTH_CLIENT_SECRET" unset:"none" desc:"Client secret, for the token endpoint."`
	// Scope is what to ask for, in the endpoint's words, separated by blanks.
	Scope string `envconfig:"KAFKA_SASL_OAUTH_SCOPE" unset:"the endpoint's default" desc:"Scopes to ask the token endpoint for, separated by blanks."`
	// Audience is asked for by some endpoints.
	Audience string `envconfig:"KAFKA_SASL_OAUTH_AUDIENCE" unset:"none" desc:"Audience to ask the token endpoint for, where it wants one."`
	// CAFile is for an endpoint whose certificate the system does not trust.
	CAFile string `envconfig:"KAFKA_SASL_OAUTH_CA_FILE" unset:"the system's" desc:"PEM file of the authorities that sign the token endpoint's certificate."`
	// Extensions go to the brokers with each token, for instance logicalCluster=lkc-1.
	Extensions Extensions `envconfig:"KAFKA_SASL_OAUTH_EXTENSIONS" unset:"none" desc:"SASL extensions to send with the token, key=value, comma separated."`
}

const (
	oauthPrefix       = "KAFKA_SASL_OAUTH_"
	oauthToken        = "KAFKA_SASL_OAUTH_TOKEN" //nolint:gosec // a name
	oauthEndpoint     = "KAFKA_SASL_OAUTH_ENDPOINT"
	oauthClientID     = "KAFKA_SASL_OAUTH_CLIENT_ID"
	oauthClientSecret = "KAFKA_SASL_OAUTH_CLIENT_SECRET" //nolint:gosec // a name
	oauthCAFile       = "KAFKA_SASL_OAUTH_CA_FILE"
)

// listSettings are all fields, as those of SASLConfig.
func (c OAuthConfig) listSettings() []saslSetting {
	of := []string{oauthMechanism}
	return []saslSetting{
		{c.Token.VariableName(oauthToken), c.Token.IsSet(), c.Token, of},
		{oauthEndpoint, c.Endpoint != "", c.Endpoint, of},
		{oauthClientID, c.ClientID != "", c.ClientID, of},
		{c.ClientSecret.VariableName(oauthClientSecret), c.ClientSecret.IsSet(), c.ClientSecret, of},
		{"KAFKA_SASL_OAUTH_SCOPE", c.Scope != "", c.Scope, of},
		{"KAFKA_SASL_OAUTH_AUDIENCE", c.Audience != "", c.Audience, of},
		{oauthCAFile, c.CAFile != "", c.CAFile, of},
		{"KAFKA_SASL_OAUTH_EXTENSIONS", len(c.Extensions) > 0, c.Extensions, of},
	}
}

func (c OAuthConfig) validateOAuth(check *env.Check) {
	switch {
	case !c.Token.IsSet() && c.Endpoint == "":
		check.AddFault(env.MissingFault(oauthEndpoint, "OAUTHBEARER wants the URL of a token endpoint, or a token in "+oauthToken+" or "+oauthToken+"_FILE").WithSettings(saslMechanism, oauthToken, oauthToken+"_FILE"))
	case c.Token.IsSet():
		c.endpointUnused(check)
	default:
		c.tokens().ValidateEndpoint(check)
	}
}

// endpointUnused reports settings of the endpoint that are set beside a token.
func (c OAuthConfig) endpointUnused(check *env.Check) {
	for _, s := range c.listSettings()[1:7] {
		if s.set {
			token := c.Token.VariableName(oauthToken)
			check.AddFault(env.HoldsFault(s.name, s.value, "it has no effect beside "+token+"; want a token or an endpoint that gives one").WithSettings(token))
		}
	}
}

// tokens says where tokens come from.
func (c OAuthConfig) tokens() oauthtoken.Config {
	return oauthtoken.Config{
		Token: c.Token, TokenName: oauthToken, Prefix: oauthPrefix, Endpoint: c.Endpoint, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		Scope: c.Scope, Audience: c.Audience, CAFile: c.CAFile,
	}
}

// Extensions are sent with a token (RFC 7628, section 3.1).
type Extensions map[string]string

var (
	extensionKey   = regexp.MustCompile(`\A[A-Za-z]+\z`)
	extensionValue = regexp.MustCompile(`\A[\x21-\x7e \t]+\z`)
)

// Decode reads key=value, comma separated; envconfig calls it.
func (e *Extensions) Decode(s string) error {
	all := Extensions{}
	for i, entry := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(entry), "=")
		switch _, twice := all[key]; {
		case !ok || !extensionKey.MatchString(key) || !extensionValue.MatchString(value):
			return fmt.Errorf("entry %d is not key=value, with letters alone in the key", i+1)
		case key == "auth":
			return fmt.Errorf("entry %d: auth is the token's own key", i+1)
		case twice:
			return fmt.Errorf("entry %d: %s is there twice", i+1, key)
		}
		all[key] = value
	}
	*e = all
	return nil
}

// String is the form that Decode reads.
func (e Extensions) String() string {
	var all []string
	for key, value := range e {
		all = append(all, key+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}
