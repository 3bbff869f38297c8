// Package status is what /status and the status page show: a snapshot of one process, for people
// who have no Prometheus at hand.
package status

import "time"

// Snapshot is the state of a process at some time. Times that are zero are left out of the JSON.
type Snapshot struct {
	At          time.Time     `json:"at"`
	Phase       string        `json:"phase"` // starting, running or draining
	Live        bool          `json:"live"`
	Ready       bool          `json:"ready"`
	Group       Group         `json:"group"`
	Faults      []Fault       `json:"faults"` // that last now
	Streams     []Stream      `json:"streams"`
	Partitions  []Partition   `json:"partitions"`
	Credentials []Credentials `json:"credentials"`
	BadRecords  BadRecords    `json:"bad_records"`
	Registry    *Registry     `json:"schema_registry,omitempty"` // nil unless records are decoded
	Memory      Memory        `json:"memory"`
	Runtime     *Runtime      `json:"runtime_settings,omitempty"` // nil without RUNTIME_SETTINGS_FILE
	Events      []Event       `json:"events"`                     // the newest first
}

// EmptySnapshot is the snapshot of a process of a group that has just begun.
func EmptySnapshot(now time.Time, group string) Snapshot {
	return Snapshot{At: now, Phase: "starting", Live: true, Group: Group{ID: group}, Faults: []Fault{}, Streams: []Stream{}, Partitions: []Partition{}, Credentials: []Credentials{}, Events: []Event{}}
}

// Group is the consumer group as this member sees it.
type Group struct {
	ID     string `json:"id"`
	Joined bool   `json:"joined"`
}

// Fault is something that keeps records from getting through.
type Fault struct {
	What     string    `json:"what"`
	Reason   string    `json:"reason"`
	Since    time.Time `json:"since,omitzero"`
	Failures int       `json:"failures,omitempty"` // attempts since then
}

// Stream is a delivery stream. Sums are since the process began, sizes are bytes before base64.
type Stream struct {
	Name   string    `json:"name"`
	State  string    `json:"state"` // ok, idle, paused, throttled, held, failing, blocked or unchecked
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Format string    `json:"format"` // of its records, for people

	// Rates are limits a second; 0 is none, or unknown.
	RateBytes      float64 `json:"rate_bytes_per_second"`
	RateRecords    float64 `json:"rate_records_per_second"`
	QuotaBytes     float64 `json:"quota_part_bytes_per_second"`
	QuotaRecords   float64 `json:"quota_part_records_per_second"`
	PartitionShare float64 `json:"partition_share"` // of the stream's partitions, from 0 to 1

	InFlight     int       `json:"requests_in_flight"`
	Waiting      int       `json:"batches_waiting"`
	LastAccepted time.Time `json:"last_accepted,omitzero"`
	Lag          int64     `json:"lag_records"`

	Requests        int64   `json:"requests"`
	AcceptedRecords int64   `json:"accepted_records"`
	AcceptedBytes   int64   `json:"accepted_bytes"`
	RefusedShare    float64 `json:"refused_share"` // of the records that were answered one by one in the last ten minutes, from 0 to 1
	BilledRatio     float64 `json:"billed_ratio"`
	Stuck           int     `json:"stuck_records"`
	Encrypted       bool    `json:"encrypted"` // what the last answer said of records at rest

	Destination *Destination `json:"destination,omitempty"` // nil unless it is watched

	PeakSecond Second    `json:"peak_second"`        // the highest second of the last minute
	History    []Second  `json:"history"`            // of the last ten minutes, means of five seconds, oldest first
	PeakBytes  []float64 `json:"history_peak_bytes"` // accepted in the highest second of each of these
}

// Destination is what CloudWatch has published of a stream's destination in the last hour.
type Destination struct {
	Late    float64   `json:"late_seconds"`            // age of the oldest record that it does not have; 0 if that is unknown
	LateAt  time.Time `json:"late_at,omitzero"`        // when it was that late
	Success *float64  `json:"success_ratio,omitempty"` // share of the deliveries that succeeded; nil if there were none
	Held    bool      `json:"held"`                    // nothing new is sent to the stream because of it
	Dropped []Drop    `json:"dropped,omitempty"`       // of the last 15 days, the newest last
}

// Drop is an outage of a destination in which Firehose has probably dropped records.
type Drop struct {
	From   time.Time `json:"accepted_from"`    // when Firehose accepted the first of the records
	Until  time.Time `json:"accepted_to"`      // and the last
	LastAt time.Time `json:"dropped_until"`    // when it last dropped some
	Replay string    `json:"replay,omitempty"` // command that sends them again; empty while the outage may still last
}

// Second has the traffic of one second.
type Second struct {
	OfferedBytes    float64 `json:"offered_bytes"`
	OfferedRecords  float64 `json:"offered_records"`
	Requests        float64 `json:"requests"`
	AcceptedBytes   float64 `json:"accepted_bytes"`
	AcceptedRecords float64 `json:"accepted_records"`
	RefusedRecords  float64 `json:"refused_records"` // one by one, not with their whole request
}

// Partition is a partition that this process owns.
type Partition struct {
	Topic       string  `json:"topic"`
	Partition   int32   `json:"partition"`
	Lag         int64   `json:"lag_records"`
	Committed   int64   `json:"committed"`           // the group's offset, -1 if there is none
	Uncommitted int64   `json:"uncommitted_records"` // polled since then
	OldestAge   float64 `json:"oldest_age_seconds"`  // since the oldest record that is not acknowledged was polled; 0 for none
	State       string  `json:"state"`               // reading, paused, waiting for a schema, resting, stopped or starting
	Reason      string  `json:"reason,omitempty"`    // why it is paused: runtime settings, or uncommitted records
}

// Credentials sign requests to AWS. They are shown by their source, never by their value.
type Credentials struct {
	For string `json:"for"` // Kafka, the Schema Registry, or a stream
	CredentialState
}

// CredentialState is where credentials come from, and how long they are valid.
type CredentialState struct {
	Source  string    `json:"source,omitempty"`  // empty before the first fetch
	Role    string    `json:"role,omitempty"`    // the ARN of the assumed role
	Expires time.Time `json:"expires,omitzero"`  // zero for credentials without an end
	Failure string    `json:"failure,omitempty"` // why they can't be renewed now
}

// BadRecords are records that can't be delivered.
type BadRecords struct {
	Policy  string `json:"policy"`
	Records int64  `json:"records"` // since the process began
}

// Registry is the Schema Registry.
type Registry struct {
	Type    string    `json:"type"`              // confluent, glue or apicurio
	Failure string    `json:"failure,omitempty"` // of the last request
	Since   time.Time `json:"since,omitzero"`    // of the first of the requests that have failed in a row
}

// Memory is the memory of records between the fetch and the commit, in bytes, and its limit.
type Memory struct {
	Buffered  int64   `json:"buffered_bytes"`
	Limit     int64   `json:"limit_bytes"`
	OldestAge float64 `json:"oldest_age_seconds"` // since the oldest of these records was polled; 0 for none
}

// Event is a line of the log that tells of a change.
type Event struct {
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}
