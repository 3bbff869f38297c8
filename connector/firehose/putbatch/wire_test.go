package putbatch

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
)

// TestGivenUpRequestsAreNotSent: the rest of a body whose request has timed out is not sent: the
// connection is reset. One whose request was answered ends as usual.
func TestGivenUpRequestsAreNotSent(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for _, answered := range []bool{false, true} {
			t.Run(fmt.Sprintf("TLS %v, answered %v", secure, answered), func(t *testing.T) {
				scheme, listener := "http", listen(t)
				if secure {
					scheme = "https"
				}
				returned, end := make(chan struct{}), make(chan error, 1)
				go func() { end <- serveOnce(listener, secure, answered, returned) }()

				transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				client := firehose.New(firehose.Options{
					Region: "us-east-1", Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
					BaseEndpoint: aws.String(scheme + "://" + listener.Addr().String()), HTTPClient: &http.Client{Transport: transport},
				}, ConfigureClient)
				limit := 300 * time.Millisecond
				if answered {
					limit = time.Minute
				}
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				x := &callExchange{}
				_, err := client.PutRecordBatch(x.withExchange(ctx), input(3, 100_000))
				x.endExchange()
				transport.CloseIdleConnections()
				close(returned)
				if answered != (err == nil) {
					t.Fatalf("the call returned %v", err)
				}
				if err := <-end; errors.Is(err, syscall.ECONNRESET) == answered {
					t.Errorf("the connection ended with %v", err)
				}
			})
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// serveOnce serves one connection. It answers its request, or reads the body when the client has returned.
// It returns how the connection ended.
func serveOnce(l net.Listener, secure, answered bool, returned <-chan struct{}) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	plain := conn
	if secure {
		// The certificate of httptest is any that the client does not verify.
		srv := httptest.NewUnstartedServer(nil)
		srv.StartTLS()
		defer srv.Close()
		conn = tls.Server(conn, &tls.Config{Certificates: srv.TLS.Certificates, MinVersion: tls.VersionTLS12})
	}
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	if answered {
		if _, err = io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		entries := strings.TrimSuffix(strings.Repeat(`{"RecordId":"a"},`, 3), ",")
		body := `{"FailedPutCount":0,"RequestResponses":[` + entries + `]}`
		if _, err = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nX-Amzn-Requestid: 7f\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			return err
		}
	}
	<-returned
	_, err = io.Copy(io.Discard, plain)
	return err
}
