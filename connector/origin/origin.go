// Package origin keeps logins at the scheme, host and port that they are for, and the secret parts of URLs out of
// messages.
package origin

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxRedirects is what net/http follows by default.
const maxRedirects = 10

// SameOrigin reports whether two URLs have the same scheme, host and port.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && originAddress(a) == originAddress(b)
}

func originAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// StayOnOrigin is the CheckRedirect of a client that logs in. A login is for the origin of the first request: a redirect to
// another one is not followed, and is the answer. Requests without a login follow any.
func StayOnOrigin(r *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case first.Header.Get("Authorization") != "" && !SameOrigin(first.URL, r.URL):
		return http.ErrUseLastResponse
	case len(via) >= maxRedirects:
		return fmt.Errorf("it redirects more than %d times", maxRedirects)
	}
	return nil
}

// KeepTransport keeps all requests of a transport at the origin that they are for, where the client that uses the
// transport can't be given a CheckRedirect. A redirect elsewhere is an error.
func KeepTransport(t *http.Transport) {
	proxy := t.Proxy // is asked before each request, the one after a redirect too
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if r.Response != nil && r.Response.Request != nil && !SameOrigin(r.Response.Request.URL, r.URL) {
			return nil, fmt.Errorf("%s redirects to %s, where no login may go", SchemeAndHost(r.Response.Request.URL), SchemeAndHost(r.URL))
		}
		if proxy == nil {
			return nil, nil //nolint:nilnil // net/http's way to say that there is no proxy
		}
		return proxy(r)
	}
}

// SchemeAndHost returns the scheme, host and port of a URL as text.
func SchemeAndHost(u *url.URL) string { return u.Scheme + "://" + u.Host }

var (
	// urls are URLs in a message: between quotation marks, or up to a blank.
	urls = regexp.MustCompile("(\"[A-Za-z][A-Za-z0-9+.-]*://)([^\"]*)|([A-Za-z][A-Za-z0-9+.-]*://)([^\\s\"'<>`]*)")
	// proxies is net/http's error for a proxy's address that can't be read. It repeats the address twice.
	proxies = regexp.MustCompile(`(?s)invalid proxy address .*`)
)

// BareMessage returns a message whose URLs are cut to scheme, host and port: a path may hold a secret, as a query may.
func BareMessage(message string) string { return scrubURLs(message, "/?#") }

// ScrubMessage returns a message whose URLs have no user, password, query or fragment.
func ScrubMessage(message string) string { return scrubURLs(message, "?#") }

func scrubURLs(message, ends string) string {
	message = proxies.ReplaceAllString(message, "invalid proxy address: look at HTTPS_PROXY and HTTP_PROXY")
	return urls.ReplaceAllStringFunc(message, func(found string) string {
		parts := urls.FindStringSubmatch(found)
		scheme, rest := parts[1]+parts[3], parts[2]+parts[4]
		authority, path := rest, ""
		if at := strings.IndexAny(rest, "/?#"); at >= 0 {
			authority, path = rest[:at], rest[at:]
		}
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			authority = authority[at+1:]
		}
		tail := ""
		if at := strings.IndexAny(path, ends); at >= 0 {
			if mark := path[at:]; strings.HasSuffix(mark, ":") || strings.HasSuffix(mark, ",") {
				tail = mark[len(mark)-1:] // of the sentence
			}
			path = path[:at]
		}
		return scheme + authority + path + tail
	})
}
