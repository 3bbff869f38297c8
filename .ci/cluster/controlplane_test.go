package cluster

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// patience is generous: etcd and the API server are ready in five seconds on an idle machine.
const patience = 2 * time.Minute

// controlPlane is etcd and an API server, and the directory with all that they write.
type controlPlane struct {
	*api
	dir        string
	kubeconfig string
}

// startControlPlane runs both until the test is over.
func startControlPlane(t *testing.T) *controlPlane {
	t.Helper()
	begin := time.Now()
	c := &controlPlane{dir: t.TempDir()}
	c.kubeconfig = filepath.Join(c.dir, "kubeconfig")
	ports := freePorts(t, 3)
	token := rand.Text()
	c.write(t, "tokens.csv", token+`,admin,admin,"system:masters"`)
	c.write(t, "kubeconfig", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c,
  clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", insecure-skip-tls-verify: true}}],
  users: [{name: c, user: {token: %q}}], contexts: [{name: c, context: {cluster: c, user: c, namespace: none}}]}`, ports[2], token))
	c.serviceAccountKey(t)

	etcd := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	c.start(t, "etcd", "--data-dir="+c.path("data"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, fmt.Sprintf("--listen-peer-urls=http://127.0.0.1:%d", ports[1]))
	server := c.start(t, "kube-apiserver", "--etcd-servers="+etcd,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[2]), "--cert-dir="+c.path("certs"),
		"--token-auth-file="+c.path("tokens.csv"), "--authorization-mode=RBAC", "--anonymous-auth=false", "--profiling=false",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/24",
		"--service-account-key-file="+c.path("key.pem"), "--service-account-signing-key-file="+c.path("key.pem"))

	var err error
	c.api, err = newAPI(&rest.Config{
		Host: fmt.Sprintf("127.0.0.1:%d", ports[2]), BearerToken: token, QPS: 1000, Burst: 1000, WarningHandler: rest.NoWarnings{},
		TLSClientConfig: rest.TLSClientConfig{Insecure: true}, // it signs for itself, and only this machine can reach it
	})
	if err != nil {
		t.Fatal(err)
	}
	server.until(t, "the API server is ready", func() error { return c.ready(t.Context()) })
	version, err := c.discovery.ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("Kubernetes %s on loopback after %v", version.GitVersion, time.Since(begin).Round(100*time.Millisecond))
	return c
}

func (c *controlPlane) path(name string) string { return filepath.Join(c.dir, name) }

func (c *controlPlane) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// process is one of the two.
type process struct {
	name, log string
	cmd       *exec.Cmd
	gone      chan struct{} // closed when it has ended
}

// start runs a command until the test is over, however it ends: by SIGTERM, by SIGKILL when that
// isn't enough, and by the kernel when the test's own process is gone. The log is kept beside it.
func (c *controlPlane) start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: `.ci/run cluster` builds it and runs this test", err)
	}
	p := &process{name: name, log: c.path(name + ".log"), cmd: exec.Command(path, args...), gone: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = log, log, c.dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.gone)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.gone:
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.gone
		}
	})
	return p
}

// until waits for something that the process has to bring about.
func (p *process) until(t *testing.T, what string, done func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-p.gone:
			err = errors.Join(fmt.Errorf("%s has ended", p.name), err)
		default:
			if time.Now().Before(end) {
				continue
			}
		}
		log, _ := os.ReadFile(p.log)
		t.Fatalf("waited %v in vain until %s: %v\n%s", patience, what, err, bytes.TrimSpace(log[max(0, len(log)-3000):]))
	}
}

// freePorts are some that nobody listens on now. Whoever takes one in the next second makes
// a process end, which says so in its log.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
