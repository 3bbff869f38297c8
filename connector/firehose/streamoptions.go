package firehose

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/env"
)

// StreamOptions are the settings of single streams.
type StreamOptions struct {
	// Source is the variable's value: the JSON, or the path of a file with it.
	Source string
	// Of has the options by the name of the stream.
	Of map[string]StreamOption
}

// StreamOption are the settings of one stream. An empty or nil field is the setting of all streams.
type StreamOption struct {
	// Region is where the stream and the security token service of its role are; AWS_REGION for all.
	Region string
	// EndpointURL is where requests go; AWS_ENDPOINT_URL_FIREHOSE, or the region's own, for all.
	EndpointURL string
	// RoleARN is assumed to write, and RoleExternalID handed over with it. Together they take the
	// place of FIREHOSE_ROLE_ARN and FIREHOSE_ROLE_EXTERNAL_ID.
	RoleARN, RoleExternalID string
	// RoleSessionName is in the place of FIREHOSE_ROLE_SESSION_NAME, for RoleARN.
	RoleSessionName string
	// MaxInFlight is in the place of FIREHOSE_MAX_IN_FLIGHT.
	MaxInFlight *int
	// MaxBytesPerSecond and MaxRecordsPerSecond are in the place of the variables of that name; 0 is
	// unlimited.
	MaxBytesPerSecond   *env.Bytes
	MaxRecordsPerSecond *int
	// QuotaBytesPerSecond and QuotaRecordsPerSecond are in the place of the variables of that name; 0 is
	// unknown.
	QuotaBytesPerSecond   *env.Bytes
	QuotaRecordsPerSecond *int
	// Record has the values that are in the place of settings of records, by the name of the variable. They are
	// texts as the variable would hold.
	Record map[string]string
}

// String returns the variable's value.
func (o StreamOptions) String() string { return o.Source }

// ForStream is the configuration of one stream: the settings of all streams, with its own options.
func (c Config) ForStream(stream string) Config {
	return c.with(c.StreamOptions.Of[stream])
}

// with is the configuration with an option in the place of the settings of all streams.
func (c Config) with(o StreamOption) Config {
	if o.RoleARN != "" {
		c.RoleARN, c.RoleExternalID = o.RoleARN, o.RoleExternalID
		c.RoleSessionName = cmp.Or(o.RoleSessionName, c.RoleSessionName)
	}
	if o.MaxInFlight != nil {
		c.MaxInFlight = *o.MaxInFlight
	}
	if o.MaxBytesPerSecond != nil {
		c.MaxBytesPerSecond = *o.MaxBytesPerSecond
	}
	if o.MaxRecordsPerSecond != nil {
		c.MaxRecordsPerSecond = *o.MaxRecordsPerSecond
	}
	if o.QuotaBytesPerSecond != nil {
		c.QuotaBytesPerSecond = *o.QuotaBytesPerSecond
	}
	if o.QuotaRecordsPerSecond != nil {
		c.QuotaRecordsPerSecond = *o.QuotaRecordsPerSecond
	}
	return c
}

const streamOptionsName = "FIREHOSE_STREAM_OPTIONS"

// OptionFault is the fault of an option of a stream. The rule that found it reads the variables others, too.
func (c Config) OptionFault(stream, problem string, others ...string) *env.Fault {
	return env.HoldsFault(streamOptionsName, c.StreamOptions, fmt.Sprintf("stream %q: %s", stream, problem)).WithSettings(others...)
}

// validateStreamOptions checks each option as the variable for all is checked, and that the streams are ours:
// an option for a stream that is written wrong would silently have no effect.
func (c Config) validateStreamOptions(check *env.Check) {
	known := c.StreamNames()
	for _, name := range slices.Sorted(maps.Keys(c.StreamOptions.Of)) {
		o := c.StreamOptions.Of[name]
		bad := func(format string, args ...any) {
			check.AddFault(c.OptionFault(name, fmt.Sprintf(format, args...)))
		}
		if !slices.Contains(known, name) {
			check.AddFault(env.HoldsFault(streamOptionsName, c.StreamOptions, fmt.Sprintf("stream %q is in neither FIREHOSE_STREAM nor FIREHOSE_ROUTES; want one of %q", name, known)).
				WithSettings("FIREHOSE_STREAM", "FIREHOSE_ROUTES"))
		}
		if o.Region != "" && !awsconfig.LegalRegion(o.Region) {
			bad("region is %q: want a region such as eu-west-1", o.Region)
		}
		if o.EndpointURL != "" && !legalEndpoint(o.EndpointURL) {
			bad("endpoint_url: want http:// or https:// and a host, and no more") // it may hold a password
		}
		o.validateRole(bad)
		o.validateNumbers(bad)
	}
}

func (o StreamOption) validateRole(bad func(string, ...any)) {
	var check env.Check
	role := awsconfig.Role{Variable: "role_arn", ARN: o.RoleARN, ExternalID: o.RoleExternalID, SessionName: o.RoleSessionName}
	role.Validate(&check, "role_external_id")
	role.ValidateSession(&check, "role_session_name")
	for _, f := range env.FaultsOf(check.Err()) {
		bad("%v", f)
	}
}

func (o StreamOption) validateNumbers(bad func(string, ...any)) {
	if n := o.MaxInFlight; n != nil && (*n < 1 || *n > maxInFlight) {
		bad("max_in_flight is %d: want 1 to %d", *n, maxInFlight)
	}
	o.validateRates(bad)
}

// validateRates checks the fields that may change while the process runs.
func (o StreamOption) validateRates(bad func(string, ...any)) {
	notNegative(bad, "max_bytes_per_second", o.MaxBytesPerSecond)
	notNegative(bad, "max_records_per_second", o.MaxRecordsPerSecond)
	notNegative(bad, "quota_bytes_per_second", o.QuotaBytesPerSecond)
	notNegative(bad, "quota_records_per_second", o.QuotaRecordsPerSecond)
}

func notNegative[T int | env.Bytes](bad func(string, ...any), name string, n *T) {
	if n != nil && *n < 0 {
		bad("%s is %d: want 0 or more", name, int64(*n))
	}
}

func legalEndpoint(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
		(u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == ""
}
