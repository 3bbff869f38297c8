package preflight

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awsglue "github.com/aws/aws-sdk-go-v2/service/glue"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/oauthtoken/oauthtest"
	"kafka-firehose/connector/preflight/check"
	"kafka-firehose/connector/schema"
	"kafka-firehose/connector/schema/glue"
	"kafka-firehose/connector/schema/glue/gluetest"
)

// TestTryRegistry: an address where nobody answers is an error unless another does; that a
// registry lacks the schema that it is asked for is an answer.
func TestTryRegistry(t *testing.T) {
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error_code":40403,"message":"Schema 1 not found"}`))
	}))
	defer registry.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for name, test := range map[string]struct {
		urls     []string
		password string
		want     []check.Severity
	}{
		"it answers":             {[]string{registry.URL}, "right", []check.Severity{check.OK}},
		"it refuses the login":   {[]string{registry.URL}, "wrong", []check.Severity{check.Error}},
		"one of two answers":     {[]string{other.URL, registry.URL}, "right", []check.Severity{check.Warning, check.OK}},
		"it is no registry":      {[]string{other.URL}, "right", []check.Severity{check.Error}},
		"nobody is there":        {[]string{"http://127.0.0.1:1"}, "right", []check.Severity{check.Error}},
		"none of two lets us in": {[]string{other.URL, registry.URL}, "wrong", []check.Severity{check.Error, check.Error}},
	} {
		t.Run(name, func(t *testing.T) {
			found := tryRegistry(t.Context(), schema.Config{URLs: test.urls, Username: "u", Password: env.NewSecret(test.password)}, schema.Options{})
			if len(found) != len(test.want) {
				t.Fatalf("found %+v", found)
			}
			for i, f := range found {
				if f.Severity != test.want[i] || f.Name != test.urls[i] {
					t.Errorf("found %+v, want %s", f, test.want[i])
				}
			}
		})
	}
}

func TestTryGlue(t *testing.T) {
	for name, test := range map[string]struct {
		secret, region string
		refusal        *gluetest.Refusal
		want           check.Severity
		found, advice  string
	}{
		"it answers":   {"secret", gluetest.Region, nil, check.OK, "answers, with credentials from keys of the program's own", ""},
		"it denies":    {"secret", gluetest.Region, &gluetest.Denied, check.Error, "AccessDeniedException", "allow glue:GetSchemaVersion"},
		"other keys":   {"other", gluetest.Region, nil, check.Error, "InvalidSignatureException", "allow glue:GetSchemaVersion"},
		"other region": {"secret", "eu-west-1", nil, check.Error, "signed for glue in eu-west-1", "SCHEMA_REGISTRY_ROLE_ARN"},
		"it is down":   {"secret", gluetest.Region, &gluetest.Internal, check.Error, "InternalServiceException", "look at AWS_REGION"},
	} {
		aws := gluetest.New("AKIDTEST", "secret")
		aws.Fault(func(string) *gluetest.Refusal { return test.refusal })
		found := tryRegistry(t.Context(), schema.Config{Type: "glue", Region: test.region}, schema.Options{Glue: []glue.ClientOption{func(o *awsglue.Options) {
			o.HTTPClient, o.Credentials = aws, credentials.NewStaticCredentialsProvider("AKIDTEST", test.secret, "")
		}}})
		if len(found) != 1 || found[0].Severity != test.want || found[0].Kind != check.Registry || found[0].Name != "AWS Glue in "+test.region ||
			!strings.Contains(found[0].Found, test.found) || !strings.Contains(found[0].Advice, test.advice) {
			t.Errorf("%s: %+v", name, found)
		}
	}
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	found := tryRegistry(t.Context(), schema.Config{Type: "glue"}, schema.Options{})
	if want := "AWS_REGION is not set: want the region of AWS Glue, or SCHEMA_REGISTRY_REGION"; len(found) != 1 || found[0].Severity != check.Error || found[0].Found != want {
		t.Errorf("without a region: %s", fmt.Sprint(found))
	}
}

// TestTryRegistryWithOAuth tries the login over the network, where the endpoint has an authority of its own.
func TestTryRegistryWithOAuth(t *testing.T) {
	const secret = "s3cret&planted" // #nosec G101 -- of a test
	e := &oauthtest.Server{ClientID: "bridge", Secret: secret, Scope: "registry read", Audience: "registry", Life: time.Hour}
	cfg := schema.Config{OAuth: schema.OAuthConfig{
		ClientID: e.ClientID, ClientSecret: env.NewSecret(e.Secret), Scope: e.Scope, Audience: e.Audience, LogicalCluster: "lsrc-1", IdentityPoolID: "pool-1",
	}}
	login := httptest.NewTLSServer(e)
	defer login.Close()
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.Accepts(r) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"schema":"\"int\""}`)
	}))
	defer registry.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: login.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.URLs, cfg.OAuth.Endpoint, cfg.OAuth.CAFile = []string{registry.URL}, login.URL+"/token", ca
	for name, test := range map[string]struct {
		change func(*schema.Config)
		want   check.Severity
		text   string
	}{
		"all is well":      {func(*schema.Config) {}, check.OK, "takes the login"},
		"another secret":   {func(c *schema.Config) { c.OAuth.ClientSecret = env.NewSecret("other") }, check.Error, `it answers 401 Unauthorized, "invalid_client"`},
		"another scope":    {func(c *schema.Config) { c.OAuth.Scope = "x" }, check.Error, `"invalid_scope"`},
		"no authority":     {func(c *schema.Config) { c.OAuth.CAFile = "" }, check.Error, "certificate signed by unknown authority"},
		"nobody is there":  {func(c *schema.Config) { c.OAuth.Endpoint = "http://127.0.0.1:1/" }, check.Error, "there is no token to log in with: get a token from SCHEMA_REGISTRY_OAUTH_ENDPOINT at http://127.0.0.1:1: dial"},
		"a registry apart": {func(c *schema.Config) { c.URLs = []string{"http://127.0.0.1:1"} }, check.Error, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			c := cfg
			test.change(&c)
			found := tryRegistry(t.Context(), c, schema.Options{})
			if len(found) != 1 || found[0].Severity != test.want || !strings.Contains(found[0].Found, test.text) || strings.Contains(found[0].Found, secret) {
				t.Errorf("found %+v", found)
			}
		})
	}
}
