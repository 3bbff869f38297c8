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

// LoadTLS reads the files. It returns the settings for connections, without a server's
// name, and when the client's certificate ends; the error joins all faults.
func (f Files) LoadTLS() (_ *tls.Config, until time.Time, _ error) { return f.readFiles().parseTLS() }

// RequirePair checks that certificate and key are both there, or neither, and what all files
// hold now.
func (f Files) RequirePair(check *env.Check) {
	switch {
	case f.Cert.Path != "" && f.Key.Path == "":
		check.AddFault(env.MissingFault(f.Key.Variable, "want the key of the certificate in "+f.Cert.Variable).WithSettings(f.Cert.Variable))
	case f.Cert.Path == "" && f.Key.Path != "":
		check.AddFault(env.MissingFault(f.Cert.Variable, "want the certificate of the key in "+f.Key.Variable).WithSettings(f.Key.Variable))
	}
	if f.Cert.Path == "" || f.Key.Path == "" {
		f.Cert, f.Key = File{}, File{} // half of a pair is reported already
	}
	_, _, err := f.LoadTLS()
	check.JoinFaults(err)
}

// fileTexts is what the files hold at one moment.
type fileTexts struct{ ca, cert, key fileText }

type fileText struct {
	File
	pem []byte
	err error
}

func (f Files) readFiles() fileTexts {
	return fileTexts{f.CA.readFile(), f.Cert.readFile(), f.Key.readFile()}
}

// maxFile bounds a file of certificates. The authorities of an operating system take a quarter of a MiB.
const maxFile = 16 * env.MiB

func (f File) readFile() fileText {
	t := fileText{File: f}
	if f.Path != "" {
		t.pem, t.err = env.ReadFile(f.Path, maxFile)
	}
	return t
}

func (t fileTexts) equalTexts(u fileTexts) bool {
	same := func(a, b fileText) bool { return bytes.Equal(a.pem, b.pem) && (a.err == nil) == (b.err == nil) }
	return same(t.ca, u.ca) && same(t.cert, u.cert) && same(t.key, u.key)
}

func (t fileTexts) parseTLS() (_ *tls.Config, until time.Time, _ error) {
	var check env.Check
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.ca.Path != "" {
		pool, fault := t.ca.parseAuthorities(time.Now())
		check.AddFault(fault)
		config.RootCAs = pool
	}
	if t.cert.Path != "" {
		pair, fault := t.parsePair(time.Now())
		check.AddFault(fault)
		if fault == nil {
			config.Certificates, until = []tls.Certificate{pair}, pair.Leaf.NotAfter
		}
	}
	return config, until, check.Err()
}

// holdsFault is a fault of the file.
func (t fileText) holdsFault(problem string) *env.Fault {
	return env.HoldsFault(t.Variable, t.Path, problem)
}

// readableFault says why the file holds no PEM.
func (t fileText) readableFault() *env.Fault {
	if t.err != nil {
		return t.holdsFault(t.err.Error())
	}
	if block, _ := pem.Decode(t.pem); block == nil {
		return t.holdsFault("the file is not PEM, text that begins with -----BEGIN; a Java or PKCS #12 keystore has to be converted")
	}
	return nil
}

// parseAuthorities reads a bundle. One that has run out among others is no trouble.
func (t fileText) parseAuthorities(now time.Time) (*x509.CertPool, *env.Fault) {
	if fault := t.readableFault(); fault != nil {
		return nil, fault
	}
	pool, valid, last := x509.NewCertPool(), 0, time.Time{}
	for block, rest := pem.Decode(t.pem); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, t.holdsFault("the file has a certificate that can't be read: " + err.Error())
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
		return nil, t.holdsFault("the file has no certificate in it")
	case valid == 0:
		return nil, t.holdsFault("all certificates in the file have expired, the last at " + last.Format(time.RFC3339))
	}
	return pool, nil
}

// parsePair reads the client's certificate and its key.
func (t fileTexts) parsePair(now time.Time) (tls.Certificate, *env.Fault) {
	for _, file := range []fileText{t.cert, t.key} {
		if fault := file.readableFault(); fault != nil {
			return tls.Certificate{}, fault
		}
	}
	if isEncrypted(t.key.pem) {
		return tls.Certificate{}, t.key.holdsFault("the key is encrypted; want it without a passphrase (openssl pkey -in FILE -out FILE)")
	}
	pair, err := tls.X509KeyPair(t.cert.pem, t.key.pem)
	switch {
	case err != nil && strings.Contains(err.Error(), "does not match"):
		return pair, t.key.holdsFault(fmt.Sprintf("the key does not belong to the certificate in %s (%s)", t.cert.Variable, t.cert.Path))
	case err != nil && (strings.Contains(err.Error(), "certificate input") || strings.HasPrefix(err.Error(), "x509: ")):
		return pair, t.cert.holdsFault("want a certificate: " + strings.TrimPrefix(err.Error(), "tls: "))
	case err != nil:
		return pair, t.key.holdsFault("want a private key: " + strings.TrimPrefix(err.Error(), "tls: "))
	case now.After(pair.Leaf.NotAfter):
		return pair, t.cert.holdsFault("the certificate has expired at " + pair.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(pair.Leaf.NotBefore):
		return pair, t.cert.holdsFault("the certificate is not valid before " + pair.Leaf.NotBefore.Format(time.RFC3339) + "; is the clock right?")
	}
	return pair, nil
}

// isEncrypted reports whether one needs a passphrase to read the key.
func isEncrypted(text []byte) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
	return false
}
