package auth

import (
	"fmt"

	"kafka-firehose/connector/certificates"
	"kafka-firehose/connector/env"
)

// TLSConfig says whether and how connections to the brokers are encrypted. The files may change
// while the process runs: each new connection looks at them.
type TLSConfig struct {
	// Enabled turns TLS on. Without it the other fields must be empty: to ignore them would make the
	// connection in the clear.
	Enabled bool `envconfig:"KAFKA_TLS_ENABLED" default:"false" desc:"Encrypt the connections to the brokers."`
	// CAFile holds the authorities that sign the brokers' certificates, as PEM; those of the system by
	// default.
	CAFile string `envconfig:"KAFKA_TLS_CA_FILE" unset:"the system's" desc:"PEM file of the authorities that sign the brokers' certificates."`
	// CertFile is this client's certificate, followed by those between it and its authority, as PEM.
	// Brokers with ssl.client.auth=required want one.
	CertFile string `envconfig:"KAFKA_TLS_CERT_FILE" unset:"none" desc:"PEM file of this client's certificate, for mutual TLS; the intermediate ones follow it. Read again when it changes, as are the other two."`
	// KeyFile is the key of CertFile, as PEM and without a passphrase.
	KeyFile string `envconfig:"KAFKA_TLS_KEY_FILE" unset:"none" desc:"PEM file of that certificate's key, without a passphrase."`
	// ServerName is what the brokers' certificates have to be for; by default the host of each broker.
	ServerName string `envconfig:"KAFKA_TLS_SERVER_NAME" unset:"the broker's host" desc:"Name that the brokers' certificates must be for, where that is not the host they are reached at."`
	// InsecureSkipVerify accepts every certificate, and with it everybody who gets between.
	InsecureSkipVerify bool `envconfig:"KAFKA_TLS_INSECURE_SKIP_VERIFY" default:"false" desc:"Accept any certificate, and so anybody in between who answers in a broker's place. For a test, never for production."`
}

// The variables that hold files.
const (
	tlsEnabled  = "KAFKA_TLS_ENABLED"
	tlsCAFile   = "KAFKA_TLS_CA_FILE"
	tlsCertFile = "KAFKA_TLS_CERT_FILE"
	tlsKeyFile  = "KAFKA_TLS_KEY_FILE"
)

// validate checks the settings and, as far as they are named, what the files hold now.
func (c TLSConfig) validate(check *env.Check) {
	if !c.Enabled {
		c.validateUnused(check)
		return
	}
	check.CheckName("KAFKA_TLS_SERVER_NAME", c.ServerName)
	c.certificateFiles().RequirePair(check)
}

func (c TLSConfig) certificateFiles() certificates.Files {
	return certificates.Files{
		CA:   certificates.File{Variable: tlsCAFile, Path: c.CAFile},
		Cert: certificates.File{Variable: tlsCertFile, Path: c.CertFile},
		Key:  certificates.File{Variable: tlsKeyFile, Path: c.KeyFile},
	}
}

// validateUnused reports settings without effect when TLS is off.
func (c TLSConfig) validateUnused(check *env.Check) {
	for _, s := range []struct{ name, value string }{
		{tlsCAFile, c.CAFile},
		{tlsCertFile, c.CertFile},
		{tlsKeyFile, c.KeyFile},
		{"KAFKA_TLS_SERVER_NAME", c.ServerName},
	} {
		if s.value != "" {
			check.AddFault(env.HoldsFault(s.name, s.value, "without TLS it has no effect; want "+tlsEnabled+"=true too").WithSettings(tlsEnabled))
		}
	}
	if c.InsecureSkipVerify {
		check.AddFault(env.HoldsFault("KAFKA_TLS_INSECURE_SKIP_VERIFY", true, "without TLS it has no effect; want "+tlsEnabled+"=true too").WithSettings(tlsEnabled))
	}
}

// settingHints are the warnings about settings that work and are not safe.
func (c TLSConfig) settingHints() (hints []string) {
	if c.Enabled && c.InsecureSkipVerify {
		hints = append(hints, fmt.Sprintf("KAFKA_TLS_INSECURE_SKIP_VERIFY is true: the brokers' certificates are NOT checked, so anybody on the way can read and change everything, the login included; want %s instead", tlsCAFile))
	}
	return hints
}
