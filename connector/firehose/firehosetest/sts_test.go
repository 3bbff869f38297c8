package firehosetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"kafka-firehose/connector/firehose/firehosetest"
)

const roleARN = "arn:aws:iam::123456789012:role/writer"

// handled lets the SDK talk to a handler without a socket.
type handled struct{ http.Handler }

func (h handled) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

func stsClient(h http.Handler, key, secret, token string) *sts.Client {
	return sts.New(sts.Options{
		Region: "us-east-1", HTTPClient: handled{h}, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, token),
	})
}

// The SDK assumes a role, and what it gets signs for Firehose until it ends.
func TestAssumeRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(nil)
		tokens := firehosetest.NewSTS(firehosetest.STSOptions{
			Callers: []firehosetest.Credentials{
				{AccessKey: "AKIACALLER", SecretKey: "caller"},
				{AccessKey: "ASIAOLD", SecretKey: "old", SessionToken: "t", Expires: time.Now()},
			},
			Roles:  []firehosetest.Role{{ARN: roleARN, ExternalID: "x-1"}},
			Issued: func(c firehosetest.Credentials) { s.AddCredentials(c) },
		})
		assume := func(key, secret, token, role, external string) (*sts.AssumeRoleOutput, error) {
			in := &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("test"), DurationSeconds: aws.Int32(900)}
			if external != "" {
				in.ExternalId = &external
			}
			return stsClient(tokens, key, secret, token).AssumeRole(t.Context(), in)
		}
		out, err := assume("AKIACALLER", "caller", "", roleARN, "x-1")
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(out.AssumedRoleUser.Arn); got != "arn:aws:sts::123456789012:assumed-role/writer/test" {
			t.Errorf("assumed %s", got)
		}
		if left := time.Until(*out.Credentials.Expiration); left != 15*time.Minute {
			t.Errorf("the session lasts %v, want what was asked for", left)
		}
		put := func() error {
			_, err := firehose.New(firehose.Options{
				Region: "us-east-1", HTTPClient: s, Retryer: aws.NopRetryer{},
				Credentials: credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken),
			}).DescribeDeliveryStream(t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String("orders")})
			return err
		}
		if err := put(); err != nil {
			t.Errorf("with the session: %v", err)
		}
		time.Sleep(15 * time.Minute)
		wantCode(t, put(), "ExpiredTokenException", "expired")

		for _, refused := range []struct{ key, secret, token, role, external, code, message string }{
			{"AKIACALLER", "caller", "", roleARN, "x-2", "AccessDenied", "not authorized to perform: sts:AssumeRole on resource: " + roleARN},
			{"AKIACALLER", "caller", "", roleARN, "", "AccessDenied", roleARN},
			{"AKIACALLER", "caller", "", roleARN + "s", "x-1", "AccessDenied", roleARN + "s"},
			{"AKIACALLER", "wrong", "", roleARN, "x-1", "SignatureDoesNotMatch", "signature"},
			{"AKIAOTHER", "caller", "", roleARN, "x-1", "InvalidClientTokenId", "invalid"},
			{"ASIAOLD", "old", "t", roleARN, "x-1", "ExpiredToken", "expired"},
			{"AKIACALLER", "caller", "", "writer-role-without-arn", "x-1", "ValidationError", "is invalid"},
		} {
			_, err := assume(refused.key, refused.secret, refused.token, refused.role, refused.external)
			wantCode(t, err, refused.code, refused.message)
		}
		if n := len(tokens.Sessions()); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
		if calls := tokens.Calls(); len(calls) != 8 || calls[0].Code != "" || calls[1].Code != "AccessDenied" {
			t.Errorf("calls: %+v", calls)
		}
	})
}

func TestAssumeRoleWithWebIdentity(t *testing.T) {
	tokens := firehosetest.NewSTS(firehosetest.STSOptions{
		Roles:    []firehosetest.Role{{ARN: roleARN, Tokens: []string{"good"}, Expired: []string{"old"}}},
		Lifetime: time.Minute,
	})
	assume := func(role, token string) (*sts.AssumeRoleWithWebIdentityOutput, error) {
		return stsClient(tokens, "", "", "").AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: &role, RoleSessionName: aws.String("test"), WebIdentityToken: &token,
		})
	}
	out, err := assume(roleARN, "good")
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(*out.Credentials.Expiration); left > time.Minute {
		t.Errorf("the session lasts %v, want the minute of the service", left)
	}
	_, err = assume(roleARN, "old")
	wantCode(t, err, "ExpiredTokenException", "expired")
	_, err = assume(roleARN, "bad")
	wantCode(t, err, "InvalidIdentityToken", "not a valid JWT")
	_, err = assume(roleARN+"s", "good")
	wantCode(t, err, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")

	tokens.SetRole(firehosetest.Role{ARN: roleARN, Tokens: []string{"new"}, Expired: []string{"good"}})
	_, err = assume(roleARN, "good")
	wantCode(t, err, "ExpiredTokenException", "expired")
	if _, err := assume(roleARN, "new"); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
}

func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Errorf("error is %v, want %s: …%s…", err, code, message)
	}
}

func TestContainerCredentials(t *testing.T) {
	s := newService(nil)
	c := firehosetest.NewContainer(firehosetest.ContainerOptions{Tokens: []string{"pod"}, Issued: func(c firehosetest.Credentials) { s.AddCredentials(c) }})
	get := func(path, token string) *http.Response {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, http.NoBody)
		r.Header.Set("Authorization", token)
		res, _ := handled{c}.Do(r)
		return res
	}
	var got struct {
		AccessKey              string `json:"AccessKeyId"`
		SecretAccessKey, Token string
		Expiration             time.Time
	}
	if err := json.NewDecoder(get(firehosetest.ContainerPath, "pod").Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	issued := c.Sessions()[0]
	if got.AccessKey != issued.AccessKey || got.SecretAccessKey != issued.SecretKey || got.Token != issued.SessionToken || !got.Expiration.Equal(issued.Expires) {
		t.Errorf("got %+v", got)
	}
	for token, path := range map[string]string{"": firehosetest.ContainerPath, "other": firehosetest.ContainerPath, "pod": "/"} {
		if status := get(path, token).StatusCode; status/100 != 4 {
			t.Errorf("token %q on %s: status %d", token, path, status)
		}
	}
	c.SetTokens("new")
	if status := get(firehosetest.ContainerPath, "pod").StatusCode; status != http.StatusBadRequest || c.Refusals() != 3 {
		t.Errorf("after the rotation the old token gives status %d; %d refusals, want 3", status, c.Refusals())
	}
}

// Keys come and go while the service runs.
func TestChangingCredentials(t *testing.T) {
	s := newService(nil)
	ask := func(key, secret, token string) error {
		_, err := firehose.New(firehose.Options{
			Region: "us-east-1", HTTPClient: s, Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider(key, secret, token),
		}).DescribeDeliveryStream(t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String("orders")})
		return err
	}
	wantCode(t, ask("ASIA2", "s2", "t2"), "UnrecognizedClientException", "invalid")
	s.AddCredentials(firehosetest.Credentials{AccessKey: "ASIA2", SecretKey: "s2", SessionToken: "t2"})
	if err := ask("ASIA2", "s2", "t2"); err != nil {
		t.Errorf("a key that was added: %v", err)
	}
	s.AddCredentials(firehosetest.Credentials{AccessKey: "ASIA2", SecretKey: "s2", SessionToken: "t2", Expires: time.Now()})
	wantCode(t, ask("ASIA2", "s2", "t2"), "ExpiredTokenException", "expired")
	s.RemoveCredentials("ASIA2")
	wantCode(t, ask("ASIA2", "s2", "t2"), "UnrecognizedClientException", "invalid")
	s.RemoveCredentials(accessKey)
	wantCode(t, ask(accessKey, secretKey, ""), "UnrecognizedClientException", "invalid") // and not: anybody
}
