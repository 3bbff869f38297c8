package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// registered returns the commands that deploy/commands.txt has for the test.
func registered(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\nrun: "+t.Name()+" in .ci/cluster/commands_test.go\n")
	section, _, _ = strings.Cut(section, "\n\n")
	if section == "" {
		t.Fatalf("commands.txt has no commands for %s", t.Name())
	}
	return strings.Split(section, "\n")
}

// TestCommands runs the commands of the documents that ask a cluster, as they stand there: helm and kubectl do what they
// say with the chart's objects.
func TestCommands(t *testing.T) {
	c := startControlPlane(t)
	r := c.release(t, "streaming")
	c.must(t, fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: client, namespace: streaming}\ndata: {tls.crt: %s}\n", certificate(t)))
	shell := c.shell(t)
	wants := map[string]string{
		"patch": "patched", "-l app": "made-by-hand", "describe": "Name:", "-o wide": "made-by-hand", "openssl": "notAfter=", "-o yaml": "settings.json", "helm install": "STATUS: deployed", "helm uninstall": "uninstalled", " create ": "created",
		"get jobs": "replay-lost-morning", "audit.yaml": "audit-nightly", " scale ": "scaled", "rollout restart": "restarted", "helm upgrade": "has been upgraded",
	}
	installed := false
	for _, command := range registered(t) {
		if installed && strings.HasPrefix(command, "helm install") {
			shell("helm uninstall orders -n streaming") // the documents have two ways to install the same
		}
		out := shell(command)
		for part, want := range wants {
			if strings.Contains(command, part) && !strings.Contains(out, want) {
				t.Errorf("%s: prints no %q\n%s", command, want, out)
			}
		}
		if !installed {
			installed = true
			r.makePod(t, "orders-kafka-firehose")
		}
		if _, after, ok := strings.Cut(command, `"settings.json": "`); ok { // what the pods will read
			want := strings.ReplaceAll(strings.TrimSuffix(after, `"}}'`), `\"`, `"`)
			if got := shell(`kubectl -n streaming get configmap orders-kafka-firehose-runtime -o jsonpath='{.data.settings\.json}'`); got != want {
				t.Errorf("%s\nleaves %s, want %s", command, got, want)
			}
		}
	}
}

// shell returns what runs a command of a document in a directory with the chart and the values of its README, and fails the test
// when the command does.
func (c *controlPlane) shell(t *testing.T) func(command string) (output string) {
	t.Helper()
	readme, err := os.ReadFile("../../helm/kafka-firehose/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, values, _ := strings.Cut(string(readme), "```yaml\n")
	values, _, _ = strings.Cut(values, "```")
	dir := t.TempDir()
	for _, page := range []string{"replay", "audit"} {
		text, err := os.ReadFile("../../deploy/docs/" + page + ".md")
		_, example, _ := strings.Cut(string(text), "```yaml\n")
		example, _, _ = strings.Cut(example, "```")
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, page+".yaml"), []byte(example), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	charts, err := filepath.Abs("../../helm")
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "missing.json"), []byte("{}"), 0o600),
		os.Symlink(charts, filepath.Join(dir, "helm")), os.WriteFile(filepath.Join(dir, "values.yaml"), []byte(values), 0o600)); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("NAMESPACE", "streaming", "RELEASE", "orders", "POD", "made-by-hand", "SECRET", "client", "NAME", "missing")
	return func(command string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", fill.Replace(command))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "KUBECONFIG="+c.kubeconfig, "HELM_CACHE_HOME="+c.path("helm"), "HELM_CONFIG_HOME="+c.path("helm"), "HELM_DATA_HOME="+c.path("helm"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", cmd.Args[2], err, out)
		}
		return string(out)
	}
}

// makePod makes a pod as the controller of the Deployment would.
func (r release) makePod(t *testing.T, name string) {
	t.Helper()
	deployment := &object{}
	deployment.SetAPIVersion("apps/v1")
	deployment.SetKind("Deployment")
	deployment.SetNamespace(r.namespace)
	deployment.SetName(name)
	live, err := r.get(t.Context(), deployment)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.create(t.Context(), state{live: live}.pod(t, r.namespace)); err != nil {
		t.Fatal(err)
	}
}

// certificate returns one in PEM and base64, as a Secret has it.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bridge"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
