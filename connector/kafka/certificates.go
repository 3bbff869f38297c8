package kafka

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"kafka-firehose/connector/env"
	"kafka-firehose/metrics"
)

// certificates are what TLS takes from files. The files are read for each new
// connection, which is seldom, so that a certificate that was renewed is used without
// a restart. Whoever renews them does not do it at one instant: a pair whose halves
// don't belong together, or a file that is not there at the moment, leaves what was
// read before in use.
type certificates struct {
	cfg     TLSConfig
	log     *slog.Logger
	metrics *metrics.Kafka

	mu      sync.Mutex
	read    pemFiles    // what was looked at last, good or not
	current *tls.Config // from the last that was good
}

// newCertificates reads the files for the first time. Its error is that of Validate.
func newCertificates(cfg TLSConfig, log *slog.Logger, m *metrics.Kafka) (*certificates, error) {
	c := &certificates{cfg: cfg, log: log, metrics: m, read: cfg.read()}
	current, until, err := c.read.parse()
	if err != nil {
		return nil, err
	}
	c.use(current, until)
	return c, nil
}

// config returns the settings of a new connection to a host.
func (c *certificates) config(host string) *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if files := c.cfg.read(); !files.equal(c.read) {
		c.read = files
		current, until, err := files.parse()
		if err != nil {
			c.log.Warn("the TLS files have changed and can't be used; going on with what was read before", "error", err)
		} else {
			c.log.Info("the TLS files have changed: new connections use them", "certificate_expires", until)
			c.use(current, until)
		}
	}
	config := c.current.Clone()
	if config.ServerName = c.cfg.ServerName; config.ServerName == "" {
		config.ServerName = host
	}
	return config
}

func (c *certificates) use(current *tls.Config, until time.Time) {
	current.InsecureSkipVerify = c.cfg.InsecureSkipVerify
	c.current = current
	if !until.IsZero() {
		c.metrics.CertificateExpiry.Set(float64(until.Unix()))
	}
}

// pemFiles is what the three files hold at one moment; those that are not configured
// are empty.
type pemFiles struct {
	ca, cert, key pemFile
}

type pemFile struct {
	variable, path string
	text           []byte
	err            error
}

func (c TLSConfig) read() pemFiles {
	return pemFiles{readPEM(tlsCAFile, c.CAFile), readPEM(tlsCertFile, c.CertFile), readPEM(tlsKeyFile, c.KeyFile)}
}

func readPEM(variable, path string) pemFile {
	f := pemFile{variable: variable, path: path}
	if path != "" {
		f.text, f.err = os.ReadFile(path)
	}
	return f
}

func (f pemFiles) equal(g pemFiles) bool {
	same := func(a, b pemFile) bool { return bytes.Equal(a.text, b.text) && (a.err == nil) == (b.err == nil) }
	return same(f.ca, g.ca) && same(f.cert, g.cert) && same(f.key, g.key)
}

// parse returns the settings without a server name, and when the client's certificate
// ends; the error joins all faults.
func (f pemFiles) parse() (_ *tls.Config, until time.Time, _ error) {
	var check env.Check
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca.path != "" {
		pool, fault := f.ca.authorities(time.Now())
		check.Add(fault)
		config.RootCAs = pool
	}
	if f.cert.path != "" {
		pair, fault := f.pair(time.Now())
		check.Add(fault)
		if fault == nil {
			config.Certificates, until = []tls.Certificate{pair}, pair.Leaf.NotAfter
		}
	}
	return config, until, check.Err()
}

// holds is a fault of the file.
func (f pemFile) holds(problem string) *env.Fault { return env.Holds(f.variable, f.path, problem) }

// readable says why the file holds no PEM.
func (f pemFile) readable() *env.Fault {
	if f.err != nil {
		err := f.err
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			err = at.Err // the path is in the message already
		}
		return f.holds(err.Error())
	}
	if block, _ := pem.Decode(f.text); block == nil {
		return f.holds("the file is not PEM, text that begins with -----BEGIN; a Java or PKCS #12 keystore has to be converted")
	}
	return nil
}

// authorities reads a bundle. One that has run out among others is no trouble.
func (f pemFile) authorities(now time.Time) (*x509.CertPool, *env.Fault) {
	if fault := f.readable(); fault != nil {
		return nil, fault
	}
	pool, valid, last := x509.NewCertPool(), 0, time.Time{}
	for block, rest := pem.Decode(f.text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, f.holds("the file has a certificate that can't be read: " + err.Error())
		}
		if pool.AddCert(cert); now.Before(cert.NotAfter) {
			valid++
		}
		if cert.NotAfter.After(last) {
			last = cert.NotAfter
		}
	}
	switch {
	case last.IsZero():
		return nil, f.holds("the file has no certificate in it")
	case valid == 0:
		return nil, f.holds("all certificates in the file have expired, the last at " + last.Format(time.RFC3339))
	}
	return pool, nil
}

// pair reads the client's certificate and its key.
func (f pemFiles) pair(now time.Time) (tls.Certificate, *env.Fault) {
	for _, file := range []pemFile{f.cert, f.key} {
		if fault := file.readable(); fault != nil {
			return tls.Certificate{}, fault
		}
	}
	if encrypted(f.key.text) {
		return tls.Certificate{}, f.key.holds("the key is encrypted; want it without a passphrase (openssl pkey -in FILE -out FILE)")
	}
	pair, err := tls.X509KeyPair(f.cert.text, f.key.text)
	switch {
	case err != nil && strings.Contains(err.Error(), "does not match"):
		return pair, f.key.holds(fmt.Sprintf("the key does not belong to the certificate in %s (%s)", f.cert.variable, f.cert.path))
	case err != nil && (strings.Contains(err.Error(), "certificate input") || strings.HasPrefix(err.Error(), "x509: ")):
		return pair, f.cert.holds("want a certificate: " + strings.TrimPrefix(err.Error(), "tls: "))
	case err != nil:
		return pair, f.key.holds("want a private key: " + strings.TrimPrefix(err.Error(), "tls: "))
	case now.After(pair.Leaf.NotAfter):
		return pair, f.cert.holds("the certificate has expired at " + pair.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(pair.Leaf.NotBefore):
		return pair, f.cert.holds("the certificate is not valid before " + pair.Leaf.NotBefore.Format(time.RFC3339) + "; is the clock right?")
	}
	return pair, nil
}

// encrypted reports whether one needs a passphrase to read the key.
func encrypted(text []byte) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
	return false
}
