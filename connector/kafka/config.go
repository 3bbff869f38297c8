package kafka

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/kafka/auth"
)

// Config says which cluster to read, as which member of which group, and when to commit.
type Config struct {
	// Brokers are the addresses, as host:port, from which the rest of the cluster is learned.
	// Required; two or three are enough.
	Brokers []string `envconfig:"KAFKA_BROKERS" unset:"required" desc:"Brokers to start from, host:port, comma separated."`
	// Topics are the names of the topics to read. Either this or TopicPattern is required.
	Topics []string `envconfig:"KAFKA_TOPICS" unset:"this or KAFKA_TOPIC_PATTERN" desc:"Topics to read, comma separated."`
	// TopicPattern is a regular expression that has to match the whole name of a topic. Topics that
	// begin with two underscores are left out even if it matches; new ones are found while running.
	TopicPattern string `envconfig:"KAFKA_TOPIC_PATTERN" unset:"this or KAFKA_TOPICS" desc:"Regular expression for the whole names of the topics to read, new ones included; never those that begin with __."`
	// TopicExclude is a regular expression for the whole names of topics that TopicPattern matches and that are not read.
	TopicExclude string `envconfig:"KAFKA_TOPIC_EXCLUDE" unset:"none" desc:"Topics whose whole name matches this regular expression are not read, although KAFKA_TOPIC_PATTERN matches them."`
	// GroupID is the consumer group, which owns the committed offsets. Required: with a default, two
	// installations would split one group and each would deliver a part of the topic.
	GroupID string `envconfig:"KAFKA_GROUP_ID" unset:"required" desc:"Consumer group; one for each installation."`
	// GroupInstanceID makes the member a static one, which keeps its partitions over a restart that
	// is shorter than SessionTimeout. Unset by default; it has to differ in each process.
	GroupInstanceID string `envconfig:"KAFKA_GROUP_INSTANCE_ID" unset:"dynamic member" desc:"Static membership: a name for this process alone, under which it keeps its partitions over a restart shorter than the session timeout."`
	// GroupProtocol is "classic" (cooperative-sticky, the default) or "consumer" (KIP-848). With
	// "consumer" the broker sets the session timeout, not SessionTimeout.
	GroupProtocol string `envconfig:"KAFKA_GROUP_PROTOCOL" default:"classic" desc:"classic (cooperative-sticky) or consumer (KIP-848, where the broker sets the session timeout)."`
	// AutoOffsetReset says where a partition without a commit starts. It has no part in the handling of
	// a commit that retention has passed, except that none makes that an error too.
	AutoOffsetReset OffsetReset `envconfig:"KAFKA_AUTO_OFFSET_RESET" default:"earliest" desc:"Where a partition without a committed offset starts: earliest, latest, none (an error), or an RFC 3339 time such as 2026-01-31T00:00:00Z. With latest, partitions and topics that are newer than the group are read from their beginning; with none, partitions that were added, and topics that appear while the process runs."`
	// IsolationLevel is "read_committed" (the default: aborted transactions are not delivered, open
	// ones are waited for) or "read_uncommitted".
	IsolationLevel string `envconfig:"KAFKA_ISOLATION_LEVEL" default:"read_committed" desc:"read_committed (records of aborted transactions are left out) or read_uncommitted."`
	// ClientID is the name under which the brokers log and throttle this client.
	ClientID string `envconfig:"KAFKA_CLIENT_ID" default:"kafka-firehose" desc:"Name in the brokers' logs, metrics and quotas."`
	// ClientRack is the rack or zone of this process; it lets brokers that have a replica selector
	// send it to the nearest replica. Unset by default: reads go to the leader.
	ClientRack string `envconfig:"KAFKA_CLIENT_RACK" unset:"read from leaders" desc:"Rack or availability zone of this process; lets brokers serve reads from the nearest replica."`
	// SessionTimeout is how long the group waits for a heartbeat before it gives the partitions away.
	// A static member's restart has to fit in.
	SessionTimeout time.Duration `envconfig:"KAFKA_SESSION_TIMEOUT" default:"45s" desc:"A member without a heartbeat for this long loses its partitions; the broker has limits of its own."`
	// RebalanceTimeout is how long the group waits in a rebalance for a member to give up partitions.
	RebalanceTimeout time.Duration `envconfig:"KAFKA_REBALANCE_TIMEOUT" default:"60s" desc:"How long a rebalance waits for each member."`
	// RevokeDrainTimeout is how long a revoked partition's requests are waited for before the last
	// commit. It holds up the whole group, and has to be shorter than both timeouts above; what
	// doesn't make it is delivered again by the next owner.
	RevokeDrainTimeout time.Duration `envconfig:"KAFKA_REVOKE_DRAIN_TIMEOUT" default:"10s" desc:"How long a rebalance is held up to deliver what is under way, before its last commit; shorter than the two timeouts above. What doesn't make it is delivered again by the next owner."`
	// CommitInterval is how often settled offsets are committed. A crash delivers what was settled
	// since the last commit a second time.
	CommitInterval time.Duration `envconfig:"KAFKA_COMMIT_INTERVAL" default:"1s" desc:"How often settled offsets are committed; a crash repeats what was delivered since, and what was delivered behind a record that is not settled."`
	// MaxUncommittedRecords is how far a partition may run ahead of its commit while one record is
	// refused again and again; then it is paused. It bounds what a crash repeats, costs a few bytes a
	// request and not a record, and one poll may exceed it.
	MaxUncommittedRecords int `envconfig:"KAFKA_MAX_UNCOMMITTED_RECORDS" default:"500000" desc:"A partition this many records ahead of its commit is paused; bounds what a crash repeats."`

	TLS  auth.TLSConfig
	SASL auth.SASLConfig
}

// Auth is the part of c that says how connections to the brokers are made.
func (c Config) Auth() auth.Config { return auth.Config{TLS: c.TLS, SASL: c.SASL} }

// Validate returns all faults of c, each naming its variable.
func (c Config) Validate() error {
	var check env.Check
	check.AddFault(c.validateBrokers())
	c.validateTopics(&check)
	if c.GroupID == "" {
		check.AddFault(env.MissingFault("KAFKA_GROUP_ID", "want the name of a consumer group that nothing else uses"))
	}
	check.CheckName("KAFKA_GROUP_ID", c.GroupID)
	check.CheckName("KAFKA_CLIENT_ID", c.ClientID)
	check.CheckName("KAFKA_CLIENT_RACK", c.ClientRack)
	if id := c.GroupInstanceID; id != "" && !LegalTopic(id) {
		check.AddFault(env.HoldsFault("KAFKA_GROUP_INSTANCE_ID", id, "want "+legalName))
	}
	check.OneOf("KAFKA_GROUP_PROTOCOL", c.GroupProtocol, []string{"classic", "consumer"})
	check.OneOf("KAFKA_ISOLATION_LEVEL", c.IsolationLevel, []string{"read_committed", "read_uncommitted"})
	if err := new(OffsetReset).Decode(c.AutoOffsetReset.String()); err != nil {
		check.AddFault(env.HoldsFault("KAFKA_AUTO_OFFSET_RESET", c.AutoOffsetReset, err.Error()))
	}
	env.CheckRange(&check, "KAFKA_SESSION_TIMEOUT", c.SessionTimeout, time.Second, 30*time.Minute)
	env.CheckRange(&check, "KAFKA_REBALANCE_TIMEOUT", c.RebalanceTimeout, time.Second, time.Hour)
	env.CheckRange(&check, "KAFKA_COMMIT_INTERVAL", c.CommitInterval, 10*time.Millisecond, 24*time.Hour)
	env.AtLeast(&check, "KAFKA_MAX_UNCOMMITTED_RECORDS", c.MaxUncommittedRecords, 1)
	c.validateDrain(&check)
	c.Auth().Validate(&check)
	return check.Err()
}

// validateDrain checks the timeout that has to fit into two others. A drain that outlasts them gets the
// member thrown out of the group in the middle of it, and everything in flight is delivered twice.
func (c Config) validateDrain(check *env.Check) {
	const name = "KAFKA_REVOKE_DRAIN_TIMEOUT"
	longest := min(c.SessionTimeout, c.RebalanceTimeout)
	if c.RevokeDrainTimeout < 0 || c.RevokeDrainTimeout >= longest {
		check.AddFault(env.HoldsFault(name, c.RevokeDrainTimeout, fmt.Sprintf(
			"want 0s or more, and less than KAFKA_SESSION_TIMEOUT (%s) and KAFKA_REBALANCE_TIMEOUT (%s)",
			c.SessionTimeout, c.RebalanceTimeout)).WithSettings("KAFKA_SESSION_TIMEOUT", "KAFKA_REBALANCE_TIMEOUT"))
	}
}

// validateBrokers reports the first bad address by its number, and shows the whole value, of which a fault hides all before
// the last @. It does not show the address alone: if a password has a comma, that may be a piece of the password without an @.
func (c Config) validateBrokers() *env.Fault {
	const name, want = "KAFKA_BROKERS", "want host:port, comma separated"
	if len(c.Brokers) == 0 {
		return env.MissingFault(name, want)
	}
	for i, broker := range c.Brokers {
		host, port, err := net.SplitHostPort(broker)
		n, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || host == "" || portErr != nil || n == 0 || strings.ContainsAny(host, "/@ \t\r\n") {
			return env.HoldsFault(name, strings.Join(c.Brokers, ","), fmt.Sprintf("entry %d is not host:port; %s", i+1, want))
		}
	}
	return nil
}

// validateTopics checks that the topics are named in exactly one of the two ways, and that they can exist.
func (c Config) validateTopics(check *env.Check) {
	const names, pattern, exclude = "KAFKA_TOPICS", "KAFKA_TOPIC_PATTERN", "KAFKA_TOPIC_EXCLUDE"
	switch {
	case len(c.Topics) == 0 && c.TopicPattern == "":
		check.AddFault(env.MissingFault(names, "want the topics to read, or "+pattern).WithSettings(pattern))
	case len(c.Topics) > 0 && c.TopicPattern != "":
		check.AddFault(env.HoldsFault(pattern, c.TopicPattern, names+" is set too; want only one of them").WithSettings(names))
	}
	if _, err := regexp.Compile(c.TopicPattern); err != nil {
		check.AddFault(env.HoldsFault(pattern, c.TopicPattern, "want a regular expression (RE2): "+syntaxError(err)))
	}
	if _, err := regexp.Compile(c.TopicExclude); err != nil {
		check.AddFault(env.HoldsFault(exclude, c.TopicExclude, "want a regular expression (RE2): "+syntaxError(err)))
	} else if c.TopicExclude != "" && c.TopicPattern == "" {
		check.AddFault(env.HoldsFault(exclude, c.TopicExclude, "it has no effect without "+pattern).WithSettings(pattern))
	}
	seen := map[string]bool{}
	for i, topic := range c.Topics {
		problem := ""
		switch {
		case !LegalTopic(topic):
			problem = "want " + legalName
		case strings.HasPrefix(topic, "__"):
			problem = "topics that begin with __ are Kafka's own and are never read"
		case seen[topic]:
			problem = "it is there twice"
		}
		if seen[topic] = true; problem != "" {
			check.AddFault(env.HoldsFault(names, topic, fmt.Sprintf("entry %d: %s", i+1, problem)))
		}
	}
}

const legalName = "1 to 249 of a-z A-Z 0-9 . _ - and neither . nor .."

// legal is Kafka's own rule for names of topics, which it applies to static members as well.
var legal = regexp.MustCompile(`\A[a-zA-Z0-9._-]{1,249}\z`)

// LegalTopic reports whether a topic of this name can exist.
func LegalTopic(name string) bool { return legal.MatchString(name) && name != "." && name != ".." }

// syntaxError returns the fault of an expression, without the expression, which the message has already.
func syntaxError(err error) string {
	text := err.Error()
	if at := strings.Index(text, ": `"); at >= 0 {
		text = text[:at]
	}
	return strings.TrimPrefix(text, "error parsing regexp: ")
}

// OffsetReset is where to start a partition of which the group has committed nothing.
type OffsetReset struct {
	Mode string    // earliest, latest, none or time
	At   time.Time // with Mode time: start at the first record that is not older
}

// Decode reads one of the three words or an RFC 3339 time; envconfig calls it.
func (o *OffsetReset) Decode(s string) error {
	switch s {
	case "earliest", "latest", "none":
		*o = OffsetReset{Mode: s}
		return nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return errors.New("want earliest, latest, none or an RFC 3339 time such as 2026-01-31T00:00:00Z")
	}
	// Kafka reads the times -1 and -2, in milliseconds since 1970, as latest and earliest.
	if at.UnixMilli() < 0 {
		return errors.New("want a time after 1970")
	}
	*o = OffsetReset{Mode: "time", At: at}
	return nil
}

// String returns what Decode reads.
func (o OffsetReset) String() string {
	if o.Mode == "time" {
		return o.At.Format(time.RFC3339Nano)
	}
	return o.Mode
}
