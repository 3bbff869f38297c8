package schema

import (
	"cmp"
	"net/url"
	"strings"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
)

// Config says where schemas are and how to log in there.
type Config struct {
	// Type is the registry, and with it how records name their schema: "confluent" is Confluent's protocol, which others have,
	// too; "glue" is AWS Glue, by the SDK's own region and credentials; "apicurio" is Apicurio Registry's own API and framing.
	Type string `envconfig:"SCHEMA_REGISTRY_TYPE" default:"confluent" desc:"confluent: ids of 4 bytes, or GUIDs in headers; also Apicurio, Karapace and others by that protocol. glue: AWS Glue Schema Registry. apicurio: Apicurio's own framing, ids of 8 bytes or in headers."`
	// URLs are addresses of one registry: when one is down, or in trouble of its own, the next is asked.
	URLs []string `envconfig:"SCHEMA_REGISTRY_URL" unset:"none" desc:"Addresses of the Schema Registry, comma separated; avro, protobuf and, with RECORD_SCHEMA_VALIDATE, json-schema need one, except with glue. For apicurio it ends in /apis/registry/v2 or v3."`
	// Username and Password log in with HTTP basic authentication; Token as a bearer. The secrets are
	// read for each request.
	Username string     `envconfig:"SCHEMA_REGISTRY_USERNAME" unset:"none" desc:"Name to log in to the registry with."`
	Password env.Secret `envconfig:"SCHEMA_REGISTRY_PASSWORD" unset:"none" desc:"Password of SCHEMA_REGISTRY_USERNAME."`
	Token    env.Secret `envconfig:"SCHEMA_REGISTRY_TOKEN" unset:"none" desc:"Bearer token to log in to the registry with, instead of a name and a password."`
	OAuth    OAuthConfig
	// Headers go with each request, for instance to a gateway that wants a key.
	Headers env.Secret `envconfig:"SCHEMA_REGISTRY_HEADERS" unset:"none" desc:"Further headers of each request to the registry, name=value, comma separated or one to a line."`
	// CAFile, CertFile and KeyFile are for TLS, as PEM. They are looked at for each request, so that what
	// was renewed is used.
	CAFile   string `envconfig:"SCHEMA_REGISTRY_CA_FILE" unset:"the system's" desc:"PEM file of the authorities that sign the registry's certificate."`
	CertFile string `envconfig:"SCHEMA_REGISTRY_CERT_FILE" unset:"none" desc:"PEM file of this client's certificate, for mutual TLS with the registry. Read again when it changes, as are the other two."`
	KeyFile  string `envconfig:"SCHEMA_REGISTRY_KEY_FILE" unset:"none" desc:"PEM file of that certificate's key, without a passphrase."`
	// Region and the role are for AWS Glue, which is reached as Firehose is otherwise.
	Region         string `envconfig:"SCHEMA_REGISTRY_REGION" unset:"AWS_REGION" desc:"Region of AWS Glue, if it is not that of the process."`
	RoleARN        string `envconfig:"SCHEMA_REGISTRY_ROLE_ARN" unset:"none" desc:"Assume this role to read schemas from AWS Glue."`
	RoleExternalID string `envconfig:"SCHEMA_REGISTRY_ROLE_EXTERNAL_ID" unset:"none" desc:"External id for SCHEMA_REGISTRY_ROLE_ARN."`
	// RoleSessionName is what audit logs and trust policies see of the role's session.
	RoleSessionName string `envconfig:"SCHEMA_REGISTRY_ROLE_SESSION_NAME" unset:"AWS_ROLE_SESSION_NAME, or kafka-firehose-HOST" desc:"Session name for SCHEMA_REGISTRY_ROLE_ARN, which its trust policy may ask for."`
	// ApicurioID is which id Apicurio's serializers write before the data (apicurio.registry.use-id). Headers say it themselves.
	ApicurioID string `envconfig:"SCHEMA_REGISTRY_APICURIO_ID" default:"globalId" desc:"Which id Apicurio's serializers write before the data: globalId or contentId, as their apicurio.registry.use-id says. Headers name theirs."`
}

const (
	typeName     = "SCHEMA_REGISTRY_TYPE"
	urlName      = "SCHEMA_REGISTRY_URL"
	usernameName = "SCHEMA_REGISTRY_USERNAME"
	passwordName = "SCHEMA_REGISTRY_PASSWORD" // #nosec G101 -- the name of a variable
	tokenName    = "SCHEMA_REGISTRY_TOKEN"    // #nosec G101 -- likewise
	headersName  = "SCHEMA_REGISTRY_HEADERS"
	caName       = "SCHEMA_REGISTRY_CA_FILE"
	certName     = "SCHEMA_REGISTRY_CERT_FILE"
	keyName      = "SCHEMA_REGISTRY_KEY_FILE"
	regionName   = "SCHEMA_REGISTRY_REGION"
	roleName     = "SCHEMA_REGISTRY_ROLE_ARN"
	externalName = "SCHEMA_REGISTRY_ROLE_EXTERNAL_ID"
	sessionName  = "SCHEMA_REGISTRY_ROLE_SESSION_NAME"
	idName       = "SCHEMA_REGISTRY_APICURIO_ID"

	globalID, contentID = "globalId", "contentId"
)

// Framing is how records name their schema.
func (c Config) Framing() convert.Framing { return cmp.Or(convert.Framing(c.Type), convert.Confluent) }

// ByContent reports whether ids before the data are Apicurio's contentId.
func (c Config) ByContent() bool { return c.ApicurioID == contentID }

// NeedsURL reports whether the registry is one at an address.
func (c Config) NeedsURL() bool { return c.Framing() != convert.Glue }

// Validate returns all faults of c, each naming its variable.
func (c Config) Validate() error {
	var check env.Check
	check.OneOf(typeName, string(c.Framing()), convert.Framings)
	check.OneOf(idName, cmp.Or(c.ApicurioID, globalID), []string{globalID, contentID})
	secure := len(c.URLs) > 0
	for _, u := range c.URLs {
		check.AddFault(c.validateAddress(u))
		secure = secure && strings.HasPrefix(u, "https://")
	}
	c.validateLogin(&check)
	c.validateOneLogin(&check)
	c.validateOAuth(&check)
	c.validateHeaders(&check)
	c.validateUnused(&check)
	c.validateGlue(&check)
	if len(c.URLs) > 0 && !secure && (c.CAFile != "" || c.CertFile != "") {
		check.AddFault(env.HoldsFault(urlName, strings.Join(c.URLs, ","), "there are files for TLS; want https:// before each").WithSettings(caName, certName))
	}
	c.certificateFiles().RequirePair(&check)
	return check.Err()
}

// validateGlue checks the settings of AWS Glue, and those that it does not have.
func (c Config) validateGlue(check *env.Check) {
	c.assumedRole().Validate(check, externalName)
	c.assumedRole().ValidateSession(check, sessionName)
	if c.Region != "" && !awsconfig.LegalRegion(c.Region) {
		check.AddFault(env.HoldsFault(regionName, c.Region, "want a region such as eu-west-1"))
	}
	if c.Framing() != convert.Glue {
		for name, value := range map[string]string{regionName: c.Region, roleName: c.RoleARN} {
			if value != "" {
				check.AddFault(env.HoldsFault(name, value, "it has no effect without "+typeName+"=glue").WithSettings(typeName))
			}
		}
	}
	if c.Framing() == convert.Glue && len(c.URLs) > 0 {
		check.AddFault(env.HoldsFault(urlName, strings.Join(c.URLs, ","), "AWS Glue is found by its region; want nothing here, or another "+typeName).WithSettings(typeName))
	}
	if c.Framing() != convert.Apicurio && c.ByContent() {
		check.AddFault(env.HoldsFault(idName, c.ApicurioID, "it has no effect without "+typeName+"=apicurio").WithSettings(typeName))
	}
}

func (c Config) validateAddress(s string) *env.Fault {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return env.HoldsFault(urlName, s, "want http://host:port or https://host, with a path if the registry is not at the root")
	case u.User != nil:
		return env.HoldsFault(urlName, s, "an address is shown in logs and must not hold a login; want "+usernameName+" and "+passwordName)
	case c.Framing() == convert.Apicurio && !strings.HasSuffix(u.Path, "/v2") && !strings.HasSuffix(u.Path, "/v3"):
		return env.HoldsFault(urlName, s, "want the address of Apicurio's own API, which ends in /apis/registry/v2 or /apis/registry/v3").WithSettings(typeName)
	}
	return nil
}

// validateLogin checks that a name has a password, and a password a name.
func (c Config) validateLogin(check *env.Check) {
	switch {
	case c.usesToken(): // is another login
	case c.Username != "" && !c.Password.IsSet():
		check.AddFault(env.MissingFault(passwordName, "want the password of "+usernameName).WithSettings(usernameName))
	case c.Username == "" && c.Password.IsSet():
		check.AddFault(env.MissingFault(usernameName, "want the name that "+passwordName+" belongs to").WithSettings(passwordName))
	}
	check.CheckName(usernameName, c.Username)
	if strings.Contains(c.Username, ":") {
		check.AddFault(env.HoldsFault(usernameName, c.Username, "want no colon in it, which ends a name"))
	}
}

// validateUnused reports settings without effect when there is no address.
func (c Config) validateUnused(check *env.Check) {
	if len(c.URLs) > 0 {
		return
	}
	for name, value := range map[string]string{usernameName: c.Username, caName: c.CAFile, certName: c.CertFile, keyName: c.KeyFile, oauthEndpoint: c.OAuth.Endpoint} {
		if value != "" {
			check.AddFault(env.HoldsFault(name, value, "without "+urlName+" it has no effect").WithSettings(urlName))
		}
	}
	for name, secret := range map[string]env.Secret{passwordName: c.Password, tokenName: c.Token, headersName: c.Headers} {
		if secret.IsSet() {
			check.AddFault(env.HoldsFault(secret.VariableName(name), "x", "without "+urlName+" it has no effect").WithSettings(urlName))
		}
	}
}
