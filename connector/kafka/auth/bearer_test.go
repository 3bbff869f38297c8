package auth

import (
	"strings"
	"testing"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/oauthtoken"
)

// TestTokenRefused: brokers send their refusal as a challenge.
func TestTokenRefused(t *testing.T) {
	m, _ := newMechanism(SASLConfig{Mechanism: "OAUTHBEARER", OAuth: OAuthConfig{Extensions: Extensions{"logicalCluster": "lkc-1"}}}, oauthtoken.New(oauthtoken.Config{Token: env.NewSecret("token")}, oauthtoken.Options{}), nil)
	for answer, want := range map[string]string{
		"": "",
		`{"status":"invalid_token","scope":"kafka"}`: `the broker refuses the token: "invalid_token, scope kafka"`,
		"what": `the broker refuses the token: "it does not say why"`,
	} {
		session, first, err := m.Authenticate(t.Context(), "broker:9092")
		if err != nil || string(first) != "n,,\x01auth=Bearer token\x01logicalCluster=lkc-1\x01\x01" {
			t.Fatalf("%q, %v", first, err)
		}
		done, _, err := session.Challenge([]byte(answer))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want || done != (want == "") {
			t.Errorf("%q: %v, %s, want %s", answer, done, got, want)
		}
	}
}

func TestExtensionsDecode(t *testing.T) {
	var e Extensions
	if err := e.Decode("logicalCluster=lkc-1, identityPoolId=pool=2"); err != nil || e.String() != "identityPoolId=pool=2,logicalCluster=lkc-1" {
		t.Errorf("%s, %v", e, err)
	}
	for in, want := range map[string]string{
		"": "entry 1 is not", "a": "entry 1 is not", "a=b,": "entry 2 is not", "a1=b": "entry 1 is not", "a=": "entry 1 is not", "a=\x01": "entry 1 is not",
		"auth=x": "auth is the token's own", "a=b,a=c": "a is there twice",
	} {
		if err := new(Extensions).Decode(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}
