package firehosetest

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"sync"
	"time"
)

// The operations that are there, as X-Amz-Target names them after its prefix.
const (
	targetPrefix     = "Firehose_20150804."
	opPutRecordBatch = "PutRecordBatch"
	opPutRecord      = "PutRecord"
	opDescribe       = "DescribeDeliveryStream"
	opList           = "ListDeliveryStreams"

	amzJSON    = "application/x-amz-json-1.1"
	sigService = "firehose" // in a signature's scope
)

// Service is an emulated Firehose. It is an [net/http.Handler] and, with Do, the
// HTTP client of an AWS SDK. All methods may be called at any time from any
// goroutine. It starts no goroutines and has nothing to close.
type Service struct {
	opt    Options   // with defaults; not changed after New
	bodies sync.Pool // of *[]byte, request bodies
	keys   keys      // who may sign

	// mu guards all below. It is never held while a hook runs or a wait lasts.
	mu       sync.Mutex
	streams  map[string]*streamState // :: name -> stream
	control  map[string]*bucket      // :: control operation -> its calls
	faults   []*armed                // the script, in order
	ledger   map[string]*account     // :: stream -> its stored records
	log      []Request               // the newest Options.KeepRequests requests
	outcomes map[string]int          // :: error code, "200" or "none" -> requests
	calls    int
	inFlight int
	peak     int
	random   *rand.ChaCha8 // makes ids
}

// New returns a service. It panics if o is not valid; see [Options.Validate].
func New(o Options) *Service {
	if err := o.Validate(); err != nil {
		panic("firehosetest: " + err.Error())
	}
	s := &Service{
		opt:      o.withDefaults(),
		streams:  make(map[string]*streamState),
		control:  make(map[string]*bucket),
		ledger:   make(map[string]*account),
		outcomes: make(map[string]int),
	}
	var seed [32]byte
	for i := range 8 {
		seed[i] = byte(o.Seed >> (8 * i))
	}
	s.random = rand.NewChaCha8(seed)
	for _, op := range []string{opDescribe, opList} {
		b := newBucket(controlPerSec, 1)
		s.control[op] = &b
	}
	for _, st := range o.Streams {
		s.AddStream(st)
	}
	s.SetFaults(o.Faults)
	s.keys.add(o.Credentials...)
	return s
}

// recordIDBytes makes ids of 224 characters, the length the service's have; a
// client has to cope with 120 KB of them in one answer.
const recordIDBytes = 224 / 4 * 3

// newRecordIDs returns n ids, each of 224 characters.
func (s *Service) newRecordIDs(n int) []string {
	raw := make([]byte, n*recordIDBytes)
	s.mu.Lock()
	_, _ = s.random.Read(raw) // never fails
	s.mu.Unlock()
	all := base64.StdEncoding.EncodeToString(raw)
	size := len(all) / max(n, 1)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = all[i*size : (i+1)*size]
	}
	return ids
}

// newRequestID returns an id in the form of x-amzn-requestid. The caller holds mu.
func (s *Service) newRequestID() string {
	var b [16]byte
	_, _ = s.random.Read(b[:]) // never fails
	return uuid(b)
}

// uuid prints 16 random bytes as a version 4 UUID.
func uuid(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// admitControl takes a call of a control operation from its 5 a second.
func (s *Service) admitControl(op string) *apiError {
	if s.opt.ControlUnlimited {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.control[op]
	b.fill(time.Now())
	if !b.has(1) {
		return fail(codeThrottling, "Please slow down. Max limit of %d RPS has breached for %s", controlPerSec, op)
	}
	b.take(1)
	return nil
}
