package limiter

// inFlight limits the number of requests in flight. It begins with one, at the
// start and when the breaker closes: the first requests find out whether the
// service takes anything before a wave of them is refused. Each success doubles
// it, so that it reaches 16 after four answers, before slow start needs as many.
type inFlight struct {
	max     int // configured
	allowed int
	count   int // requests in flight
	probes  int // of them, while the service is not trusted
}

// isFull reports whether no request may start. Requests from before an outage don't keep a
// probe from it: one of them may hang until its timeout.
func (f *inFlight) isFull(allowed int, trusted bool) bool {
	if !trusted {
		return f.probes > 0
	}
	return f.count >= allowed
}

func (f *inFlight) startRequest(probe bool) {
	f.count++
	if probe {
		f.probes++
	}
}

func (f *inFlight) endRequest(probe bool) {
	f.count--
	if probe {
		f.probes--
	}
}

func (f *inFlight) restartWindow() { f.allowed = 1 }
func (f *inFlight) countSuccess()  { f.allowed = min(f.max, 2*f.allowed) }
