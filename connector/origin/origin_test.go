package origin_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"kafka-firehose/connector/origin"
)

func TestSame(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"https://a/x", "https://a/y?z", true},
		{"https://a", "https://A:443/", true},
		{"http://a", "http://a:80", true},
		{"https://a", "http://a", false},
		{"https://a", "https://a:8443", false},
		{"http://a:443", "https://a", false},
		{"https://a", "https://b.a", false},
		{"http://[::1]:80", "http://[::1]", true},
	} {
		a, _ := url.Parse(test.a)
		b, _ := url.Parse(test.b)
		if got := origin.SameOrigin(a, b); got != test.want {
			t.Errorf("%s and %s: %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

// TestLoginsStay: a login goes nowhere but to the origin of the first request, by either way of seeing to that, and a
// redirect there is followed.
func TestLoginsStay(t *testing.T) {
	var got string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") + "at " + r.URL.Path }))
	defer other.Close()
	server := httptest.NewServer(nil)
	defer server.Close()
	targets := map[string]string{"/here": server.URL + "/end", "/there": other.URL + "/end", "/via": "/there"}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := targets[r.URL.Path]; to != "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		_, _ = io.WriteString(w, "end with "+r.Header.Get("Authorization"))
	})
	kept := &http.Transport{}
	defer kept.CloseIdleConnections()
	origin.KeepTransport(kept)
	for name, client := range map[string]*http.Client{"client": {CheckRedirect: origin.StayOnOrigin}, "transport": {Transport: kept}} {
		for path, want := range map[string]string{"/here": "end with secret", "/there": "", "/via": ""} {
			got = ""
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
			r.Header.Set("Authorization", "secret")
			resp, err := client.Do(r)
			text := ""
			if err == nil {
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				text = string(body)
				if want == "" && resp.StatusCode != http.StatusTemporaryRedirect {
					t.Errorf("%s, %s: %d", name, path, resp.StatusCode)
				}
			} else if !strings.Contains(err.Error(), "redirects to "+other.URL+", where no login may go") {
				t.Errorf("%s, %s: %v", name, path, err)
			}
			if got != "" || want != "" && text != want {
				t.Errorf("%s, %s: answered %q; another server got %q", name, path, text, got)
			}
		}
	}
	resp, err := (&http.Client{CheckRedirect: origin.StayOnOrigin}).Get(server.URL + "/there")
	if err != nil || got != "at /end" {
		t.Errorf("without a login: %v, %q", err, got)
	} else {
		_ = resp.Body.Close()
	}
}

func TestRedirectsEnd(t *testing.T) {
	server := httptest.NewServer(nil)
	defer server.Close()
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	if resp, err := (&http.Client{CheckRedirect: origin.StayOnOrigin}).Get(server.URL); err == nil || !strings.Contains(err.Error(), "more than 10 times") {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestScrub(t *testing.T) {
	for _, test := range []struct{ message, scrubbed, bare string }{
		{`Get "http://169.254.170.23/v1/credentials?id=s3cret": dial tcp`, `Get "http://169.254.170.23/v1/credentials": dial tcp`, `Get "http://169.254.170.23": dial tcp`},
		{"asked https://u:p@host:8443/a/b#c, in vain", "asked https://host:8443/a/b, in vain", "asked https://host:8443, in vain"},
		{"https://u:p@q@host", "https://host", "https://host"},
		{"http://h?x=1: no", "http://h: no", "http://h: no"},
		{"two http://a:b@c http://d:e@f/", "two http://c http://f/", "two http://c http://f"},
		{`parse "http://u:s3 cret@h/p": no`, `parse "http://h/p": no`, `parse "http://h": no`},
		{"no URL, arn:aws:iam::123456789012:role/r", "no URL, arn:aws:iam::123456789012:role/r", "no URL, arn:aws:iam::123456789012:role/r"},
		{`Get "https://x/": invalid proxy address "u:s3cret@p:x": parse "u:s3cret@p:x": no`, `Get "https://x/": invalid proxy address: look at HTTPS_PROXY and HTTP_PROXY`, `Get "https://x": invalid proxy address: look at HTTPS_PROXY and HTTP_PROXY`},
	} {
		if got := origin.ScrubMessage(test.message); got != test.scrubbed {
			t.Errorf("scrubbed: %s, want %s", got, test.scrubbed)
		}
		if got := origin.BareMessage(test.message); got != test.bare {
			t.Errorf("bare: %s, want %s", got, test.bare)
		}
	}
}
