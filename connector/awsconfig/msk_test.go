package awsconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"kafka-firehose/connector/kafka/kafkatest"
)

// TestMSKLogin: what is signed is what Amazon MSK verifies, for the region that the
// broker's name says, or else for that of the configuration.
func TestMSKLogin(t *testing.T) {
	const key, secret, session = "AKIDEXAMPLE", "planted/secret+0123456789", "planted token/+=="
	for _, test := range []struct {
		addr, session, region string
		host, want            string // want is the region
	}{
		{"b-1.c.a1b2.c3.kafka.eu-west-1.amazonaws.com:9098", "", "us-east-1", "b-1.c.a1b2.c3.kafka.eu-west-1.amazonaws.com", "eu-west-1"},
		{"boot-x.c1.kafka-serverless.us-west-2.amazonaws.com:9098", session, "", "boot-x.c1.kafka-serverless.us-west-2.amazonaws.com", "us-west-2"},
		{"b-1.c.x.kafka.cn-north-1.amazonaws.com.cn:9098", session, "", "b-1.c.x.kafka.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"kafka.example.com:9098", session, "ap-south-2", "kafka.example.com", "ap-south-2"},
		{"kafka.amazonaws.com.example.com:1", "", "ap-south-2", "kafka.amazonaws.com.example.com", "ap-south-2"},
	} {
		t.Run(test.addr, func(t *testing.T) {
			keys := CacheCredentials(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret, SessionToken: test.session}, nil
			}, slog.New(slog.DiscardHandler))
			login, err := newMSK(test.region, keys).SignLogin(t.Context(), test.addr)
			if err != nil {
				t.Fatal(err)
			}
			judge := kafkatest.MSKIAM{Region: test.want, Keys: map[string]string{key: secret}, Tokens: map[string]string{key: test.session}}
			if got, err := judge.Verify(login, test.host); err != nil || got != key {
				t.Errorf("%s, %v", got, err)
			}
			if bytes.Contains(login, []byte(secret)) {
				t.Error("the secret key is in the login")
			}
			for name, other := range map[string]kafkatest.MSKIAM{
				"another secret":  {Region: test.want, Keys: map[string]string{key: "x"}, Tokens: judge.Tokens},
				"another region":  {Region: "eu-west-9", Keys: judge.Keys, Tokens: judge.Tokens},
				"another session": {Region: test.want, Keys: judge.Keys, Tokens: map[string]string{key: "x"}},
				"another key":     {Region: test.want},
			} {
				if _, err := other.Verify(login, test.host); err == nil {
					t.Errorf("the judge lets %s pass", name)
				}
			}
			changed := bytes.Replace(login, []byte(test.host), []byte("other"), 1)
			if _, err := judge.Verify(changed, "other"); err == nil {
				t.Error("the judge lets a login for another host pass")
			}
		})
	}
}

func TestMSKLoginFails(t *testing.T) {
	keys := CacheCredentials(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, &FetchError{"assume KAFKA_SASL_AWS_ROLE_ARN arn:aws:iam::123456789012:role/r", errors.New("AccessDenied: no\nmore")}
	}, slog.New(slog.DiscardHandler))
	for _, test := range []struct{ addr, region, want string }{
		{"kafka:9098", "", "the region of broker kafka is not known: set KAFKA_SASL_AWS_REGION"},
		{"kafka:9098", "eu-west-1", "assume KAFKA_SASL_AWS_ROLE_ARN arn:aws:iam::123456789012:role/r: AccessDenied: no more"},
		{"kafka", "eu-west-1", "missing port"},
	} {
		_, err := newMSK(test.region, keys).SignLogin(t.Context(), test.addr)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.addr, err, test.want)
		}
	}
}

// TestMSKRegion: without a setting it is the SDK's.
func TestMSKRegion(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_CONFIG_FILE", "/nowhere")
	for setting, want := range map[string]string{"": "eu-central-1", "eu-west-1": "eu-west-1"} {
		m, err := NewMSK(t.Context(), setting, Role{}, slog.New(slog.DiscardHandler))
		if err != nil || m.regionOf("kafka") != want {
			t.Errorf("%q: %v, %v, want %s", setting, m, err, want)
		}
	}
}

// TestMSKForget: the next login has the keys of then.
func TestMSKForget(t *testing.T) {
	n := 0
	m := newMSK("eu-west-1", CacheCredentials(func(context.Context) (aws.Credentials, error) {
		n++
		return aws.Credentials{AccessKeyID: strings.Repeat("A", n), SecretAccessKey: "s", CanExpire: true, Expires: time.Now().Add(time.Hour)}, nil
	}, slog.New(slog.DiscardHandler)))
	for _, want := range []string{"A/", "A/", "AA/"} {
		if want == "AA/" {
			m.DiscardCredentials()
		}
		login, err := m.SignLogin(t.Context(), "kafka:1")
		if err != nil || !bytes.Contains(login, []byte(`"x-amz-credential":"`+want)) {
			t.Errorf("%s, %v, want %s", login, err, want)
		}
	}
}

// TestMSKRole: the role is assumed with the chain's keys, and the session signs.
func TestMSKRole(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/reader"
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("RoleArn") != role || r.FormValue("ExternalId") != "x-1" || r.FormValue("RoleSessionName") != "reads-orders" || !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDCHAIN/") {
			http.Error(w, "AccessDenied", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAREADER</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDCHAIN", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "", "AWS_REGION": "eu-west-1", "AWS_CONFIG_FILE": "/nowhere",
		"AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_PROFILE": "", "AWS_ENDPOINT_URL_STS": sts.URL, "FIREHOSE_ROLE_ARN": "arn:aws:iam::123456789012:role/writer",
	} {
		t.Setenv(name, value)
	}
	for arn, want := range map[string]string{role: "ASIAREADER", "": "AKIDCHAIN"} {
		m, err := NewMSK(t.Context(), "", Role{Variable: "KAFKA_SASL_AWS_ROLE_ARN", ARN: arn, ExternalID: "x-1", SessionName: "reads-orders"}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		login, err := m.SignLogin(t.Context(), "kafka:9098")
		if err != nil {
			t.Fatal(err)
		}
		judge := kafkatest.MSKIAM{Region: "eu-west-1", Keys: map[string]string{"ASIAREADER": "s", "AKIDCHAIN": "s"}, Tokens: map[string]string{"ASIAREADER": "t"}}
		if got, err := judge.Verify(login, "kafka"); err != nil || got != want {
			t.Errorf("role %q: signed by %s, %v, want %s", arn, got, err, want)
		}
	}
	m, err := NewMSK(t.Context(), "", Role{Variable: "KAFKA_SASL_AWS_ROLE_ARN", ARN: role + "s"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.SignLogin(t.Context(), "kafka:9098"); err == nil || !strings.Contains(err.Error(), "assume KAFKA_SASL_AWS_ROLE_ARN "+role+"s") {
		t.Errorf("a role that may not be assumed: %v", err)
	}
}
