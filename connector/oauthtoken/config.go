// Package oauthtoken gets bearer tokens for logins: from a variable or a file, or from a token endpoint by client
// credentials. The login to Kafka and the one to a Schema Registry use it.
package oauthtoken

import (
	"fmt"
	"net/url"

	"kafka-firehose/connector/certificates"
	"kafka-firehose/connector/env"
)

// Config says where tokens come from: a variable or file, or an endpoint that gives them by the client credentials
// grant of RFC 6749.
type Config struct {
	// Token is used as it is, and TokenName is its variable.
	Token     env.Secret
	TokenName string

	// Prefix is the beginning of the variables of the other fields, such as KAFKA_SASL_OAUTH_.
	Prefix string
	// Endpoint is the URL of the token endpoint.
	Endpoint string
	// ClientID and ClientSecret identify this client to the endpoint, in an Authorization header.
	ClientID     string
	ClientSecret env.Secret
	// Scope has the scopes to ask for, separated by blanks, and Audience the audience; both may be empty.
	Scope, Audience string
	// CAFile has the authorities that sign the endpoint's certificate; empty for the system's.
	CAFile string
}

// What follows the prefix in the names of variables.
const (
	endpointName     = "ENDPOINT"
	clientIDName     = "CLIENT_ID"
	clientSecretName = "CLIENT_SECRET" // #nosec G101 -- the end of a name
	caFileName       = "CA_FILE"
)

func (c Config) settingName(end string) string { return c.Prefix + end }

// ValidateEndpoint adds the faults of the endpoint, and of the settings that it needs.
func (c Config) ValidateEndpoint(check *env.Check) {
	endpoint, secret := c.settingName(endpointName), c.settingName(clientSecretName)
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		check.AddFault(env.HoldsFault(endpoint, c.Endpoint, "want a URL such as https://login.example.com/oauth2/token, without a user in it"))
	}
	if c.ClientID == "" {
		check.AddFault(env.MissingFault(c.settingName(clientIDName), "the token endpoint wants to know the client").WithSettings(endpoint))
	}
	if !c.ClientSecret.IsSet() {
		check.AddFault(env.MissingFault(secret, "the token endpoint wants the client's secret; "+secret+"_FILE will do too").WithSettings(endpoint, secret+"_FILE"))
	}
	if c.CAFile != "" {
		_, _, err := c.certificateFiles().LoadTLS()
		check.JoinFaults(err)
	}
}

// SettingHints warn of secrets that cross the network in the clear.
func (c Config) SettingHints() (hints []string) {
	if u, err := url.Parse(c.Endpoint); err == nil && u.Scheme == "http" {
		hints = append(hints, fmt.Sprintf("%s is not https: the client secret and the tokens cross the network in the clear", c.settingName(endpointName)))
	}
	return hints
}

// RefusedAdvice names the settings to look at when a token can't be had or is refused.
func (c Config) RefusedAdvice() string {
	if c.Token.IsSet() {
		return "look at " + c.Token.VariableName(c.TokenName)
	}
	return "look at " + c.settingName(endpointName) + ", " + c.settingName(clientIDName) + ", " + c.ClientSecret.VariableName(c.settingName(clientSecretName)) + " and the scope"
}

// certificateFiles are those of the endpoint's TLS.
func (c Config) certificateFiles() certificates.Files {
	return certificates.Files{CA: certificates.File{Variable: c.settingName(caFileName), Path: c.CAFile}}
}
