package auth

import "kafka-firehose/connector/env"

// Config is the part of the settings that says how connections to brokers are encrypted and who logs in.
type Config struct {
	TLS  TLSConfig
	SASL SASLConfig
}

// Validate reports all faults of c.
func (c Config) Validate(check *env.Check) {
	c.TLS.validate(check)
	c.SASL.validate(check, c.TLS.Enabled)
}

// SettingHints are warnings about settings that work and are not safe.
func (c Config) SettingHints() []string {
	return append(c.TLS.settingHints(), c.SASL.settingHints(c.TLS.Enabled)...)
}

// Principal is whom the brokers' ACLs have to name.
func (c Config) Principal() string {
	switch {
	case c.SASL.Username != "":
		return "principal User:" + c.SASL.Username
	case c.SASL.Mechanism != "":
		return "the principal of " + c.SASL.Mechanism
	case c.TLS.CertFile != "":
		return "the principal of the certificate in " + tlsCertFile
	}
	return "principal User:ANONYMOUS (there is no login)"
}
