package firehose

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/firehose/putbatch"
)

const writer = "arn:aws:iam::123456789012:role/writer"

// What is said when there are no credentials names the role, the file or the
// address; and whatever the token service answers, nothing was sent to Firehose.
func TestNoCredentialsSaysWhy(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	refuses := "http://" + closed.Addr().String()
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte("unknown"), 0o600); err != nil {
		t.Fatal(err)
	}
	service := firehosetest.NewSTS(firehosetest.STSOptions{
		Callers: []firehosetest.Credentials{{AccessKey: "AKID", SecretKey: "secret"}},
		Roles:   []firehosetest.Role{{ARN: writer, ExternalID: "right", Tokens: []string{"known"}}},
	})
	gateway := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGatewayTimeout) })
	role := func(external string) Config { return Config{RoleARN: writer, RoleExternalID: external} }
	noKeys := map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
	with := func(more ...string) map[string]string {
		all := map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	for _, tt := range []struct {
		name string
		sts  http.Handler
		cfg  Config
		env  map[string]string
		want []string
	}{
		{"wrong external id", service, role("wrong"), nil, []string{"FIREHOSE_ROLE_ARN", writer, "AccessDenied", "sts:AssumeRole"}},
		{"key unknown to the token service", service, role("right"), map[string]string{"AWS_ACCESS_KEY_ID": "OTHER"}, []string{writer, "InvalidClientTokenId"}},
		{"token service out of order", gateway, role("right"), nil, []string{writer, "504 Gateway Timeout"}},
		{"token service silent", http.HandlerFunc(silent), role("right"), nil, []string{writer, "http://127.0.0.1", "no answer in time"}},
		{"token service down", service, role("right"), map[string]string{"AWS_ENDPOINT_URL_STS": refuses}, []string{writer, refuses, "refused"}},
		{"web identity, no file", service, Config{}, with("AWS_ROLE_ARN", writer, "AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"), []string{"/nowhere/token", "no such file"}},
		{"web identity, wrong token", service, Config{}, with("AWS_ROLE_ARN", writer, "AWS_WEB_IDENTITY_TOKEN_FILE", tokenFile), []string{writer, "InvalidIdentityToken"}},
		{"web identity, wrong role", service, Config{}, with("AWS_ROLE_ARN", writer+"s", "AWS_WEB_IDENTITY_TOKEN_FILE", tokenFile), []string{writer + "s", "AccessDenied"}},
		{"container, no file", service, Config{}, with("AWS_CONTAINER_CREDENTIALS_FULL_URI", refuses+firehosetest.ContainerPath, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere/token"), []string{"/nowhere/token", "no such file"}},
		{"container down", service, Config{}, with("AWS_CONTAINER_CREDENTIALS_FULL_URI", refuses+firehosetest.ContainerPath), []string{refuses, "refused"}},
		{"nothing at all", service, Config{}, noKeys, []string{"endpoint hold none", "AWS_EC2_METADATA_DISABLED"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.sts)
			defer srv.Close()
			environment(t, srv.URL)
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			c := mustClient(t)
			c.keys = awsconfig.CacheCredentials(awsconfig.CredentialsChain("", tt.cfg.assumedRole(), 100*time.Millisecond), slog.New(slog.DiscardHandler))
			_, err := c.keys.Retrieve(t.Context())
			f := putbatch.ClassifyError(t.Context(), errors.Join(errors.New("get identity: "), err), true)
			if f.Class != putbatch.Blocked || f.Code != "no_credentials" {
				t.Errorf("%s %s: %v", f.Class, f.Code, f)
			}
			for _, want := range tt.want {
				if !strings.Contains(f.Message, want) {
					t.Errorf("no %q in: %s", want, f.Message)
				}
			}
			if strings.Count(f.Message, "\n") > 0 || strings.Contains(f.Message, "operation error") {
				t.Errorf("not a line for people: %s", f.Message)
			}
			t.Log(f.Message)
		})
	}
}

// silent takes a request and says nothing.
func silent(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// Credentials that come too late for the request that waits for them are there
// for the next one, and say so meanwhile.
func TestCredentialsComeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := firehosetest.New(firehosetest.Options{Streams: []firehosetest.Stream{{Name: "orders"}}})
		w := newWorld(t, svc, settings(), func(o *firehose.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				time.Sleep(15 * time.Second)
				return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "s"}, nil
			})
		})
		w.start(t.Context(), w.batch(10, 100))
		time.Sleep(11 * time.Second)
		st := w.stream.State()
		if !st.Blocked || st.Reason.Code != "no_credentials" || !strings.Contains(st.Reason.Message, "in time") {
			t.Errorf("state: %+v", st)
		}
		w.wg.Wait()
		w.wantOnce(10)
		w.wantMetric(0, "records_ambiguous_total")
	})
}

// Keys that are changed in a file are found without a restart, once the old ones
// are refused.
func TestKeysChangedInAFile(t *testing.T) {
	environment(t, "http://127.0.0.1:1")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	write := func(key string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("[default]\naws_access_key_id="+key+"\naws_secret_access_key=s\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("FIRST")
	c := mustClient(t)
	want := func(key string) {
		t.Helper()
		if got, err := c.keys.Retrieve(t.Context()); err != nil || got.AccessKeyID != key {
			t.Errorf("got %s, %v, want %s", got.AccessKeyID, err, key)
		}
	}
	want("FIRST")
	write("SECOND")
	want("FIRST")
	c.InvalidateCredentials()
	want("SECOND")
}
