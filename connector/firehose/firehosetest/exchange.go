package firehosetest

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An exchange is one request inside the service. The transport, Do
// or ServeHTTP, makes it with begin, carries the answer of handle to the client
// and calls end; the goroutine of the request owns it.
type exchange struct {
	s    *Service
	r    *http.Request
	log  Request
	hits []*armed      // faults that struck
	skew time.Duration // sum of theirs

	recs  []Stored // the stored records
	first int      // where in the account
}

// begin counts a request in.
func (s *Service) begin(r *http.Request) *exchange {
	x := &exchange{s: s, r: r, log: Request{Start: time.Now()}}
	x.log.Operation, _ = strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	x.log.Call, x.log.InFlight = s.calls, s.inFlight
	x.log.RequestID = s.newRequestID()
	return x
}

// end counts the request out. a is what left, as far as the transport knows.
func (x *exchange) end(a answer) {
	s := x.s
	x.log.End = time.Now()
	x.log.Code = a.code
	outcome := "none"
	if a.ending == whole || a.ending == cut {
		x.log.Status = a.statusCode()
		outcome = cmp.Or(a.code, strconv.Itoa(x.log.Status))
	}
	for _, f := range x.hits {
		x.log.Faults = append(x.log.Faults, f.Effect)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	s.outcomes[outcome]++
	s.log = append(s.log, x.log)
	if len(s.log) > s.opt.KeepRequests {
		s.log = s.log[1:] // append copies the rest when it grows
	}
}

// lost notes that the answer did not reach the client.
func (x *exchange) lost() {
	if len(x.recs) > 0 {
		x.s.unanswer(x.log.Stream, x.first, x.recs)
		x.recs = nil
	}
}

// strike collects the faults that apply, of those that strike before the body
// is read or of the others.
func (x *exchange) strike(unread bool) {
	now := time.Now()
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	for _, f := range x.s.faults {
		if f.unread() == unread && f.strikes(x.log.Operation, x.log.Stream, now) {
			x.hits = append(x.hits, f)
			x.skew += f.Skew
		}
	}
}

// decisive is the fault that decides the whole answer, nil if none does.
func (x *exchange) decisive() *armed {
	for _, f := range x.hits {
		if f.Effect.whole() {
			return f
		}
	}
	return nil
}

// handle takes the request to its answer, waits included.
func (x *exchange) handle() answer {
	x.strike(true)
	if f := x.decisive(); f != nil {
		return x.seal(f.replace(answer{}))
	}
	body, a, ok := x.read()
	if !ok {
		return x.seal(a)
	}
	defer x.s.release(body)
	in := x.decode(*body)
	x.strike(false)
	if !x.wait(x.latency(len(*body))) {
		return answer{ending: left}
	}
	f := x.decisive()
	if f != nil && f.skips() {
		a = f.replace(answer{})
	} else if a = x.process(*body, in); f != nil && a.code == "" {
		a = f.replace(a)
	}
	if !x.wait(x.delay(true)) || !x.hang(f, a) {
		x.lost()
		return answer{ending: left}
	}
	return x.seal(a)
}

// latency is how long the request takes before it is looked at.
func (x *exchange) latency(bytes int) time.Duration {
	d := x.delay(false)
	if x.s.opt.Latency != nil {
		d += x.s.opt.Latency(bytes)
	}
	return d
}

// delay sums the Delay faults of one kind.
func (x *exchange) delay(stored bool) (d time.Duration) {
	for _, f := range x.hits {
		if f.Effect == Delay && f.Stored == stored {
			d += f.Delay
		}
	}
	return d
}

// hang is the wait of a Hang fault; false if the client left first.
func (x *exchange) hang(f *armed, a answer) bool {
	if f == nil || f.Effect != Hang || a.code != "" {
		return true
	}
	if f.Fault.Delay > 0 {
		return x.wait(f.Fault.Delay)
	}
	<-x.r.Context().Done()
	return false
}

// wait sleeps for d; false if the client left first.
func (x *exchange) wait(d time.Duration) bool { return sleep(x.r.Context(), d) }

func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// seal gives an answer what all answers carry.
func (x *exchange) seal(a answer) answer {
	a.requestID = x.log.RequestID
	a.date = time.Now().Add(x.skew)
	for _, f := range x.hits {
		if f.Effect == SlowBody {
			a.slow += f.Fault.Delay
		}
	}
	return a
}
