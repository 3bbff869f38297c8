package firehose

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// runProxyChild runs the calling test in a process of its own, with HTTPS_PROXY
// set: net/http reads the variable once. The proxy refuses the tunnel.
func runProxyChild(t *testing.T) {
	t.Helper()
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect && strings.HasPrefix(r.Host, "firehose.us-east-1.amazonaws.com") {
			asked.Add(1)
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	defer proxy.Close()
	environment(t, "")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "PROXY_CHILD=1", "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=", "https_proxy=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if asked.Load() == 0 {
		t.Errorf("the proxy was not asked: %s", out)
	}
	// Nothing can have been sent, so the put isn't ambiguous, and it was the proxy that refused.
	if !strings.Contains(string(out), "class blocked proxy: ") || !strings.Contains(string(out), "the proxy "+proxy.URL+" answers 403 Forbidden") {
		t.Errorf("output: %s", out)
	}
}
