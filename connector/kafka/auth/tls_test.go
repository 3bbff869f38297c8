package auth

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/certificates"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/kafka/kafkatest"
)

// pki is an authority and a directory to put its files in.
type pki struct {
	t *testing.T
	*kafkatest.Authority
	dir string
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	a, err := kafkatest.NewAuthority("an authority")
	if err != nil {
		t.Fatal(err)
	}
	return &pki{t, a, t.TempDir()}
}

// issue makes a pair that lives for so long from now on.
func (p *pki) issue(name string, life time.Duration) kafkatest.Pair {
	p.t.Helper()
	pair, err := p.Issue(kafkatest.Subject{Name: name, NotAfter: time.Now().Add(life)})
	if err != nil {
		p.t.Fatal(err)
	}
	return pair
}

// put writes a file and returns its path.
func (p *pki) put(name string, text []byte) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func TestTLSValidate(t *testing.T) {
	p := newPKI(t)
	pair, other := p.issue("client", time.Hour), p.issue("client", time.Hour)
	ca := p.put("ca.pem", p.PEM)
	cert, key, otherKey := p.put("cert.pem", pair.Cert), p.put("key.pem", pair.Key), p.put("other.pem", other.Key)
	expired := p.put("expired.pem", p.issue("client", -time.Hour).Cert)
	jks := p.put("kafka.jks", []byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2})
	encryptedKey := p.put("encrypted.pem", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	broken := p.put("broken.pem", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	missing := filepath.Join(p.dir, "missing.pem")
	const without = "without TLS it has no effect; want KAFKA_TLS_ENABLED=true too"
	const noPEM = "the file is not PEM, text that begins with -----BEGIN; a Java or PKCS #12 keystore has to be converted"
	tests := []struct {
		name string
		cfg  TLSConfig
		want string // DIR stands for the directory
	}{
		{"off", TLSConfig{}, ""},
		{"on", TLSConfig{Enabled: true}, ""},
		{"all", TLSConfig{Enabled: true, CAFile: ca, CertFile: cert, KeyFile: key, ServerName: "kafka"}, ""},
		{"files without TLS", TLSConfig{CAFile: ca, CertFile: cert, KeyFile: key}, `KAFKA_TLS_CA_FILE holds "DIR/ca.pem": ` + without + `
KAFKA_TLS_CERT_FILE holds "DIR/cert.pem": ` + without + `
KAFKA_TLS_KEY_FILE holds "DIR/key.pem": ` + without},
		{"names without TLS", TLSConfig{ServerName: "kafka", InsecureSkipVerify: true}, `KAFKA_TLS_SERVER_NAME holds "kafka": ` + without + `
KAFKA_TLS_INSECURE_SKIP_VERIFY holds "true": ` + without},
		{"no key", TLSConfig{Enabled: true, CertFile: cert}, "KAFKA_TLS_KEY_FILE is not set: want the key of the certificate in KAFKA_TLS_CERT_FILE"},
		{"no certificate", TLSConfig{Enabled: true, KeyFile: key}, "KAFKA_TLS_CERT_FILE is not set: want the certificate of the key in KAFKA_TLS_KEY_FILE"},
		{"all at once", TLSConfig{Enabled: true, CAFile: missing, CertFile: missing, KeyFile: key}, `KAFKA_TLS_CA_FILE holds "DIR/missing.pem": no such file or directory
KAFKA_TLS_CERT_FILE holds "DIR/missing.pem": no such file or directory`},
		{"a directory", TLSConfig{Enabled: true, CAFile: p.dir}, `KAFKA_TLS_CA_FILE holds "DIR": is a directory`},
		{"a keystore", TLSConfig{Enabled: true, CAFile: jks}, `KAFKA_TLS_CA_FILE holds "DIR/kafka.jks": ` + noPEM},
		{"a keystore as key", TLSConfig{Enabled: true, CertFile: cert, KeyFile: jks}, `KAFKA_TLS_KEY_FILE holds "DIR/kafka.jks": ` + noPEM},
		{"no authority", TLSConfig{Enabled: true, CAFile: key}, `KAFKA_TLS_CA_FILE holds "DIR/key.pem": the file has no certificate in it`},
		{"expired authority", TLSConfig{Enabled: true, CAFile: expired}, `KAFKA_TLS_CA_FILE holds "DIR/expired.pem": all certificates in the file have expired, the last at TIME`},
		{"broken authority", TLSConfig{Enabled: true, CAFile: broken}, `KAFKA_TLS_CA_FILE holds "DIR/broken.pem": the file has a certificate that can't be read: x509: malformed certificate`},
		{"another's key", TLSConfig{Enabled: true, CertFile: cert, KeyFile: otherKey}, `KAFKA_TLS_KEY_FILE holds "DIR/other.pem": the key does not belong to the certificate in KAFKA_TLS_CERT_FILE (DIR/cert.pem)`},
		{"encrypted", TLSConfig{Enabled: true, CertFile: cert, KeyFile: encryptedKey}, `KAFKA_TLS_KEY_FILE holds "DIR/encrypted.pem": the key is encrypted; want it without a passphrase (openssl pkey -in FILE -out FILE)`},
		{"no key in it", TLSConfig{Enabled: true, CertFile: cert, KeyFile: cert}, `KAFKA_TLS_KEY_FILE holds "DIR/cert.pem": want a private key: found a certificate rather than a key in the PEM for the private key`},
		{"no certificate in it", TLSConfig{Enabled: true, CertFile: key, KeyFile: key}, `KAFKA_TLS_CERT_FILE holds "DIR/key.pem": want a certificate: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched`},
		{"expired", TLSConfig{Enabled: true, CertFile: expired, KeyFile: key}, `KAFKA_TLS_KEY_FILE holds "DIR/key.pem": the key does not belong to the certificate in KAFKA_TLS_CERT_FILE (DIR/expired.pem)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var check env.Check
			test.cfg.validate(&check)
			got := ""
			if err := check.Err(); err != nil {
				got = strings.ReplaceAll(err.Error(), p.dir, "DIR")
			}
			if want, _, timed := strings.Cut(test.want, "TIME"); timed {
				got, _, _ = strings.Cut(got, "20")
				got, test.want = strings.TrimSuffix(got, "20"), want
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	// A certificate beside its key that has run out, or whose time is to come.
	old := p.issue("client", -time.Minute)
	for want, pair := range map[string]kafkatest.Pair{"has expired at": old, "is not valid before": p.issue("client", 24*62*time.Hour)} {
		cfg := TLSConfig{Enabled: true, CertFile: p.put("a.pem", pair.Cert), KeyFile: p.put("b.pem", pair.Key)}
		var check env.Check
		if cfg.validate(&check); check.Err() == nil || !strings.Contains(check.Err().Error(), "KAFKA_TLS_CERT_FILE") || !strings.Contains(check.Err().Error(), want) {
			t.Errorf("%v, want %q", check.Err(), want)
		}
	}
}

// TestSecured: what the files hold now, for the host at hand, and when it ends.
func TestSecured(t *testing.T) {
	p := newPKI(t)
	first, second := p.issue("first", time.Hour), p.issue("second", 2*time.Hour)
	cfg := TLSConfig{Enabled: true, CertFile: p.put("cert.pem", first.Cert), KeyFile: p.put("key.pem", first.Key)}
	var expiry time.Time
	files, err := certificates.WatchFiles(cfg.certificateFiles(), slog.New(slog.DiscardHandler), func(until time.Time) { expiry = until })
	if err != nil {
		t.Fatal(err)
	}
	d := brokerDialer{cfg: cfg, files: files}
	use := func(name, host string, life time.Duration) {
		t.Helper()
		config := d.hostConfig("kafka-1.example.com")
		if got := config.Certificates[0].Leaf.Subject.CommonName; got != name || config.ServerName != host || config.InsecureSkipVerify != d.cfg.InsecureSkipVerify {
			t.Errorf("the certificate is that of %s for %s, want %s for %s", got, config.ServerName, name, host)
		}
		if time.Until(expiry).Round(time.Minute) != life {
			t.Errorf("it is said to end at %v", expiry)
		}
	}
	use("first", "kafka-1.example.com", time.Hour)
	p.put("cert.pem", second.Cert)
	p.put("key.pem", second.Key)
	d.cfg.ServerName, d.cfg.InsecureSkipVerify = "kafka", true
	use("second", "kafka", 2*time.Hour)
}
