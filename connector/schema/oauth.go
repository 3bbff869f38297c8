package schema

import (
	"strings"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/oauthtoken"
)

// OAuthConfig says which endpoint gives tokens for the registry, by client credentials, and what else Confluent Cloud
// wants beside a token.
type OAuthConfig struct {
	// Endpoint is the URL that gives tokens, by the client credentials grant of RFC 6749.
	Endpoint string `envconfig:"SCHEMA_REGISTRY_OAUTH_ENDPOINT" unset:"none" desc:"URL of a token endpoint, to log in to the registry by OAuth with client credentials."`
	// ClientID and ClientSecret identify this client to the endpoint.
	ClientID     string     `envconfig:"SCHEMA_REGISTRY_OAUTH_CLIENT_ID" unset:"none" desc:"Client id, for SCHEMA_REGISTRY_OAUTH_ENDPOINT."`
	ClientSecret env.Secret `envconfig:"SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET" unset:"none" desc:"Client secret, for SCHEMA_REGISTRY_OAUTH_ENDPOINT."`
	// Scope and Audience are asked for, in the endpoint's words.
	Scope    string `envconfig:"SCHEMA_REGISTRY_OAUTH_SCOPE" unset:"the endpoint's default" desc:"Scopes to ask the token endpoint for, separated by blanks."`
	Audience string `envconfig:"SCHEMA_REGISTRY_OAUTH_AUDIENCE" unset:"none" desc:"Audience to ask the token endpoint for, where it wants one."`
	// CAFile is for an endpoint whose certificate the system does not trust.
	CAFile string `envconfig:"SCHEMA_REGISTRY_OAUTH_CA_FILE" unset:"the system's" desc:"PEM file of the authorities that sign the token endpoint's certificate."`
	// LogicalCluster and IdentityPoolID go to the registry with each token, in Confluent's headers.
	LogicalCluster string `envconfig:"SCHEMA_REGISTRY_OAUTH_LOGICAL_CLUSTER" unset:"none" desc:"Id of the registry in Confluent Cloud, lsrc-..., which it wants beside a token."`
	IdentityPoolID string `envconfig:"SCHEMA_REGISTRY_OAUTH_IDENTITY_POOL_ID" unset:"none" desc:"Id of the identity pool in Confluent Cloud, pool-..., which it wants beside a token."`
}

const (
	oauthPrefix       = "SCHEMA_REGISTRY_OAUTH_"
	oauthEndpoint     = oauthPrefix + "ENDPOINT"
	oauthSecret       = oauthPrefix + "CLIENT_SECRET"
	oauthCluster      = oauthPrefix + "LOGICAL_CLUSTER"
	oauthIdentityPool = oauthPrefix + "IDENTITY_POOL_ID"
)

// The headers of Confluent Cloud.
const (
	clusterHeader      = "target-sr-cluster"
	identityPoolHeader = "Confluent-Identity-Pool-Id"
)

// tokens says where tokens come from.
func (c Config) tokens() oauthtoken.Config {
	o := c.OAuth
	return oauthtoken.Config{
		Token: c.Token, TokenName: tokenName, Prefix: oauthPrefix, Endpoint: o.Endpoint, ClientID: o.ClientID, ClientSecret: o.ClientSecret,
		Scope: o.Scope, Audience: o.Audience, CAFile: o.CAFile,
	}
}

// usesToken reports whether requests have a bearer token.
func (c Config) usesToken() bool { return c.Token.IsSet() || c.OAuth.Endpoint != "" }

// Hints are warnings about settings that work and are not safe.
func (c Config) Hints() []string { return c.tokens().SettingHints() }

// endpointSettings are the texts among the fields that have no effect without the endpoint, by their variables.
func (o OAuthConfig) endpointSettings() map[string]string {
	return map[string]string{
		oauthPrefix + "CLIENT_ID": o.ClientID, oauthPrefix + "SCOPE": o.Scope, oauthPrefix + "AUDIENCE": o.Audience, oauthPrefix + "CA_FILE": o.CAFile,
	}
}

// validateOAuth checks the endpoint, and settings that need it or a token.
func (c Config) validateOAuth(check *env.Check) {
	o := c.OAuth
	if o.Endpoint != "" {
		c.tokens().ValidateEndpoint(check)
	} else {
		const without = "it has no effect without " + oauthEndpoint
		for name, value := range o.endpointSettings() {
			if value != "" {
				check.AddFault(env.HoldsFault(name, value, without).WithSettings(oauthEndpoint))
			}
		}
		if o.ClientSecret.IsSet() {
			check.AddFault(env.HoldsFault(o.ClientSecret.VariableName(oauthSecret), "x", without).WithSettings(oauthEndpoint))
		}
	}
	for name, value := range map[string]string{oauthCluster: o.LogicalCluster, oauthIdentityPool: o.IdentityPoolID} {
		check.CheckName(name, value)
		if value != "" && !c.usesToken() {
			check.AddFault(env.HoldsFault(name, value, "it goes with a token; want "+oauthEndpoint+" or "+tokenName+" too").WithSettings(oauthEndpoint, tokenName))
		}
	}
}

// logins are the ways to log in that are set, by a variable of each.
func (c Config) logins() (names []string) {
	if c.Username != "" {
		names = append(names, usernameName)
	} else if c.Password.IsSet() {
		names = append(names, c.Password.VariableName(passwordName))
	}
	if c.Token.IsSet() {
		names = append(names, c.Token.VariableName(tokenName))
	}
	if c.OAuth.Endpoint != "" {
		names = append(names, oauthEndpoint)
	}
	return names
}

// validateOneLogin adds a fault if there are several ways to log in.
func (c Config) validateOneLogin(check *env.Check) {
	names := c.logins()
	if len(names) < 2 {
		return
	}
	last := len(names) - 1
	check.AddFault(env.HoldsFault(names[last], c.OAuth.Endpoint, strings.Join(names[:last], " and ")+" is set, too; want one way to log in").WithSettings(names[:last]...))
}
