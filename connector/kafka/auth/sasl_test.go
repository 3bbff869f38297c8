package auth

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/env"
)

func TestSASLValidate(t *testing.T) {
	secret := env.NewSecret("hunter2-hunter2")
	file := env.NewSecretFile("KAFKA_SASL_PASSWORD", filepath.Join(t.TempDir(), "password"))
	const wanted, all = "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM"
	client := OAuthConfig{Endpoint: "https://login/token", ClientID: "c", ClientSecret: secret}
	oauth := func(change func(*OAuthConfig)) SASLConfig {
		c := client
		change(&c)
		return SASLConfig{Mechanism: "OAUTHBEARER", OAuth: c}
	}
	tests := []struct {
		name string
		cfg  SASLConfig
		want string
	}{
		{"none", SASLConfig{}, ""},
		{"PLAIN", SASLConfig{Mechanism: "PLAIN", Username: "u", Password: secret}, ""},
		{"SCRAM-SHA-256", SASLConfig{Mechanism: "SCRAM-SHA-256", Username: "u", Password: file}, ""},
		{"SCRAM-SHA-512", SASLConfig{Mechanism: "SCRAM-SHA-512", Username: "u", Password: secret}, ""},
		{"small letters", SASLConfig{Mechanism: "plain", Username: "u", Password: secret}, `KAFKA_SASL_MECHANISM holds "plain": want ` + all},
		{"mechanism alone", SASLConfig{Mechanism: "SCRAM-SHA-512"}, `KAFKA_SASL_USERNAME is not set: SCRAM-SHA-512 wants a user name
KAFKA_SASL_PASSWORD is not set: SCRAM-SHA-512 wants a password, or KAFKA_SASL_PASSWORD_FILE`},
		{"no mechanism", SASLConfig{Username: "u", Password: secret}, `KAFKA_SASL_USERNAME holds "u": without KAFKA_SASL_MECHANISM it has no effect; want that set to ` + wanted + `
KAFKA_SASL_PASSWORD holds a secret: without KAFKA_SASL_MECHANISM it has no effect; want that set to ` + wanted},
		{"no mechanism, a file", SASLConfig{Password: file}, `KAFKA_SASL_PASSWORD_FILE holds a secret: without KAFKA_SASL_MECHANISM it has no effect; want that set to ` + wanted},
		{"OAUTHBEARER", oauth(func(*OAuthConfig) {}), ""},
		{"OAUTHBEARER with a token", SASLConfig{Mechanism: "OAUTHBEARER", OAuth: OAuthConfig{Token: secret, Extensions: Extensions{"a": "b"}}}, ""},
		{"OAUTHBEARER alone", SASLConfig{Mechanism: "OAUTHBEARER"}, "KAFKA_SASL_OAUTH_ENDPOINT is not set: OAUTHBEARER wants the URL of a token endpoint, or a token in KAFKA_SASL_OAUTH_TOKEN or KAFKA_SASL_OAUTH_TOKEN_FILE"},
		{"an endpoint alone", SASLConfig{Mechanism: "OAUTHBEARER", OAuth: OAuthConfig{Endpoint: "https://login/token"}}, `KAFKA_SASL_OAUTH_CLIENT_ID is not set: the token endpoint wants to know the client
KAFKA_SASL_OAUTH_CLIENT_SECRET is not set: the token endpoint wants the client's secret; KAFKA_SASL_OAUTH_CLIENT_SECRET_FILE will do too`},
		{"a token and an endpoint", oauth(func(c *OAuthConfig) { c.Token = secret }), `KAFKA_SASL_OAUTH_ENDPOINT holds "https://login/token": it has no effect beside KAFKA_SASL_OAUTH_TOKEN; want a token or an endpoint that gives one
KAFKA_SASL_OAUTH_CLIENT_ID holds "c": it has no effect beside KAFKA_SASL_OAUTH_TOKEN; want a token or an endpoint that gives one
KAFKA_SASL_OAUTH_CLIENT_SECRET holds a secret: it has no effect beside KAFKA_SASL_OAUTH_TOKEN; want a token or an endpoint that gives one`},
		{"no URL", oauth(func(c *OAuthConfig) { c.Endpoint = "login:443" }), `KAFKA_SASL_OAUTH_ENDPOINT holds "login:443": want a URL such as https://login.example.com/oauth2/token, without a user in it`},
		{"a user in the URL", oauth(func(c *OAuthConfig) { c.Endpoint = "https://u:hunter2-hunter2@login/" }), `KAFKA_SASL_OAUTH_ENDPOINT holds "***@login/": want a URL such as https://login.example.com/oauth2/token, without a user in it`},
		{"no CA file", oauth(func(c *OAuthConfig) { c.CAFile = "/nowhere/ca.pem" }), `KAFKA_SASL_OAUTH_CA_FILE holds "/nowhere/ca.pem": no such file or directory`},
		{"OAUTHBEARER with a password", func() SASLConfig {
			c := oauth(func(*OAuthConfig) {})
			c.Username = "u"
			return c
		}(), `KAFKA_SASL_USERNAME holds "u": it has no effect with KAFKA_SASL_MECHANISM=OAUTHBEARER; it is for ` + wanted},
		{"PLAIN with a scope", SASLConfig{Mechanism: "PLAIN", Username: "u", Password: secret, OAuth: OAuthConfig{Scope: "s"}}, `KAFKA_SASL_OAUTH_SCOPE holds "s": it has no effect with KAFKA_SASL_MECHANISM=PLAIN; it is for OAUTHBEARER`},
		{"AWS_MSK_IAM in the clear", SASLConfig{Mechanism: "AWS_MSK_IAM", AWS: AWSConfig{Region: "eu-west-1"}}, `KAFKA_SASL_MECHANISM holds "AWS_MSK_IAM": MSK takes it with TLS alone; want KAFKA_TLS_ENABLED=true too`},
		{"AWS_MSK_IAM with the rest wrong", SASLConfig{Mechanism: "AWS_MSK_IAM", Username: "u", AWS: AWSConfig{Region: "Ireland", RoleARN: "reader", RoleExternalID: "x", RoleSessionName: "s"}}, `KAFKA_SASL_USERNAME holds "u": it has no effect with KAFKA_SASL_MECHANISM=AWS_MSK_IAM; it is for ` + wanted + `
KAFKA_SASL_AWS_REGION holds "Ireland": want a region such as eu-west-1
KAFKA_SASL_AWS_ROLE_ARN holds "reader": want the ARN of a role such as arn:aws:iam::123456789012:role/name
KAFKA_SASL_AWS_ROLE_EXTERNAL_ID holds "x": want 2 to 1224 of a-z A-Z 0-9 _ + = , . @ : / -
KAFKA_SASL_AWS_ROLE_SESSION_NAME holds "s": want 2 to 64 of a-z A-Z 0-9 _ + = , . @ -
KAFKA_SASL_MECHANISM holds "AWS_MSK_IAM": MSK takes it with TLS alone; want KAFKA_TLS_ENABLED=true too`},
		{"a role with PLAIN", SASLConfig{Mechanism: "PLAIN", Username: "u", Password: secret, AWS: AWSConfig{RoleARN: "arn:aws:iam::123456789012:role/r"}}, `KAFKA_SASL_AWS_ROLE_ARN holds "arn:aws:iam::123456789012:role/r": it has no effect with KAFKA_SASL_MECHANISM=PLAIN; it is for AWS_MSK_IAM`},
		{"a line end", SASLConfig{Mechanism: "PLAIN", Username: "u\n", Password: secret}, `KAFKA_SASL_USERNAME holds "u\n": want no blanks around it and no control characters in it`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var check env.Check
			test.cfg.validate(&check, false)
			got := ""
			if err := check.Err(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSASLHints(t *testing.T) {
	for mechanism, want := range map[string]string{"": "", "PLAIN": "the password crosses the network in the clear", "SCRAM-SHA-512": "", "OAUTHBEARER": "tokens cross the network in the clear"} {
		c := Config{SASL: SASLConfig{Mechanism: mechanism}}
		if got := strings.Join(c.SettingHints(), "\n"); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", mechanism, got, want)
		}
		if c.TLS.Enabled = true; len(c.SettingHints()) > 0 {
			t.Errorf("%s with TLS: %q", mechanism, c.SettingHints())
		}
	}
	c := Config{TLS: TLSConfig{Enabled: true}, SASL: SASLConfig{Mechanism: "OAUTHBEARER", OAuth: OAuthConfig{Endpoint: "http://login/token"}}}
	if got := c.SettingHints(); len(got) != 1 || !strings.Contains(got[0], "KAFKA_SASL_OAUTH_ENDPOINT is not https") {
		t.Errorf("%q", got)
	}
}
