package glue_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awsglue "github.com/aws/aws-sdk-go-v2/service/glue"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/schema/glue"
	"kafka-firehose/connector/schema/glue/gluetest"
)

const id = "b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63"

// newClient returns a client of a registry in the process.
func newClient(t *testing.T, r *gluetest.Registry, secret string) *glue.Client {
	t.Helper()
	c, err := glue.New(glue.Options{
		Region: gluetest.Region, Timeout: time.Second, Log: slog.New(slog.DiscardHandler), Shorten: func(*http.Response) {},
		Client: []glue.ClientOption{func(o *awsglue.Options) {
			o.HTTPClient, o.Credentials = r, credentials.NewStaticCredentialsProvider("AKIDTEST", secret, "")
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestVersion: the request is as the service takes it, and each format comes under its name.
func TestVersion(t *testing.T) {
	r := gluetest.New("AKIDTEST", "secret")
	c := newClient(t, r, "secret")
	for format, want := range map[string]string{"AVRO": "avro", "JSON": "json-schema", "PROTOBUF": "protobuf", "XML": "of a data format that is not known here"} {
		r.Add(id, format, "text of "+format)
		v, err := c.GetVersion(t.Context(), id)
		if err != nil || v.Format != want || v.Text != "text of "+format {
			t.Errorf("%s: %+v, %v", format, v, err)
		}
	}
	if c.Region() != gluetest.Region {
		t.Errorf("the region is %q", c.Region())
	}
}

// TestFailures: only AWS Glue's own word makes a version absent. Nothing else does, whatever it
// looks like.
func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		refusal gluetest.Refusal
		want    glue.Kind
		says    string
	}{
		"not found":         {gluetest.NotFound, glue.Absent, "EntityNotFoundException: Schema version is not found."},
		"throttled":         {gluetest.Throttled, glue.Throttled, "ThrottlingException: Rate exceeded"},
		"429":               {gluetest.Refusal{Status: 429, Message: "slow"}, glue.Throttled, "429"},
		"denied":            {gluetest.Denied, glue.Blocked, "AccessDeniedException: User: arn:aws"},
		"invalid":           {gluetest.Refusal{Status: 400, Code: "InvalidInputException", Message: "no"}, glue.Blocked, "InvalidInputException: no"},
		"internal":          {gluetest.Internal, glue.Down, "InternalServiceException"},
		"no connection":     {gluetest.Refusal{}, glue.Down, "unexpected EOF"},
		"a proxy's 404":     {gluetest.Refusal{Status: 404, Message: "<html>not found</html>"}, glue.Blocked, "does not look like an answer of AWS Glue: 404"},
		"a proxy's 503":     {gluetest.Refusal{Status: 503, Message: "<html>down</html>"}, glue.Down, ""},
		"a page with 200":   {gluetest.Refusal{Status: 200, Message: "<html>log in</html>"}, glue.Blocked, "does not look like an answer of AWS Glue: 200"},
		"another's word":    {gluetest.Refusal{Status: 404, Code: "EntityNotFoundException", Message: "no"}, glue.Blocked, ""},
		"expired":           {gluetest.Refusal{Status: 400, Code: "ExpiredTokenException", Message: "expired"}, glue.Blocked, "ExpiredTokenException"},
		"something unknown": {gluetest.Refusal{Status: 400, Code: "FederationSourceException", Message: "?"}, glue.Blocked, ""},
	} {
		r := gluetest.New("AKIDTEST", "secret")
		r.Add(id, "AVRO", `"int"`)
		r.Fault(func(string) *gluetest.Refusal { return &test.refusal })
		_, err := newClient(t, r, "secret").GetVersion(t.Context(), id)
		f, ok := errors.AsType[*glue.Failure](err)
		if !ok || f.Kind != test.want || !strings.Contains(f.Error(), test.says) || strings.Contains(f.Error(), "\n") {
			t.Errorf("%s: %+v, want kind %d and %q", name, err, test.want, test.says)
		}
		if n := len(r.Asked()); n != 1 {
			t.Errorf("%s: %d requests, want one: the registry repeats", name, n)
		}
	}
}

// TestSilence: a service that takes the request and says nothing is down, not blocked.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &http.Client{Timeout: time.Second, Transport: slow{}}
		c, err := glue.New(glue.Options{
			Region: gluetest.Region, Timeout: time.Second, Log: slog.New(slog.DiscardHandler), Shorten: func(*http.Response) {},
			Client: []glue.ClientOption{func(o *awsglue.Options) {
				o.HTTPClient, o.Credentials = server, credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", "")
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = c.GetVersion(t.Context(), id)
		f, ok := errors.AsType[*glue.Failure](err)
		if !ok || f.Kind != glue.Down || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

type slow struct{}

func (slow) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestRole: the environment's own keys assume the role, and what that gives signs the requests, which go to the
// environment's endpoint. Keys that are refused are fetched anew.
func TestRole(t *testing.T) {
	r := gluetest.New("", "")
	const role = "arn:aws:iam::123456789012:role/reads-schemas"
	sts := firehosetest.NewSTS(firehosetest.STSOptions{
		Region:  gluetest.Region,
		Callers: []firehosetest.Credentials{{AccessKey: "AKIDTEST", SecretKey: "secret"}},
		Roles:   []firehosetest.Role{{ARN: role, ExternalID: "external"}},
		Issued:  func(c firehosetest.Credentials) { r.SetKeys(c.AccessKey, c.SecretKey) },
	})
	tokens, registry := httptest.NewServer(sts), httptest.NewServer(r)
	defer tokens.Close()
	defer registry.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL_STS": tokens.URL, "AWS_ENDPOINT_URL_GLUE": registry.URL,
		"AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": t.TempDir() + "/none", "AWS_SHARED_CREDENTIALS_FILE": t.TempDir() + "/none", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	r.Add(id, "AVRO", `"int"`)
	c, err := glue.New(glue.Options{
		Region: gluetest.Region, Role: awsconfig.Role{Variable: "SCHEMA_REGISTRY_ROLE_ARN", ARN: role, ExternalID: "external"},
		Timeout: 10 * time.Second, Log: slog.New(slog.DiscardHandler), Shorten: func(*http.Response) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := c.GetVersion(t.Context(), id); err != nil || v.Text != `"int"` {
		t.Errorf("%+v, %v", v, err)
	}
	r.SetKeys("another", "one")
	if _, err := c.GetVersion(t.Context(), id); err == nil || !strings.Contains(err.Error(), "unknown key") {
		t.Errorf("%v", err)
	}
	if _, err := c.GetVersion(t.Context(), id); err != nil {
		t.Errorf("with new keys: %v", err)
	}
	if calls := sts.Calls(); len(calls) != 2 || calls[0].Role != role {
		t.Errorf("the role was assumed by %+v", calls)
	}
	sts.SetRole(firehosetest.Role{ARN: role, ExternalID: "other"})
	r.SetKeys("another", "one")
	_, _ = c.GetVersion(t.Context(), id)
	_, err = c.GetVersion(t.Context(), id)
	f, ok := errors.AsType[*glue.Failure](err)
	if !ok || f.Kind != glue.Blocked || !strings.Contains(f.Error(), "there are no credentials: assume SCHEMA_REGISTRY_ROLE_ARN "+role) {
		t.Errorf("a role that may not be assumed: %v", err)
	}
}

// TestOtherKeys: keys that the service does not know make nothing absent.
func TestOtherKeys(t *testing.T) {
	_, err := newClient(t, gluetest.New("AKIDTEST", "secret"), "another").GetVersion(t.Context(), id)
	f, ok := errors.AsType[*glue.Failure](err)
	if !ok || f.Kind != glue.Blocked || !strings.Contains(f.Error(), "the signature is another one") {
		t.Errorf("%v", err)
	}
}
