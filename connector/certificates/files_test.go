package certificates

import (
	"crypto/tls"
	"testing"

	"kafka-firehose/connector/kafka/kafkatest"
)

// TestOldTLS: versions before 1.2, which can be broken, are not spoken, whatever the other side offers.
func TestOldTLS(t *testing.T) {
	a, err := kafkatest.NewAuthority("an authority")
	if err != nil {
		t.Fatal(err)
	}
	issued, err := a.Issue(kafkatest.Subject{Name: "localhost", Hosts: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(issued.Cert, issued.Key)
	if err != nil {
		t.Fatal(err)
	}
	for version, spoken := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config, _, err := Files{}.LoadTLS()
		if err != nil {
			t.Fatal(err)
		}
		config.RootCAs, config.ServerName = a.Pool(), "localhost"
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version, Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if conn, err := l.Accept(); err == nil {
				_ = conn.(*tls.Conn).HandshakeContext(t.Context())
				_ = conn.Close()
			}
		}()
		client, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", l.Addr().String())
		if err == nil {
			_ = client.Close()
		}
		_ = l.Close()
		if (err == nil) != spoken {
			t.Errorf("%s is spoken: %v (%v), want %v", tls.VersionName(version), err == nil, err, spoken)
		}
	}
}
