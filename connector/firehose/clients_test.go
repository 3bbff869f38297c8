package firehose

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// TestStreamsHaveTheirOwnWays: a stream with options is reached in its region, at its
// endpoint and under its role; the others share the client that they had.
func TestStreamsHaveTheirOwnWays(t *testing.T) {
	var mu sync.Mutex
	var roles []string
	signed := map[string]string{} // :: server and stream -> who signed for which region
	serve := func(name string) *httptest.Server {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
			scope := strings.Split(credential, "/") // key, date, region, service, ...
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(r.Header.Get("Content-Type"), "form") {
				roles = append(roles, scope[2]+" "+string(body))
				fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
					time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
				return
			}
			for _, stream := range []string{"orders", "clicks", "paris"} {
				if strings.Contains(string(body), `"`+stream+`"`) {
					signed[name+" "+stream] = scope[0] + " " + scope[2]
				}
			}
			fmt.Fprint(w, `{"FailedPutCount":0,"RequestResponses":[{"RecordId":"a"}]}`)
		}))
		t.Cleanup(srv.Close)
		return srv
	}
	home, abroad := serve("home"), serve("abroad")
	environment(t, home.URL)
	cfg := settings()
	cfg.Stream, cfg.Routes = "orders", Routes{{Topic: "c", Stream: "clicks"}, {Topic: "p", Stream: "paris"}}
	err := cfg.StreamOptions.Decode(`{"clicks": {"max_in_flight": 3}, "paris": {"region": "eu-west-3", "endpoint_url": "` + abroad.URL + `",
		"role_arn": "arn:aws:iam::123456789012:role/writer", "role_external_id": "x123", "role_session_name": "of-paris"}}`)
	if err != nil {
		t.Fatal(err)
	}
	clients, err := NewClients(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, stream := range cfg.StreamNames() {
		in := &firehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: []types.Record{{Data: []byte("x")}}}
		if _, err := clients.ForStream(stream).PutRecordBatch(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		defer clients.ForStream(stream).close()
	}
	for at, want := range map[string]string{"home orders": "AKID us-east-1", "home clicks": "AKID us-east-1", "abroad paris": "ROLE eu-west-3"} {
		if signed[at] != want {
			t.Errorf("%s was signed by %q, want %q", at, signed[at], want)
		}
	}
	if len(signed) != 3 {
		t.Errorf("requests: %v", signed)
	}
	if len(roles) != 1 || !strings.HasPrefix(roles[0], "eu-west-3 ") || !strings.Contains(roles[0], "ExternalId=x123") || !strings.Contains(roles[0], "RoleSessionName=of-paris") {
		t.Errorf("roles were assumed by %q, want one in eu-west-3 with the external id and the session's name", roles)
	}
	if clients.ForStream("orders") != clients.ForStream("clicks") || clients.ForStream("orders") == clients.ForStream("paris") {
		t.Error("streams that are reached in the same way share a client, and no others do")
	}
}

// TestRegionOfEveryStream: without AWS_REGION each stream needs one of its own.
func TestRegionOfEveryStream(t *testing.T) {
	environment(t, "")
	t.Setenv("AWS_REGION", "")
	cfg := settings()
	cfg.Stream, cfg.Routes = "orders", Routes{{Topic: "p", Stream: "paris"}}
	cfg.StreamOptions.Of = map[string]StreamOption{"paris": {Region: "eu-west-3"}}
	if _, err := NewClients(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "stream orders: AWS_REGION is not set") {
		t.Errorf("error is %v", err)
	}
	cfg.StreamOptions.Of["orders"] = StreamOption{Region: "eu-west-1"}
	if _, err := NewClients(t.Context(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
}
