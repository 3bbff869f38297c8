package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"kafka-firehose/connector"
)

// The exit codes of healthcheck are those that Docker and ECS know.
const (
	healthy   = 0
	unhealthy = 1 // also when the flags are wrong: 2 is reserved there
)

const healthcheckUsage = `kafka-firehose healthcheck asks the process on this machine whether it is well, for
images without a shell and supervisors that run a command.

  kafka-firehose healthcheck [-probe livez|readyz] [-addr host:port] [-timeout 5s]

Exit code: 0 it is; 1 it is not, does not answer, or the flags are wrong.

`

// maxReasonShown bounds the part of an answer that is read, in bytes.
const maxReasonShown = 64 << 10

// runHealthcheck asks a probe of the process whose HTTP_ADDR this environment has.
func (p process) runHealthcheck(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	probe := flags.String("probe", "livez", "livez: a restart would not help; readyz: records get through. The `name` of the probe")
	addr := flags.String("addr", "", "`host:port` of the process; default HTTP_ADDR on this machine")
	timeout := flags.Duration("timeout", 5*time.Second, "for the answer")
	code, ok := p.parseFlags(flags, healthcheckUsage, args, unhealthy, func() error {
		switch {
		case *probe != "livez" && *probe != "readyz":
			return fmt.Errorf("-probe is %q; want livez or readyz", *probe)
		case *timeout <= 0:
			return fmt.Errorf("-timeout is %s; want more than 0s", *timeout)
		}
		return nil
	})
	if !ok {
		return code
	}
	if *addr == "" {
		*addr = ownAddr(os.Getenv("HTTP_ADDR"))
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	reason, err := getProbe(ctx, "http://"+*addr+"/"+*probe)
	if err != nil {
		fmt.Fprintf(p.stderr, "kafka-firehose: %v\n", err)
		return unhealthy
	}
	fmt.Fprint(p.stdout, reason)
	return healthy
}

// ownAddr is where a process that serves on addr is reached from its own machine.
func ownAddr(addr string) string {
	addr = cmp.Or(addr, connector.DefaultConfig().HTTPAddr)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}

// getProbe returns what a probe that passes says, and an error with the reason of one that fails.
func getProbe(ctx context.Context, url string) (said string, err error) {
	resp, err := getWithoutProxy(ctx, url)
	if err != nil {
		return "", fmt.Errorf("no answer from %s: %w", url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReasonShown))
	if err != nil {
		return "", fmt.Errorf("the answer of %s is cut: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s: %s", url, resp.Status, strings.TrimSpace(string(text)))
	}
	return string(text), nil
}

// getWithoutProxy asks a member over a connection of its own, also where HTTP_PROXY is set.
func getWithoutProxy(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	direct := &http.Transport{DisableKeepAlives: true}
	return direct.RoundTrip(req)
}
