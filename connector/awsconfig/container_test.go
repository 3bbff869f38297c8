package awsconfig

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// container is an endpoint of credentials, at an address that holds a secret.
func container(t *testing.T, answer http.HandlerFunc) (server *httptest.Server) {
	t.Helper()
	server = httptest.NewServer(answer)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
		"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true",
		fullURI: server.URL + "/path-s3cret?key=s3cret", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "s3cret",
	} {
		t.Setenv(name, value)
	}
	return server
}

func keys(w http.ResponseWriter) {
	fmt.Fprintf(w, `{"AccessKeyId":"AKIDCONTAINER","SecretAccessKey":"s","Token":"t","Expiration":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

// TestContainerEndpointFails: the reason says what it answers, and shows nothing of the address but the host.
func TestContainerEndpointFails(t *testing.T) {
	page := "<html>" + strings.Repeat("s3cret ", 1000)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"without a body": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "it answers 500 Internal Server Error"},
		"a proxy's page": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, page, http.StatusBadGateway) }, "it answers 502 Bad Gateway"},
		"reasons in JSON": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"code":"AccessDenied","message":"no association"}`)
		}, "AccessDenied: no association"},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"without end": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			for range 64 {
				_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
			}
		}, "it answers 400 Bad Request"},
	} {
		t.Run(name, func(t *testing.T) {
			server := container(t, test.answer)
			_, err := CredentialsChain("", Role{}, FetchTimeout)(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "<html>") {
				t.Errorf("%v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(test.want, "answers") && !strings.Contains(err.Error(), server.URL+" (AWS_CONTAINER_CREDENTIALS_FULL_URI)") {
				t.Errorf("%v does not name the host", err)
			}
		})
	}
}

// TestContainerEndpointBehindAProxy: where NO_PROXY does not except the endpoint, the reason says that a proxy has answered, and names both. net/http
// reads HTTP_PROXY once, and never for a loopback address, so the test runs in a process of its own.
func TestContainerEndpointBehindAProxy(t *testing.T) {
	const child = "PROXY_CHILD"
	if os.Getenv(child) != "" {
		_, err := CredentialsChain("", Role{}, FetchTimeout)(t.Context())
		fmt.Printf("reason: %v\n", err)
		return
	}
	var asked atomic.Int32
	proxy := container(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() == "http://169.254.170.23/v1/credentials" {
			asked.Add(1)
		}
		w.WriteHeader(http.StatusBadGateway)
	})
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1", fullURI+"=http://169.254.170.23/v1/credentials", "HTTP_PROXY="+proxy.URL, "http_proxy=", "NO_PROXY=", "no_proxy=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		"it answers 502 Bad Gateway", "ask http://169.254.170.23 (AWS_CONTAINER_CREDENTIALS_FULL_URI) by way of the proxy " + proxy.URL + ", as NO_PROXY does not except it",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
	if asked.Load() == 0 {
		t.Error("the proxy was not asked")
	}
}

// TestBadContainerAddress: one that can't be read is named and not shown.
func TestBadContainerAddress(t *testing.T) {
	container(t, nil)
	for _, address := range []string{"http://user:s3cret word@127.0.0.1/", "http://u:s3cret/x@127.0.0.1", "http://127.0.0.1:s3cret/", "s3cret:80", "http://example.com/s3cret", "://s3cret"} {
		t.Setenv(fullURI, address)
		_, err := CredentialsChain("", Role{}, time.Second)(t.Context())
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestContainerEndpointRedirects: the token goes to no other origin.
func TestContainerEndpointRedirects(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		keys(w)
	}))
	defer other.Close()
	to := "/moved"
	container(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" && r.Header.Get("Authorization") == "s3cret" {
			keys(w)
			return
		}
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	})
	if c, err := CredentialsChain("", Role{}, FetchTimeout)(t.Context()); err != nil || c.AccessKeyID != "AKIDCONTAINER" {
		t.Errorf("a redirect to the same origin: %s, %v", c.AccessKeyID, err)
	}
	to = other.URL + "/s3cret"
	c, err := CredentialsChain("", Role{}, FetchTimeout)(t.Context())
	if err == nil || asked > 0 || !strings.Contains(err.Error(), "redirects to "+other.URL+", where no login may go") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a redirect to another port: %s, %v; it was asked %d times", c.AccessKeyID, err, asked)
	}
}

// TestTokenServiceRedirects: neither the token of a web identity nor a signature goes to another origin.
func TestTokenServiceRedirects(t *testing.T) {
	var got []byte
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		got = append(got, r.Header.Get("Authorization")...)
	}))
	defer other.Close()
	for _, code := range []int{http.StatusMovedPermanently, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		sts := container(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, code) })
		t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
		t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
		c, err := CredentialsChain("", Role{Variable: "FIREHOSE_ROLE_ARN", ARN: "arn:aws:iam::123456789012:role/r"}, FetchTimeout)(t.Context())
		if err == nil || len(got) > 0 {
			t.Errorf("%d: %s, %v; another origin got %q", code, c.AccessKeyID, err, got)
		}
	}
}

// TestNoLoginLeavesItsOrigin: that holds for every client of the SDK, such as those of the instance's metadata and of
// SSO, whose tokens are in headers that net/http takes along.
func TestNoLoginLeavesItsOrigin(t *testing.T) {
	got := ""
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("X-Amz-Sso_bearer_token") }))
	defer other.Close()
	server := container(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	shared, err := LoadConfig(t.Context(), awshttp.NewBuildableClient())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Sso_bearer_token", "s3cret")
	resp, err := shared.HTTPClient.Do(r)
	if err == nil {
		_ = resp.Body.Close()
	}
	if err == nil || got != "" {
		t.Errorf("%v; another origin got %q", err, got)
	}
}
