package oauthtoken

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/env"
)

// hostileEndpoint answers each request with what it is given, and counts what is read of it.
type hostileEndpoint struct {
	status   int
	kind     string
	body     []byte
	endless  bool
	requests int
	read     int
}

// RoundTrip implements http.RoundTripper.
func (h *hostileEndpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	h.requests++
	var body io.Reader = bytes.NewReader(h.body)
	if h.endless {
		body = io.MultiReader(body, repeated(' '))
	}
	return &http.Response{
		StatusCode: h.status, Status: http.StatusText(h.status), Header: http.Header{"Content-Type": {h.kind}}, Request: r, ContentLength: -1,
		Body: io.NopCloser(io.TeeReader(body, counter{h})),
	}, nil
}

type counter struct{ h *hostileEndpoint }

func (c counter) Write(p []byte) (int, error) {
	c.h.read += len(p)
	return len(p), nil
}

// repeated is a byte without an end.
type repeated byte

func (b repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// FuzzEndpointAnswer: whatever answers in the place of a token endpoint, it takes bounded memory and one request, its tokens fit into a header, and its
// errors are short, on one line and without the client's secret.
func FuzzEndpointAnswer(f *testing.F) {
	f.Add(uint16(0), "application/json", []byte(`{"access_token":"a.b.c","token_type":"Bearer","expires_in":3600}`), false)
	f.Add(uint16(0), "application/json", []byte(`{"access_token":"a\nb: c","expires_in":"3600"}`), false)
	f.Add(uint16(0), "application/json", []byte(`{"access_token":"ä","expires_in":1e18}`), false)
	f.Add(uint16(0), "application/json", []byte(`{"access_token":"`+jwt(time.Unix(1<<40, 0))+`","expires_in":-5}`), false)
	f.Add(uint16(0), "application/x-www-form-urlencoded", []byte("access_token=a%0ab&expires_in=1"), false)
	f.Add(uint16(200), "application/json", []byte(`{"error":"invalid_client","error_description":"client_secret `+planted+` is\nwrong"}`), false)
	f.Add(uint16(300), "text/html", []byte("<html>"+planted), false)
	f.Add(uint16(0), "application/json", []byte(`{"access_token":`), true)
	f.Add(uint16(0), "application/json", []byte(strings.Repeat("[", 20_000)), false)
	f.Fuzz(func(t *testing.T, status uint16, kind string, body []byte, endless bool) {
		h := &hostileEndpoint{status: 200 + int(status)%400, kind: kind, body: body, endless: endless}
		s := New(Config{Endpoint: "https://login.example/token", ClientID: "bridge", ClientSecret: env.NewSecret(planted), Prefix: "X_"}, Options{Transport: h})
		token, err := s.CurrentToken(t.Context())
		if h.requests > 2 || h.read > h.requests*(2<<20) {
			t.Errorf("%d requests, %d bytes were read", h.requests, h.read)
		}
		switch {
		case err == nil && (token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })):
			t.Errorf("the token is %q", token)
		case err != nil && token != "":
			t.Errorf("a token, and %v", err)
		case err != nil:
			if said := err.Error(); len(said) > 1000 || strings.ContainsAny(said, "\r\n\x00\x1b") || strings.Contains(said, planted) {
				t.Errorf("%d bytes say %.2000q", len(said), said)
			}
		}
	})
}
