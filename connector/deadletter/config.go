package deadletter

// Config says where dead letters go.
type Config struct {
	// Topic is the topic that they go to. It has to exist, and is never read from. The brokers are
	// those of the source, and so are the credentials, which need to describe the topic and to write
	// to it. No default: it is required with BAD_RECORD_POLICY=dead-letter, may be set with claim-check, and is an error otherwise.
	Topic string `envconfig:"DEAD_LETTER_TOPIC" unset:"none" desc:"Topic for bad records with BAD_RECORD_POLICY=dead-letter or claim-check. It has to exist, in the cluster that is read from, and is never read itself."`
	// Value is "original", the value as Kafka has it, whatever RECORD_MASK is, or "digest", the value's SHA-256 and size.
	Value string `envconfig:"DEAD_LETTER_VALUE" default:"original" desc:"The value of a dead letter: original, as Kafka has it and not masked, or digest, its SHA-256 and size in headers."`
}
