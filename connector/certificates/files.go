// Package certificates reads certificates and keys for TLS from files, and notices when the files
// change. It knows no setting by name: callers pass the names of their variables.
package certificates

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"kafka-firehose/connector/env"
)

// Files are the files of one client, all in PEM. Those without a path are not there:
// without CA the authorities are the system's, without Cert and Key the client has no
// certificate.
type Files struct{ CA, Cert, Key File }

// File is a file and the variable that names it.
type File struct{ Variable, Path string }

// Config reads the files. It returns the settings for connections, without a server's
// name, and when the client's certificate ends; the error joins all faults.
func (f Files) Config() (_ *tls.Config, until time.Time, _ error) { return f.read().parse() }

// Paired checks that certificate and key are both there, or neither, and what all files
// hold now.
func (f Files) Paired(check *env.Check) {
	switch {
	case f.Cert.Path != "" && f.Key.Path == "":
		check.Add(env.Missing(f.Key.Variable, "want the key of the certificate in "+f.Cert.Variable).With(f.Cert.Variable))
	case f.Cert.Path == "" && f.Key.Path != "":
		check.Add(env.Missing(f.Cert.Variable, "want the certificate of the key in "+f.Key.Variable).With(f.Key.Variable))
	}
	if f.Cert.Path == "" || f.Key.Path == "" {
		f.Cert, f.Key = File{}, File{} // half of a pair is reported already
	}
	_, _, err := f.Config()
	check.Join(err)
}

// texts is what the files hold at one moment.
type texts struct{ ca, cert, key text }

type text struct {
	File
	pem []byte
	err error
}

func (f Files) read() texts { return texts{f.CA.read(), f.Cert.read(), f.Key.read()} }

// maxFile bounds a file of certificates. The authorities of an operating system take a quarter of a MiB.
const maxFile = 16 * env.MiB

func (f File) read() text {
	t := text{File: f}
	if f.Path != "" {
		t.pem, t.err = env.ReadFile(f.Path, maxFile)
	}
	return t
}

func (t texts) equal(u texts) bool {
	same := func(a, b text) bool { return bytes.Equal(a.pem, b.pem) && (a.err == nil) == (b.err == nil) }
	return same(t.ca, u.ca) && same(t.cert, u.cert) && same(t.key, u.key)
}

func (t texts) parse() (_ *tls.Config, until time.Time, _ error) {
	var check env.Check
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.ca.Path != "" {
		pool, fault := t.ca.authorities(time.Now())
		check.Add(fault)
		config.RootCAs = pool
	}
	if t.cert.Path != "" {
		pair, fault := t.pair(time.Now())
		check.Add(fault)
		if fault == nil {
			config.Certificates, until = []tls.Certificate{pair}, pair.Leaf.NotAfter
		}
	}
	return config, until, check.Err()
}

// holds is a fault of the file.
func (t text) holds(problem string) *env.Fault { return env.Holds(t.Variable, t.Path, problem) }

// readable says why the file holds no PEM.
func (t text) readable() *env.Fault {
	if t.err != nil {
		return t.holds(t.err.Error())
	}
	if block, _ := pem.Decode(t.pem); block == nil {
		return t.holds("the file is not PEM, text that begins with -----BEGIN; a Java or PKCS #12 keystore has to be converted")
	}
	return nil
}

// authorities reads a bundle. One that has run out among others is no trouble.
func (t text) authorities(now time.Time) (*x509.CertPool, *env.Fault) {
	if fault := t.readable(); fault != nil {
		return nil, fault
	}
	pool, valid, last := x509.NewCertPool(), 0, time.Time{}
	for block, rest := pem.Decode(t.pem); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, t.holds("the file has a certificate that can't be read: " + err.Error())
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
		return nil, t.holds("the file has no certificate in it")
	case valid == 0:
		return nil, t.holds("all certificates in the file have expired, the last at " + last.Format(time.RFC3339))
	}
	return pool, nil
}

// pair reads the client's certificate and its key.
func (t texts) pair(now time.Time) (tls.Certificate, *env.Fault) {
	for _, file := range []text{t.cert, t.key} {
		if fault := file.readable(); fault != nil {
			return tls.Certificate{}, fault
		}
	}
	if encrypted(t.key.pem) {
		return tls.Certificate{}, t.key.holds("the key is encrypted; want it without a passphrase (openssl pkey -in FILE -out FILE)")
	}
	pair, err := tls.X509KeyPair(t.cert.pem, t.key.pem)
	switch {
	case err != nil && strings.Contains(err.Error(), "does not match"):
		return pair, t.key.holds(fmt.Sprintf("the key does not belong to the certificate in %s (%s)", t.cert.Variable, t.cert.Path))
	case err != nil && (strings.Contains(err.Error(), "certificate input") || strings.HasPrefix(err.Error(), "x509: ")):
		return pair, t.cert.holds("want a certificate: " + strings.TrimPrefix(err.Error(), "tls: "))
	case err != nil:
		return pair, t.key.holds("want a private key: " + strings.TrimPrefix(err.Error(), "tls: "))
	case now.After(pair.Leaf.NotAfter):
		return pair, t.cert.holds("the certificate has expired at " + pair.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(pair.Leaf.NotBefore):
		return pair, t.cert.holds("the certificate is not valid before " + pair.Leaf.NotBefore.Format(time.RFC3339) + "; is the clock right?")
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
