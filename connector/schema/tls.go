package schema

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"

	"kafka-firehose/connector/env"
)

// tls reads the files. The error joins all faults.
func (c Config) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	var check env.Check
	if c.CAFile != "" {
		config.RootCAs = x509.NewCertPool()
		text, err := os.ReadFile(c.CAFile)
		switch {
		case err != nil:
			check.Add(unreadable("SCHEMA_REGISTRY_CA_FILE", c.CAFile, err))
		case !config.RootCAs.AppendCertsFromPEM(text):
			check.Add(env.Holds("SCHEMA_REGISTRY_CA_FILE", c.CAFile, "want a PEM file with a certificate in it"))
		}
	}
	if c.CertFile != "" && c.KeyFile != "" {
		pair := func() (tls.Certificate, error) { return tls.LoadX509KeyPair(c.CertFile, c.KeyFile) }
		if _, err := pair(); err != nil {
			check.Add(unreadable(certName, c.CertFile, err).With(keyName))
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			p, err := pair()
			return &p, err
		}
	}
	return config, check.Err()
}

func unreadable(name, path string, err error) *env.Fault {
	if at, ok := errors.AsType[*fs.PathError](err); ok && at.Path == path {
		err = at.Err // the path is in the message already
	}
	return env.Holds(name, path, err.Error())
}
