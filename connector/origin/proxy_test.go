package origin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"kafka-firehose/connector/origin"
)

func TestUsableProxy(t *testing.T) {
	for value, want := range map[string]bool{
		"http://127.0.0.1:3128": true, "127.0.0.1:3128": true, "proxy": true, "https://u:p%25@proxy.example.com/": true,
		"socks5h://proxy:1080": true, "user:word@proxy:3128": true,
		"http://u:S3cr%tPw@127.0.0.1:3128": false, "http://u:a#b@proxy:3128": false, "http://user#x@proxy": false,
		"http://u/x@proxy:3128": false, "http://u?x@proxy:3128": false, "u:a/b@proxy:3128": false,
		"ftp://proxy:21": false, "http://": false, "http://:3128": false, "http://proxy:port": false,
	} {
		if got := origin.UsableProxy(value); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// TestReportProxy: a proxy that does not connect is named with its answer, and its password is not.
func TestReportProxy(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusServiceUnavailable: "answers 503 Service Unavailable",
		http.StatusProxyAuthRequired:  "answers 407 Proxy Authentication Required: it wants a user and a password",
	} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		u, err := url.Parse(strings.Replace(proxy.URL, "://", "://user:planted@", 1))
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{Proxy: http.ProxyURL(u)}
		origin.ReportProxy(transport)
		_, err = (&http.Client{Transport: transport}).Get("https://firehose.example/")
		refused, ok := errors.AsType[*origin.ProxyError](err)
		if !ok || refused.Code != status || !strings.Contains(err.Error(), "the proxy "+proxy.URL+" "+want) || strings.Contains(err.Error(), "planted") {
			t.Errorf("%d: %v, want one with %q", status, err, want)
		}
		proxy.Close()
	}
}
