package firehose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/env"
)

// maxInFlight is far more than a stream's quota needs at any latency.
const maxInFlight = 1000

// Config says which streams to write to and how hard.
type Config struct {
	// Stream is the delivery stream of every topic that no route takes. Either this or Routes is required.
	Stream string `envconfig:"FIREHOSE_STREAM" unset:"this or FIREHOSE_ROUTES" desc:"Delivery stream for all topics; beside FIREHOSE_ROUTES, for those without a route."`
	// Routes send topics to streams; the first that matches wins. Every stream has a pipeline of its own,
	// with its own requests in flight and its share of the memory.
	Routes Routes `envconfig:"FIREHOSE_ROUTES" unset:"this or FIREHOSE_STREAM" desc:"topic=stream,/regex/=stream: the first that matches the whole topic name wins."`
	// BatchMaxRecords is the most records in a request, 500 by default, which is Firehose's limit.
	BatchMaxRecords int `envconfig:"FIREHOSE_BATCH_MAX_RECORDS" default:"500" desc:"Most records in a request; never above Firehose's 500."`
	// BatchMaxBytes is the most bytes of data in a request. The default stays a little below
	// Firehose's 4 MiB. A request costs this in memory, and 4/3 of it again while it is sent.
	BatchMaxBytes env.Bytes `envconfig:"FIREHOSE_BATCH_MAX_BYTES" default:"4000000" desc:"Most bytes in a request, before base64; never above Firehose's 4194304, never below its largest record, 1024000."`
	// BatchLinger is the longest a record waits for its batch to fill. It is latency when traffic is
	// low and has no effect when batches fill sooner; 0 sends what a poll brought.
	BatchLinger time.Duration `envconfig:"FIREHOSE_BATCH_LINGER" default:"1s" desc:"Longest a record waits for its batch to fill."`
	// MaxInFlight is the maximum of requests in flight for a stream; the limiter adapts below it.
	// Memory: up to MaxInFlight batches and bodies a stream, within MAX_BUFFERED_BYTES.
	MaxInFlight int `envconfig:"FIREHOSE_MAX_IN_FLIGHT" default:"16" desc:"Requests at once for each stream; the pace adapts below it. Records can arrive out of order, also with 1."`
	// MaxBytesPerSecond is this process's share of a stream's quota, for each stream; 0 is unlimited.
	MaxBytesPerSecond env.Bytes `envconfig:"FIREHOSE_MAX_BYTES_PER_SECOND" unset:"unlimited" desc:"This process's share of each stream's quota in bytes, before base64."`
	// MaxRecordsPerSecond is the same in records; 0 is unlimited.
	MaxRecordsPerSecond int `envconfig:"FIREHOSE_MAX_RECORDS_PER_SECOND" unset:"unlimited" desc:"This process's share of each stream's quota in records."`
	// QuotaBytesPerSecond is a stream's quota for all members of the group together, for each stream. A
	// member starts from its part of it, which is its share of the partitions, and goes back to that part
	// when something is refused. 0 is unknown.
	QuotaBytesPerSecond env.Bytes `envconfig:"FIREHOSE_QUOTA_BYTES_PER_SECOND" unset:"unknown" desc:"Each stream's quota in bytes, before base64, for all members together; each takes its share by its partitions."`
	// QuotaRecordsPerSecond is the same in records; 0 is unknown.
	QuotaRecordsPerSecond int `envconfig:"FIREHOSE_QUOTA_RECORDS_PER_SECOND" unset:"unknown" desc:"Each stream's quota in records, for all members together."`
	// RequestTimeout bounds one attempt; time for the size of the body comes on top, and up to twice as
	// much again where answers are missing (see limiter.TimeLimit). An attempt that runs into it may have been
	// accepted, and is sent again.
	RequestTimeout time.Duration `envconfig:"FIREHOSE_REQUEST_TIMEOUT" default:"10s" desc:"One attempt, plus time for the size of its body, and more after answers that did not come; what runs into it is sent again and may arrive twice."`
	// StartupCheck describes each stream at the start, beside the group's join. Records of a stream that
	// can't be used are held; if no stream can be used, the process ends with a clear error. It needs
	// firehose:DescribeDeliveryStream.
	StartupCheck bool `envconfig:"FIREHOSE_STARTUP_CHECK" default:"true" desc:"Describe each stream at start, and hold its records until it can be used; if none can be, the process ends. Without firehose:DescribeDeliveryStream, or an answer, the check is skipped."`
	// RequireEncryption blocks a stream whose answers say that its records are not encrypted at rest.
	RequireEncryption bool `envconfig:"FIREHOSE_REQUIRE_ENCRYPTION" default:"false" desc:"Block a stream once it answers that it has stored records without server-side encryption; their offsets are not committed."`
	// RoleARN is a role to assume for writing, for instance one of another account.
	RoleARN string `envconfig:"FIREHOSE_ROLE_ARN" unset:"none" desc:"Assume this role to write."`
	// RoleExternalID is what that role's trust policy may ask for. It has no effect without RoleARN.
	RoleExternalID string `envconfig:"FIREHOSE_ROLE_EXTERNAL_ID" unset:"none" desc:"External id for FIREHOSE_ROLE_ARN."`
	// RoleSessionName is what audit logs and trust policies see of the role's session. It has no effect without RoleARN.
	RoleSessionName string `envconfig:"FIREHOSE_ROLE_SESSION_NAME" unset:"AWS_ROLE_SESSION_NAME, or kafka-firehose-HOST" desc:"Session name for FIREHOSE_ROLE_ARN, which its trust policy may ask for."`
	// StreamOptions are what is different for single streams, as JSON or in a file: where they are,
	// who writes to them, how hard.
	StreamOptions StreamOptions `envconfig:"FIREHOSE_STREAM_OPTIONS" unset:"none" desc:"What is different for single streams, as JSON or the path of a file with it: {\"stream\": {\"region\": …}}. See deploy/docs/routing.md."`

	// Yields gives other senders precedence while a stream throttles. It is no setting: replay and redrive have it.
	Yields bool
}

// StreamFor returns the stream of a topic: that of the first route that matches, else Stream.
// It is not ok when the topic has none.
func (c Config) StreamFor(topic string) (stream string, ok bool) {
	for _, r := range c.Routes {
		if r.matchesTopic(topic) {
			return r.Stream, true
		}
	}
	return c.Stream, c.Stream != ""
}

// StreamNames returns every stream once, those of the routes first, in their order.
func (c Config) StreamNames() []string {
	var all []string
	for _, r := range append(slices.Clone(c.Routes), Route{Stream: c.Stream}) {
		if r.Stream != "" && !slices.Contains(all, r.Stream) {
			all = append(all, r.Stream)
		}
	}
	return all
}

// Validate returns all faults of c, each naming its variable.
func (c Config) Validate() error {
	var check env.Check
	c.validateStreams(&check)
	c.Routes.validateRoutes(&check)
	env.CheckRange(&check, "FIREHOSE_BATCH_MAX_RECORDS", c.BatchMaxRecords, 1, batch.MaxRequestRecords)
	// A batch that can't hold the largest record would turn a legal record into a bad one.
	env.CheckRange(&check, "FIREHOSE_BATCH_MAX_BYTES", c.BatchMaxBytes, batch.MaxRecordBytes, batch.MaxRequestBytes)
	env.CheckRange(&check, "FIREHOSE_BATCH_LINGER", c.BatchLinger, 0, 24*time.Hour)
	env.CheckRange(&check, "FIREHOSE_MAX_IN_FLIGHT", c.MaxInFlight, 1, maxInFlight)
	env.AtLeast(&check, "FIREHOSE_MAX_BYTES_PER_SECOND", c.MaxBytesPerSecond, 0)
	env.AtLeast(&check, "FIREHOSE_MAX_RECORDS_PER_SECOND", c.MaxRecordsPerSecond, 0)
	env.AtLeast(&check, "FIREHOSE_QUOTA_BYTES_PER_SECOND", c.QuotaBytesPerSecond, 0)
	env.AtLeast(&check, "FIREHOSE_QUOTA_RECORDS_PER_SECOND", c.QuotaRecordsPerSecond, 0)
	env.CheckRange(&check, "FIREHOSE_REQUEST_TIMEOUT", c.RequestTimeout, 100*time.Millisecond, 15*time.Minute)
	c.assumedRole().Validate(&check, "FIREHOSE_ROLE_EXTERNAL_ID")
	c.assumedRole().ValidateSession(&check, "FIREHOSE_ROLE_SESSION_NAME")
	c.validateStreamOptions(&check)
	return check.Err()
}

func (c Config) validateStreams(check *env.Check) {
	const name = "FIREHOSE_STREAM"
	if c.Stream == "" && len(c.Routes) == 0 {
		check.AddFault(env.MissingFault(name, "want the name of a delivery stream, or FIREHOSE_ROUTES").WithSettings("FIREHOSE_ROUTES"))
	}
	if c.Stream != "" && !legalStream.MatchString(c.Stream) {
		check.AddFault(env.HoldsFault(name, c.Stream, wantStream(c.Stream)))
	}
}

var legalStream = regexp.MustCompile(`\A[a-zA-Z0-9_.-]{1,64}\z`)

// wantStream says what a stream's name looks like. An ARN is the mistake that people make: Firehose
// takes the name alone.
func wantStream(stream string) string {
	want := "want 1 to 64 of a-z A-Z 0-9 _ . -"
	if !strings.HasPrefix(stream, "arn:") {
		return want
	}
	if _, name, ok := strings.Cut(stream, "deliverystream/"); ok && legalStream.MatchString(name) {
		return fmt.Sprintf("want the stream's name, not its ARN: %s", name)
	}
	return want + ": the stream's name, not its ARN"
}

func (c Config) assumedRole() awsconfig.Role {
	return awsconfig.Role{Variable: "FIREHOSE_ROLE_ARN", ARN: c.RoleARN, ExternalID: c.RoleExternalID, SessionName: c.RoleSessionName}
}
