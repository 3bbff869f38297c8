package origin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ProxyError is a proxy that did not connect this process with the host of a request. Nothing of the request left.
type ProxyError struct {
	Proxy string // scheme, host and port
	Code  int    // HTTP status of its answer
}

// Error names the proxy and its answer.
func (e *ProxyError) Error() string {
	text := fmt.Sprintf("the proxy %s answers %d %s", e.Proxy, e.Code, http.StatusText(e.Code))
	if e.Code == http.StatusProxyAuthRequired {
		text += ": it wants a user and a password, in HTTPS_PROXY as http://USER:PASSWORD@HOST:PORT"
	}
	return text
}

// ReportProxy makes a proxy's refusal a ProxyError, where net/http's own error is the bare text of the status, as if the
// host had said it.
func ReportProxy(t *http.Transport) {
	t.OnProxyConnectResponse = func(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
		if answer.StatusCode == http.StatusOK {
			return nil
		}
		return &ProxyError{SchemeAndHost(proxy), answer.StatusCode}
	}
}

// UsableProxy reports whether net/http uses this value of HTTPS_PROXY or HTTP_PROXY as it is meant. net/http ignores a value that it
// can't parse, without an error, and connects without a proxy. It takes the wrong host if the password has a / or a # in it.
func UsableProxy(value string) bool {
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := url.Parse(value)
	return err == nil && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) &&
		u.Hostname() != "" && (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == ""
}
