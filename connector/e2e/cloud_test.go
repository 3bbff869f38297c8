package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

const (
	role       = "arn:aws:iam::123456789012:role/writer"
	externalID = "planted-external-id"
	podToken   = "planted-identity-token"
)

// cloud is a host whose Firehose takes nothing but temporary credentials, beside
// what hands them out: a token service, and the agent of EKS Pod Identity.
type cloud struct {
	*host
	sts   *firehosetest.STS
	agent *firehosetest.Container
	door  valve
	dir   string
}

// newCloud has sessions that last for life.
func newCloud(t *testing.T, life time.Duration) *cloud {
	t.Helper()
	c := &cloud{host: newHost(t), dir: t.TempDir()}
	c.stream.RemoveCredentials(accessKey)
	issued := func(s firehosetest.Credentials) { c.stream.AddCredentials(s) }
	c.sts = firehosetest.NewSTS(firehosetest.STSOptions{
		Callers:  []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}},
		Roles:    []firehosetest.Role{{ARN: role, ExternalID: externalID, Tokens: []string{podToken}}},
		Lifetime: life, Issued: issued,
	})
	c.agent = firehosetest.NewContainer(firehosetest.ContainerOptions{Tokens: []string{podToken}, Lifetime: life, Issued: issued})
	mux := http.NewServeMux()
	mux.Handle("/", c.sts)
	mux.Handle(firehosetest.ContainerPath, c.agent)
	c.door.next = mux
	server := httptest.NewServer(&c.door)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	c.door.url = server.URL
	return c
}

// sessions are all that were handed out.
func (c *cloud) sessions() []firehosetest.Credentials {
	return append(c.sts.Sessions(), c.agent.Sessions()...)
}

// end lets a session end now.
func (c *cloud) end(i int) {
	s := c.sessions()[i]
	s.Expires = time.Now()
	c.stream.AddCredentials(s)
}

// write makes a file and returns its name.
func (c *cloud) write(name, text string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil { // as the kubelet does
		c.t.Fatal(err)
	}
	return path
}

// The environments in which a process finds credentials. Each comes after
// another: what it does not name is not there.
func (c *cloud) nothing() []string {
	return []string{
		// A busy machine is not to cost the membership: what comes twice then is no
		// matter of credentials.
		"KAFKA_SESSION_TIMEOUT=10s", "KAFKA_REBALANCE_TIMEOUT=10s",
		"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_ENDPOINT_URL_STS=" + c.door.url,
		"AWS_CONFIG_FILE=" + filepath.Join(c.dir, "none"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(c.dir, "none"),
	}
}

func (c *cloud) profile(key, secret, token string) []string {
	text := "[profile]\naws_access_key_id=" + key + "\naws_secret_access_key=" + secret + "\n"
	if token != "" {
		text += "aws_session_token=" + token + "\n"
	}
	return append(c.nothing(), "AWS_PROFILE=profile", "AWS_SHARED_CREDENTIALS_FILE="+c.write("credentials", text))
}

func (c *cloud) irsa() []string {
	return append(c.nothing(), "AWS_ROLE_ARN="+role, "AWS_WEB_IDENTITY_TOKEN_FILE="+c.write("token", podToken))
}

func (c *cloud) podIdentity() []string {
	return append(c.nothing(), "AWS_CONTAINER_CREDENTIALS_FULL_URI="+c.door.url+firehosetest.ContainerPath,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="+c.write("token", podToken))
}

func (c *cloud) assumed(external string) []string {
	return append(c.nothing(), "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey,
		"FIREHOSE_ROLE_ARN="+role, "FIREHOSE_ROLE_EXTERNAL_ID="+external)
}

// valve is what stands between a process and the token service.
type valve struct {
	next     http.Handler
	url      string
	state    atomic.Int32
	knocking atomic.Int32 // requests that did not get in
}

const (
	opened int32 = iota
	shut         // connections are reset
	silent       // requests are taken and not answered
)

func (v *valve) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch v.state.Load() {
	case opened:
		v.next.ServeHTTP(w, r)
	case shut:
		v.knocking.Add(1)
		panic(http.ErrAbortHandler)
	case silent:
		v.knocking.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice who leaves
		<-r.Context().Done()
	}
}

var listening = regexp.MustCompile(`"addr":"([^"]+)"`)

// probe asks the process's own HTTP server.
func (c *child) probe(t *testing.T, path string) (status int, body string) {
	t.Helper()
	found := listening.FindStringSubmatch(c.log.String())
	if found == nil {
		t.Fatalf("no address in the log\n%s", c.log.String())
	}
	res, err := http.Get("http://" + found[1] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// lines are the lines of the log that contain all of the words.
func (c *child) lines(words ...string) (found []string) {
next:
	for line := range strings.Lines(c.log.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

// blocked waits until the process says that its stream is blocked for want of
// credentials: in one line, which has all the words, and in its readiness.
func (c *cloud) blocked(p *child, words ...string) {
	c.t.Helper()
	c.until(p, "it is blocked", func() bool { return len(p.lines(`"level":"ERROR"`, "blocked", "no_credentials")) > 0 })
	if lines := p.lines(append(words, `"level":"ERROR"`)...); len(lines) != 1 {
		c.t.Errorf("%d error lines with %q\n%s", len(lines), words, p.log.String())
	}
	status, body := p.probe(c.t, "/readyz")
	for _, word := range append(words, "no_credentials") {
		if status != http.StatusServiceUnavailable || !strings.Contains(body, word) {
			c.t.Errorf("readiness is %d, without %q: %s", status, word, body)
		}
	}
	if status, body := p.probe(c.t, "/livez"); status != http.StatusOK {
		c.t.Errorf("a restart would not help, yet liveness is %d: %s", status, body)
	}
}

// finish waits until all is committed, and checks that each record came once, that
// nothing was ambiguous, and that no secret is in anything the process said.
func (c *cloud) finish(p *child) {
	c.t.Helper()
	c.delivered(time.Minute)
	if status, body := p.probe(c.t, "/readyz"); status != http.StatusOK {
		c.t.Errorf("readiness is %d at the end: %s", status, body)
	}
	_, said := p.probe(c.t, "/metrics")
	if !strings.Contains(said, `kafka_firehose_records_ambiguous_total{stream="s"} 0`) {
		c.t.Error("a refusal of credentials was taken for an ambiguous answer")
	}
	_, status := p.probe(c.t, "/status")
	said += status
	c.drain(p)
	said += p.log.String()
	for _, s := range c.sessions() {
		if strings.Contains(said, s.SecretKey) || strings.Contains(said, s.SessionToken) {
			c.t.Errorf("the secrets of %s are in the log, the status or the metrics", s.AccessKey)
		}
	}
	for _, secret := range []string{secretKey, podToken, externalID} {
		if strings.Contains(said, secret) {
			c.t.Errorf("%s is in the log, the status or the metrics", secret)
		}
	}
	if lost, copies := c.judge.count(c.produced); lost > 0 || copies > 0 {
		c.t.Errorf("of %d records %d are lost and %d came twice", c.produced, lost, copies)
	}
	c.judge.verdict(c.t)
}
