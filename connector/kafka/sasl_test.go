package kafka

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
	const wanted = "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
	tests := []struct {
		name string
		cfg  SASLConfig
		want string
	}{
		{"none", SASLConfig{}, ""},
		{"PLAIN", SASLConfig{Mechanism: "PLAIN", Username: "u", Password: secret}, ""},
		{"SCRAM-SHA-256", SASLConfig{Mechanism: "SCRAM-SHA-256", Username: "u", Password: file}, ""},
		{"SCRAM-SHA-512", SASLConfig{Mechanism: "SCRAM-SHA-512", Username: "u", Password: secret}, ""},
		{"small letters", SASLConfig{Mechanism: "plain", Username: "u", Password: secret}, `KAFKA_SASL_MECHANISM holds "plain": want ` + wanted},
		{"mechanism alone", SASLConfig{Mechanism: "SCRAM-SHA-512"}, `KAFKA_SASL_USERNAME is not set: SCRAM-SHA-512 wants a user name
KAFKA_SASL_PASSWORD is not set: SCRAM-SHA-512 wants a password, or KAFKA_SASL_PASSWORD_FILE`},
		{"no mechanism", SASLConfig{Username: "u", Password: secret}, `KAFKA_SASL_USERNAME holds "u": without KAFKA_SASL_MECHANISM it has no effect; want that set to ` + wanted + `
KAFKA_SASL_PASSWORD holds a secret: without KAFKA_SASL_MECHANISM it has no effect; want that set to ` + wanted},
		{"no mechanism, a file", SASLConfig{Password: file}, `KAFKA_SASL_PASSWORD_FILE holds a secret: without KAFKA_SASL_MECHANISM it has no effect; want that set to ` + wanted},
		{"a line end", SASLConfig{Mechanism: "PLAIN", Username: "u\n", Password: secret}, `KAFKA_SASL_USERNAME holds "u\n": want no blanks around it and no control characters in it`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var check env.Check
			test.cfg.validate(&check)
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
	for mechanism, want := range map[string]string{"": "", "PLAIN": "the password crosses the network in the clear", "SCRAM-SHA-512": ""} {
		c := Config{SASL: SASLConfig{Mechanism: mechanism}}
		if got := strings.Join(c.Hints(), "\n"); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", mechanism, got, want)
		}
		if c.TLS.Enabled = true; len(c.Hints()) > 0 {
			t.Errorf("%s with TLS: %q", mechanism, c.Hints())
		}
	}
}
