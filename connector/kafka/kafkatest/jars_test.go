package kafkatest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerify: what came in place of a jar, beside the jars or not at all is found.
func TestVerify(t *testing.T) {
	t.Parallel()
	const list = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  a.jar\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"as listed": {map[string]string{"a.jar": "hello"}, ""},
		"changed":   {map[string]string{"a.jar": "hullo"}, "a.jar has the hash"},
		"one more":  {map[string]string{"a.jar": "hello", "b.jar": "x"}, "b.jar has the hash"},
		"missing":   {nil, "did not come: a.jar"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := verify(dir, []byte(list))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestRender: a listener has its address, its protocol and its own properties, and
// options win over defaults.
func TestRender(t *testing.T) {
	t.Parallel()
	c := &Cluster{dir: t.TempDir(), options: Options{
		Brokers:    2,
		Racks:      true,
		Properties: map[string]string{"min.insync.replicas": "1", "password": `a\b`},
		Listeners:  []Listener{{Name: "LOGIN", Protocol: "SASL_SSL", Properties: map[string]string{"ssl.client.auth": "required"}}},
		Advertise: func(_ int, listener, _ string) string {
			return "127.0.0.1:" + map[string]string{"LOGIN": "1", "PLAINTEXT": "2"}[listener]
		},
	}}
	if err := c.prepare(); err != nil {
		t.Fatal(err)
	}
	text := string(c.render(c.brokers[1]))
	for _, want := range []string{
		"node.id=2\n", "broker.rack=rack-1\n", "min.insync.replicas=1\n", "default.replication.factor=2\n", `password=a\\b` + "\n",
		"listener.name.login.ssl.client.auth=required\n", "LOGIN:SASL_SSL", "LOGIN://" + c.Addr(1, "LOGIN"),
		"advertised.listeners=PLAINTEXT://127.0.0.1:2,LOGIN://127.0.0.1:1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestReleases: each release has its files, and another one is an error that names the variable.
func TestReleases(t *testing.T) {
	for name, want := range map[string]string{"": "kafka_2.13-4.", Newest: "kafka_2.13-4.", Older: "kafka_2.13-3.9.", "2.8": ""} {
		t.Setenv(ReleaseVariable, name)
		r, err := chosen()
		switch {
		case want == "" && (err == nil || !strings.Contains(err.Error(), `APACHE_KAFKA_RELEASE is "2.8"; want newest or 3.9`)):
			t.Errorf("%q: error %v", name, err)
		case want != "" && (err != nil || !strings.Contains(string(r.sums), want) || len(r.pom) == 0 || len(r.logging) == 0):
			t.Errorf("%q: no %s among its jars: %v", name, want, err)
		}
	}
}
