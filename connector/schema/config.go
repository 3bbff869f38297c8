package schema

import (
	"net/url"
	"strings"

	"kafka-firehose/connector/env"
)

// Config says where schemas are and how to log in there.
type Config struct {
	// URLs are addresses of one registry: when one is down, or in trouble of its own, the next is asked.
	URLs []string `envconfig:"SCHEMA_REGISTRY_URL" unset:"none" desc:"Addresses of the Schema Registry, comma separated; the formats avro, protobuf and json-schema need one."`
	// Username and Password log in with HTTP basic authentication; Token as a bearer. The secrets are
	// read for each request.
	Username string     `envconfig:"SCHEMA_REGISTRY_USERNAME" unset:"none" desc:"Name to log in to the registry with."`
	Password env.Secret `envconfig:"SCHEMA_REGISTRY_PASSWORD" unset:"none" desc:"Password of SCHEMA_REGISTRY_USERNAME."`
	Token    env.Secret `envconfig:"SCHEMA_REGISTRY_TOKEN" unset:"none" desc:"Bearer token to log in to the registry with, instead of a name and a password."`
	// CAFile, CertFile and KeyFile are for TLS, as PEM. They are looked at for each request, so that what
	// was renewed is used.
	CAFile   string `envconfig:"SCHEMA_REGISTRY_CA_FILE" unset:"the system's" desc:"PEM file of the authorities that sign the registry's certificate."`
	CertFile string `envconfig:"SCHEMA_REGISTRY_CERT_FILE" unset:"none" desc:"PEM file of this client's certificate, for mutual TLS with the registry. Read again when it changes, as are the other two."`
	KeyFile  string `envconfig:"SCHEMA_REGISTRY_KEY_FILE" unset:"none" desc:"PEM file of that certificate's key, without a passphrase."`
}

const (
	urlName      = "SCHEMA_REGISTRY_URL"
	usernameName = "SCHEMA_REGISTRY_USERNAME"
	passwordName = "SCHEMA_REGISTRY_PASSWORD" // #nosec G101 -- the name of a variable
	tokenName    = "SCHEMA_REGISTRY_TOKEN"    // #nosec G101 -- likewise
	caName       = "SCHEMA_REGISTRY_CA_FILE"
	certName     = "SCHEMA_REGISTRY_CERT_FILE"
	keyName      = "SCHEMA_REGISTRY_KEY_FILE"
)

// Validate returns all faults of c, each naming its variable.
func (c Config) Validate() error {
	var check env.Check
	secure := len(c.URLs) > 0
	for _, u := range c.URLs {
		check.Add(address(u))
		secure = secure && strings.HasPrefix(u, "https://")
	}
	c.login(&check)
	c.unused(&check)
	if len(c.URLs) > 0 && !secure && (c.CAFile != "" || c.CertFile != "") {
		check.Add(env.Holds(urlName, strings.Join(c.URLs, ","), "there are files for TLS; want https:// before each").With(caName, certName))
	}
	c.files().Paired(&check)
	return check.Err()
}

func address(s string) *env.Fault {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return env.Holds(urlName, s, "want http://host:port or https://host, with a path if the registry is not at the root")
	case u.User != nil:
		return env.Holds(urlName, s, "an address is shown in logs and must not hold a login; want "+usernameName+" and "+passwordName)
	}
	return nil
}

// login checks that there is one way to log in, or none.
func (c Config) login(check *env.Check) {
	switch {
	case c.Token.IsSet() && (c.Username != "" || c.Password.IsSet()):
		check.Add(env.Holds(c.Token.Variable(tokenName), "x", usernameName+" or "+passwordName+" is set, too; want one way to log in").With(usernameName, passwordName))
	case c.Username != "" && !c.Password.IsSet():
		check.Add(env.Missing(passwordName, "want the password of "+usernameName).With(usernameName))
	case c.Username == "" && c.Password.IsSet():
		check.Add(env.Missing(usernameName, "want the name that "+passwordName+" belongs to").With(passwordName))
	}
	check.Name(usernameName, c.Username)
	if strings.Contains(c.Username, ":") {
		check.Add(env.Holds(usernameName, c.Username, "want no colon in it, which ends a name"))
	}
}

// unused reports what has no effect without an address.
func (c Config) unused(check *env.Check) {
	if len(c.URLs) > 0 {
		return
	}
	for name, value := range map[string]string{usernameName: c.Username, caName: c.CAFile, certName: c.CertFile, keyName: c.KeyFile} {
		if value != "" {
			check.Add(env.Holds(name, value, "without "+urlName+" it has no effect").With(urlName))
		}
	}
	for name, secret := range map[string]env.Secret{passwordName: c.Password, tokenName: c.Token} {
		if secret.IsSet() {
			check.Add(env.Holds(secret.Variable(name), "x", "without "+urlName+" it has no effect").With(urlName))
		}
	}
}
