package schema

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	awsglue "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/prometheus/client_golang/prometheus"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/schema/glue"
	"kafka-firehose/connector/schema/glue/gluetest"
	"kafka-firehose/metrics"
)

// inProcess are the options of a client of aws, with a secret.
func inProcess(aws *gluetest.Registry, secret string) []glue.ClientOption {
	return []glue.ClientOption{func(o *awsglue.Options) {
		o.HTTPClient, o.Credentials = aws, credentials.NewStaticCredentialsProvider("AKIDTEST", secret, "")
	}}
}

// byVersion is version n, and versionID its id.
func byVersion(n byte) convert.SchemaRef { return convert.SchemaRef{GUID: [16]byte{0: 0xab, 15: n}} }
func versionID(n byte) string            { return byVersion(n).String() }

// glueBubble is a registry that asks AWS Glue, in one synctest bubble.
func glueBubble(t *testing.T, f func(w *world, aws *gluetest.Registry)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer synctest.Wait()
		defer cancel()
		w, aws := &world{ctx: ctx}, gluetest.New("AKIDTEST", "secret")
		var err error
		w.Registry, err = New(Config{Type: "glue", Region: gluetest.Region}, Options{
			Glue: inProcess(aws, "secret"), Log: slog.New(slog.NewTextHandler(&w.log, nil)), Metrics: metrics.New(prometheus.NewRegistry()).Schema,
			Compile: func(d convert.SchemaDefinition) (convert.Schema, error) {
				if strings.Contains(d.Text, "spoiled") {
					return nil, errors.New("it is spoiled")
				}
				return text(d.Kind + " " + d.Text), nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		f(w, aws)
	})
}

// TestGlue: a version is fetched once, by its id, and one that can't be used makes its records bad.
func TestGlue(t *testing.T) {
	glueBubble(t, func(w *world, aws *gluetest.Registry) {
		aws.Add(versionID(1), "AVRO", `"int"`)
		aws.Add(versionID(2), "PROTOBUF", `spoiled`)
		aws.Add(versionID(3), "AVRO", ``)
		var pipelines sync.WaitGroup
		for range 10 {
			pipelines.Go(func() {
				if s, err := w.wait(byVersion(1), time.Minute); err != nil || s != text(`avro "int"`) {
					t.Errorf("%v, %v", s, err)
				}
			})
		}
		pipelines.Wait()
		if asked := aws.Asked(); len(asked) != 1 || asked[0] != "ab000000-0000-0000-0000-000000000001" {
			t.Errorf("asked for %q", asked)
		}
		_, err := w.wait(byVersion(2), time.Minute)
		wantReject(t, "spoiled", err, convert.Undecodable, "schema ab000000-0000-0000-0000-000000000002: its schema can't be used: it is spoiled")
		if w.CurrentOutage() != nil {
			t.Errorf("trouble %v", w.CurrentOutage())
		}
		<-w.FetchFor(w.ctx, byVersion(3), time.Now())
		if trouble := w.CurrentOutage(); trouble == nil || !trouble.Blocked {
			t.Errorf("an answer without a schema: %v", trouble)
		}
	})
}

// TestGlueOutage: whatever keeps versions away makes no record bad, as long as it lasts, and what is
// known goes on.
func TestGlueOutage(t *testing.T) {
	for name, refusal := range map[string]gluetest.Refusal{
		"throttled": gluetest.Throttled, "denied": gluetest.Denied, "internal": gluetest.Internal, "no connection": {},
		"a page": {Status: http.StatusOK, Message: "<html>"}, "a proxy": {Status: http.StatusNotFound, Message: `{"__type":"EntityNotFoundException"}`},
	} {
		t.Run(name, func(t *testing.T) {
			glueBubble(t, func(w *world, aws *gluetest.Registry) {
				aws.Add(versionID(1), "AVRO", `"int"`)
				aws.Add(versionID(2), "AVRO", `"long"`)
				if _, err := w.wait(byVersion(1), time.Minute); err != nil {
					t.Fatal(err)
				}
				aws.Fault(func(string) *gluetest.Refusal { return &refusal })
				if _, err := w.wait(byVersion(2), 10*time.Minute); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the verdict %v", err)
				}
				trouble := w.CurrentOutage()
				if blocked := name == "denied" || name == "a page" || name == "a proxy"; trouble == nil || trouble.Blocked != blocked {
					t.Errorf("trouble %+v", trouble)
				}
				if text := trouble.Err.Error(); !strings.HasPrefix(text, "AWS Glue in eu-central-1: ") {
					t.Errorf("trouble does not say whose it is: %s", text)
				}
				if n := len(aws.Asked()); n < 40 || n > 400 {
					t.Errorf("%d requests in ten minutes", n)
				}
				if _, err := w.LookupSchema(byVersion(1)); err != nil {
					t.Errorf("what is known: %v", err)
				}
				aws.Fault(nil)
				if s, err := w.wait(byVersion(2), time.Minute); err != nil || s != text(`avro "long"`) || w.CurrentOutage() != nil {
					t.Errorf("afterwards: %v %v, trouble %v", s, err, w.CurrentOutage())
				}
			})
		})
	}
}

// TestGlueUnknown: AWS Glue's own word makes a record bad, half a minute after it was polled and after
// the last failure; a version that is registered meanwhile is used.
func TestGlueUnknown(t *testing.T) {
	glueBubble(t, func(w *world, aws *gluetest.Registry) {
		begin := time.Now()
		w.polled = begin
		_, err := w.wait(byVersion(9), 5*time.Minute)
		wantReject(t, "unknown", err, convert.UnknownSchema, "AWS Glue in eu-central-1 does not have it (EntityNotFoundException)")
		if took := time.Since(begin); took < absentAfter {
			t.Errorf("bad after %v", took)
		}
		if w.CurrentOutage() != nil {
			t.Error("an answer is no trouble")
		}
		w.polled = time.Now()
		time.AfterFunc(10*time.Second, func() { aws.Add(versionID(9), "JSON", `{}`) })
		if s, err := w.wait(byVersion(9), 5*time.Minute); err != nil || s != text("json-schema {}") {
			t.Errorf("registered since: %v %v", s, err)
		}
	})
}

// TestGlueThatForgot: an answer from a registry that has lost what it had is no evidence: another region,
// or another account.
func TestGlueThatForgot(t *testing.T) {
	glueBubble(t, func(w *world, aws *gluetest.Registry) {
		aws.Add(versionID(1), "AVRO", `"int"`)
		if _, err := w.wait(byVersion(1), time.Minute); err != nil {
			t.Fatal(err)
		}
		aws.Fault(func(string) *gluetest.Refusal { return &gluetest.NotFound })
		if _, err := w.wait(byVersion(2), 10*time.Minute); !errors.Is(err, context.DeadlineExceeded) || !w.CurrentOutage().Blocked {
			t.Errorf("%v, trouble %v", err, w.CurrentOutage())
		}
	})
}

// TestThrottledShare: while the registry throttles, one request at a time asks for all that wait, and the
// backoff is between any two of them. Then the others follow.
func TestThrottledShare(t *testing.T) {
	glueBubble(t, func(w *world, aws *gluetest.Registry) {
		const versions = 100
		for n := range byte(versions) {
			aws.Add(versionID(n), "AVRO", `"int"`)
		}
		begin := time.Now()
		aws.Fault(func(string) *gluetest.Refusal {
			time.Sleep(50 * time.Millisecond)
			if time.Since(begin) < 2*time.Minute {
				return &gluetest.Throttled
			}
			return nil
		})
		var waits sync.WaitGroup
		for n := range byte(versions) {
			for range 3 { // partitions
				waits.Go(func() {
					if _, err := w.wait(byVersion(n), 10*time.Minute); err != nil {
						t.Errorf("version %d: %v", n, err)
					}
				})
			}
		}
		time.Sleep(10 * time.Second)
		early := len(aws.Asked())
		time.Sleep(100 * time.Second)
		asked := len(aws.Asked())
		if early > 40 || asked-early > 60 {
			t.Errorf("%d requests in ten seconds, and %d in the next 100, for %d versions", early, asked-early, versions)
		}
		waits.Wait()
		if took := time.Since(begin); took > 3*time.Minute {
			t.Errorf("it took %v", took)
		}
		if n := len(aws.Asked()) - asked; n < versions || n > versions+30 {
			t.Errorf("%d requests for %d versions afterwards", n, versions)
		}
		if n := strings.Count(w.log.String(), "can't be reached"); n != 1 {
			t.Errorf("%d lines tell of it", n)
		}
	})
}

// TestGlueAnswerIsBounded: an answer that is longer than any schema is not read to its end.
func TestGlueAnswerIsBounded(t *testing.T) {
	glueBubble(t, func(w *world, aws *gluetest.Registry) {
		aws.Add(versionID(1), "AVRO", strings.Repeat(" ", maxAnswer))
		<-w.FetchFor(w.ctx, byVersion(1), time.Now())
		if trouble := w.CurrentOutage(); trouble == nil || !strings.Contains(trouble.Err.Error(), "more than 8MiB") {
			t.Errorf("%+v", trouble)
		}
	})
}

// TestGlueRole: the role for schemas is assumed with the session name of its own setting, and its session signs the request.
func TestGlueRole(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/reader"
	var asked []string
	aws := gluetest.New("ASIAREADER", "s")
	aws.Add(versionID(1), "AVRO", `"int"`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRole" {
			aws.ServeHTTP(w, r)
			return
		}
		asked = append(asked, r.FormValue("RoleArn")+" "+r.FormValue("ExternalId")+" "+r.FormValue("RoleSessionName"))
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAREADER</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDCHAIN", "AWS_SECRET_ACCESS_KEY": "c", "AWS_SESSION_TOKEN": "", "AWS_REGION": "", "AWS_CONFIG_FILE": "/nowhere", "AWS_PROFILE": "",
		"AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_ENDPOINT_URL_STS": server.URL, "AWS_ENDPOINT_URL_GLUE": server.URL,
	} {
		t.Setenv(name, value)
	}
	for session, want := range map[string]string{"reads-schemas": "reads-schemas", "": "of-the-process"} {
		asked = nil
		t.Setenv("AWS_ROLE_SESSION_NAME", "of-the-process")
		_, _, err := TryGlue(t.Context(), Config{Type: "glue", Region: gluetest.Region, RoleARN: role, RoleExternalID: "x-1", RoleSessionName: session}, Options{})
		if err != nil || len(asked) != 1 || asked[0] != role+" x-1 "+want {
			t.Errorf("session %q: asked %q, error %v", session, asked, err)
		}
	}
}
