package firehosetest

import (
	"errors"
	"fmt"
	"time"
)

// Options say what a [Service] is. The zero value is a service without streams
// in us-east-1 that accepts every well-formed signature.
type Options struct {
	// Region is what a signature must be scoped to. Default us-east-1.
	Region string
	// Account is the AWS account that ARNs and messages name. Default 123456789012.
	Account string
	// Credentials are the keys that may sign; see [Service.AddCredentials]. Empty:
	// any key and any signature pass, but still a well-formed, current one for this
	// region is demanded.
	Credentials []Credentials
	// Streams are there from the start; see [Service.AddStream].
	Streams []Stream
	// Faults are in force from the start; see [Service.SetFaults].
	Faults []Fault

	// RequestLimitBytes is the largest request accepted, in bytes of data before
	// base64. Default 4,194,304 (4 MiB). The service's own messages say "4 MB",
	// and which of the two it means is not known: run a suite with 4,000,000 too.
	RequestLimitBytes int
	// CountWire makes RequestLimitBytes count the HTTP body, that is base64 and
	// JSON, as the most cautious reading of the limit would.
	CountWire bool

	// Latency is the time before a request of that many body bytes is
	// handled; nil is no time at all. Until it has passed nothing is stored, so
	// a client that leaves earlier has put nothing. See [Fixed].
	Latency func(bytes int) time.Duration
	// ControlUnlimited switches off the 5 calls a second that the service allows
	// for DescribeDeliveryStream and for ListDeliveryStreams.
	ControlUnlimited bool

	// OnStored, if set, is called for each record that was stored, in order,
	// before any byte of the answer leaves, on the request's own goroutine and
	// with no lock held: it may call the Service. Calls for different requests
	// overlap. Data must not be changed.
	OnStored func(Stored)
	// OnUnanswered, if set, is called in the same way for each of these records whose client is
	// not told, as soon as that is known: with OnStored, or when the client has left.
	OnUnanswered func(Stored)
	// Keep says how much the ledger remembers. Default [KeepData].
	Keep Keep
	// KeepRequests is how many entries, the newest, the log of requests holds.
	// Default 100,000.
	KeepRequests int
	// Seed makes the ids and the scatter of throttled records repeatable.
	Seed uint64
}

// Fixed is a latency that is the same for every request, for [Options.Latency].
func Fixed(d time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return d }
}

// Keep says how much the ledger remembers of each stored record.
type Keep int

// The contents of a ledger. OnStored can replace all of them.
const (
	KeepData    Keep = iota // everything, data included
	KeepEntries             // everything but the data: about 400 bytes a record
	KeepCounts              // only the counters of Stats: no memory a record
)

// The limits of the API's published model (2015-08-04) and quota page.
const (
	maxRecords      = 500       // records a request
	maxRecordBytes  = 1_024_000 // bytes a record, before base64: 1,000 KiB
	maxNameLength   = 64        // characters of a stream's name
	maxRequestBytes = 4 << 20   // bytes a request, before base64: "4 MiB per call"
	billedUnit      = 5_120     // a record is billed as a multiple of this many bytes: 5 KiB
	controlPerSec   = 5         // calls a second and operation on the control plane

	// maxBodyBytes is this package's own bound on a body, three times the
	// wire length of the largest request; more is answered 413.
	maxBodyBytes = 16 << 20
)

// withDefaults fills in zero fields.
func (o Options) withDefaults() Options {
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Account == "" {
		o.Account = "123456789012"
	}
	if o.RequestLimitBytes == 0 {
		o.RequestLimitBytes = maxRequestBytes
	}
	if o.KeepRequests == 0 {
		o.KeepRequests = 100_000
	}
	return o
}

// Validate reports everything that [New] would panic over.
func (o Options) Validate() error {
	var errs []error
	if o.RequestLimitBytes < 0 {
		errs = append(errs, fmt.Errorf("RequestLimitBytes is %d; it must be 1 or more, or 0 for 4,194,304", o.RequestLimitBytes))
	}
	if o.KeepRequests < 0 {
		errs = append(errs, fmt.Errorf("KeepRequests is %d; it must be 1 or more, or 0 for 100,000", o.KeepRequests))
	}
	if o.Keep < KeepData || o.Keep > KeepCounts {
		errs = append(errs, fmt.Errorf("Keep is %d; it must be KeepData, KeepEntries or KeepCounts", o.Keep))
	}
	for i, c := range o.Credentials {
		if c.AccessKey == "" || c.SecretKey == "" {
			errs = append(errs, fmt.Errorf("Credentials[%d] needs both an AccessKey and a SecretKey", i))
		}
	}
	seen := make(map[string]bool)
	for i, st := range o.Streams {
		if err := st.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("Streams[%d]: %w", i, err))
		}
		if seen[st.Name] {
			errs = append(errs, fmt.Errorf("Streams[%d]: a stream named %q is there already", i, st.Name))
		}
		seen[st.Name] = true
	}
	errs = append(errs, validateFaults("Faults", o.Faults))
	return errors.Join(errs...)
}
