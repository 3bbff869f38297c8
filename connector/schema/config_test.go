package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kafka-firehose/connector/env"
)

func TestValidate(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	const password, token = "hunter2", "tok-1"
	oauth := func(change func(*Config)) Config {
		c := Config{URLs: []string{"https://a"}, OAuth: OAuthConfig{Endpoint: "https://login/token", ClientID: "c", ClientSecret: env.NewSecret(password)}}
		change(&c)
		return c
	}
	tests := []struct {
		name string
		cfg  Config
		want []string
	}{
		{"nothing", Config{}, nil},
		{"two addresses", Config{URLs: []string{"http://a:8081", "https://b/path"}}, nil},
		{"basic", Config{URLs: []string{"https://a"}, Username: "u", Password: env.NewSecret(password)}, nil},
		{"bearer", Config{URLs: []string{"https://a"}, Token: env.NewSecret(token)}, nil},
		{"no scheme", Config{URLs: []string{"a:8081"}}, []string{`SCHEMA_REGISTRY_URL holds "a:8081": want http://host:port`}},
		{"no host", Config{URLs: []string{"http://"}}, []string{`SCHEMA_REGISTRY_URL holds "http://": want`}},
		{"a query", Config{URLs: []string{"http://a?b=c"}}, []string{`SCHEMA_REGISTRY_URL holds`}},
		{"a login in the address", Config{URLs: []string{"http://u:" + password + "@a"}}, []string{"must not hold a login; want SCHEMA_REGISTRY_USERNAME"}},
		{"both logins", Config{URLs: []string{"http://a"}, Username: "u", Password: env.NewSecret(password), Token: env.NewSecret(token)}, []string{"SCHEMA_REGISTRY_TOKEN holds a secret: SCHEMA_REGISTRY_USERNAME is set, too; want one way to log in"}},
		{"no password", Config{URLs: []string{"http://a"}, Username: "u"}, []string{"SCHEMA_REGISTRY_PASSWORD is not set"}},
		{"no name", Config{URLs: []string{"http://a"}, Password: env.NewSecret(password)}, []string{"SCHEMA_REGISTRY_USERNAME is not set"}},
		{"a colon", Config{URLs: []string{"http://a"}, Username: "u:v", Password: env.NewSecret(password)}, []string{"want no colon in it"}},
		{"a login for nothing", Config{Username: "u", Password: env.NewSecret(password)}, []string{"without SCHEMA_REGISTRY_URL it has no effect", "SCHEMA_REGISTRY_PASSWORD holds a secret: without"}},
		{"a file for nothing", Config{CAFile: garbage}, []string{"SCHEMA_REGISTRY_CA_FILE", "without SCHEMA_REGISTRY_URL it has no effect", "the file is not PEM"}},
		{"a file in the clear", Config{URLs: []string{"https://a", "http://b"}, CAFile: garbage}, []string{"want https:// before each", "the file is not PEM"}},
		{"no file", Config{URLs: []string{"https://a"}, CAFile: garbage + "x"}, []string{`garbage.pemx": no such file or directory`}},
		{"half of a pair", Config{URLs: []string{"https://a"}, CertFile: garbage}, []string{"SCHEMA_REGISTRY_KEY_FILE is not set"}},
		{"the other half", Config{URLs: []string{"https://a"}, KeyFile: garbage}, []string{"SCHEMA_REGISTRY_CERT_FILE is not set"}},
		{"glue", Config{Type: "glue", Region: "eu-west-1", RoleARN: "arn:aws:iam::123456789012:role/r", RoleExternalID: "xy", RoleSessionName: "bridge@orders"}, nil},
		{"a session for nothing", Config{Type: "glue", RoleSessionName: "bridge"}, []string{`SCHEMA_REGISTRY_ROLE_SESSION_NAME holds "bridge": it has no effect without SCHEMA_REGISTRY_ROLE_ARN`}},
		{"no session", Config{Type: "glue", RoleARN: "arn:aws:iam::123456789012:role/r", RoleSessionName: "a b"}, []string{`SCHEMA_REGISTRY_ROLE_SESSION_NAME holds "a b": want 2 to 64 of a-z A-Z 0-9 _ + = , . @ -`}},
		{"another type", Config{Type: "azure"}, []string{`SCHEMA_REGISTRY_TYPE holds "azure": want confluent, glue or apicurio`}},
		{"glue at an address", Config{Type: "glue", URLs: []string{"https://a"}}, []string{`SCHEMA_REGISTRY_URL holds "https://a": AWS Glue is found by its region; want nothing here, or another SCHEMA_REGISTRY_TYPE`}},
		{"glue with a login", Config{Type: "glue", Token: env.NewSecret(token)}, []string{"SCHEMA_REGISTRY_TOKEN holds a secret: without SCHEMA_REGISTRY_URL it has no effect"}},
		{"no region", Config{Type: "glue", Region: "Frankfurt"}, []string{`SCHEMA_REGISTRY_REGION holds "Frankfurt": want a region such as eu-west-1`}},
		{"no role", Config{Type: "glue", RoleARN: "r"}, []string{`SCHEMA_REGISTRY_ROLE_ARN holds "r": want the ARN of a role`}},
		{"a region for nothing", Config{URLs: []string{"https://a"}, Region: "eu-west-1"}, []string{`SCHEMA_REGISTRY_REGION holds "eu-west-1": it has no effect without SCHEMA_REGISTRY_TYPE=glue`}},
		{"a role for nothing", Config{Type: "apicurio", RoleARN: "arn:aws:iam::123456789012:role/r"}, []string{`SCHEMA_REGISTRY_ROLE_ARN holds "arn:aws:iam::123456789012:role/r": it has no effect without SCHEMA_REGISTRY_TYPE=glue`}},
		{"an external id for nothing", Config{Type: "glue", RoleExternalID: "xy"}, []string{`SCHEMA_REGISTRY_ROLE_EXTERNAL_ID holds "xy": it has no effect without SCHEMA_REGISTRY_ROLE_ARN`}},
		{"apicurio", Config{Type: "apicurio", URLs: []string{"http://a:8080/apis/registry/v2", "https://b/apis/registry/v3"}, ApicurioID: "contentId"}, nil},
		{"apicurio by another protocol", Config{Type: "apicurio", URLs: []string{"http://a:8080/apis/ccompat/v7"}}, []string{`want the address of Apicurio's own API, which ends in /apis/registry/v2 or /apis/registry/v3`}},
		{"another id", Config{Type: "apicurio", ApicurioID: "hash"}, []string{`SCHEMA_REGISTRY_APICURIO_ID holds "hash": want globalId or contentId`}},
		{"an id for nothing", Config{ApicurioID: "contentId"}, []string{`SCHEMA_REGISTRY_APICURIO_ID holds "contentId": it has no effect without SCHEMA_REGISTRY_TYPE=apicurio`}},
		{"oauth", oauth(func(*Config) {}), nil},
		{"oauth of Confluent Cloud", oauth(func(c *Config) { c.OAuth.LogicalCluster, c.OAuth.IdentityPoolID = "lsrc-1", "pool-1" }), nil},
		{"a token of Confluent Cloud", Config{URLs: []string{"https://a"}, Token: env.NewSecret(token), OAuth: OAuthConfig{LogicalCluster: "lsrc-1"}}, nil},
		{"oauth and a password", oauth(func(c *Config) { c.Username, c.Password = "u", env.NewSecret(password) }), []string{`SCHEMA_REGISTRY_OAUTH_ENDPOINT holds "https://login/token": SCHEMA_REGISTRY_USERNAME is set, too; want one way to log in`}},
		{"oauth and a token", oauth(func(c *Config) { c.Token = env.NewSecret(token) }), []string{`SCHEMA_REGISTRY_OAUTH_ENDPOINT holds "https://login/token": SCHEMA_REGISTRY_TOKEN is set, too; want one way to log in`}},
		{"oauth without a client", oauth(func(c *Config) { c.OAuth.ClientID = "" }), []string{"SCHEMA_REGISTRY_OAUTH_CLIENT_ID is not set: the token endpoint wants to know the client"}},
		{"oauth without a secret", oauth(func(c *Config) { c.OAuth.ClientSecret = env.Secret{} }), []string{"SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET is not set: the token endpoint wants the client's secret; SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET_FILE will do too"}},
		{"no URL of an endpoint", oauth(func(c *Config) { c.OAuth.Endpoint = "login" }), []string{`SCHEMA_REGISTRY_OAUTH_ENDPOINT holds "login": want a URL such as https://login.example.com/oauth2/token`}},
		{"no authorities of an endpoint", oauth(func(c *Config) { c.OAuth.CAFile = garbage }), []string{"SCHEMA_REGISTRY_OAUTH_CA_FILE holds"}},
		{"oauth without an address", oauth(func(c *Config) { c.URLs = nil }), []string{`SCHEMA_REGISTRY_OAUTH_ENDPOINT holds "https://login/token": without SCHEMA_REGISTRY_URL it has no effect`}},
		{"a client without an endpoint", oauth(func(c *Config) { c.OAuth.Endpoint = "" }), []string{`SCHEMA_REGISTRY_OAUTH_CLIENT_ID holds "c": it has no effect without SCHEMA_REGISTRY_OAUTH_ENDPOINT`, "SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET holds a secret: it has no effect"}},
		{"a pool without a token", Config{URLs: []string{"https://a"}, OAuth: OAuthConfig{IdentityPoolID: "pool-1"}}, []string{`SCHEMA_REGISTRY_OAUTH_IDENTITY_POOL_ID holds "pool-1": it goes with a token; want SCHEMA_REGISTRY_OAUTH_ENDPOINT or SCHEMA_REGISTRY_TOKEN too`}},
		{"headers", Config{URLs: []string{"https://a"}, Headers: env.NewSecret("X-Key=a=b, authorization=Key c")}, nil},
		{"headers in lines", Config{URLs: []string{"https://a"}, Headers: env.NewSecret("X-Key=a,b\nX-Other=c")}, nil},
		{"headers for nothing", Config{Headers: env.NewSecret("x=" + token)}, []string{"SCHEMA_REGISTRY_HEADERS holds a secret: without SCHEMA_REGISTRY_URL it has no effect"}},
		{"no header", Config{URLs: []string{"https://a"}, Headers: env.NewSecret("X-Key: " + token)}, []string{"SCHEMA_REGISTRY_HEADERS holds a secret: entry 1 is not name=value with the name of a header"}},
		{"a header twice", Config{URLs: []string{"https://a"}, Headers: env.NewSecret("x-key=a,X-Key=b")}, []string{"entry 2: X-Key is there twice"}},
		{"a header of the client's own", Config{URLs: []string{"https://a"}, Headers: env.NewSecret("host=a")}, []string{"entry 1: the client sets Host by itself"}},
		{"a login and a header with one", oauth(func(c *Config) { c.Headers = env.NewSecret("Authorization=" + token) }), []string{"Authorization is a login, and so is SCHEMA_REGISTRY_OAUTH_ENDPOINT; want one way to log in"}},
		{"a pair that is none", Config{URLs: []string{"https://a"}, CertFile: garbage, KeyFile: garbage}, []string{"SCHEMA_REGISTRY_CERT_FILE holds"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Validate()
			if n := len(env.FaultsOf(err)); n != len(tt.want) && len(tt.want) < 2 {
				t.Errorf("%d faults: %v", n, err)
			}
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), token)) {
				t.Errorf("a secret comes out: %v", err)
			}
		})
	}
}
