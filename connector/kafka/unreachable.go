package kafka

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/kafka/auth"
)

// DiagnoseConnection says why there is no connection to a broker at addr, for errors that DiagnoseError does not know.
func (c Config) DiagnoseConnection(addr string, err error) auth.Diagnosis {
	return c.Auth().DiagnoseConnection(err, c.originHint(addr))
}

// originHint says where an address comes from, and so where to correct it.
func (c Config) originHint(addr string) string {
	if slices.Contains(c.Brokers, addr) {
		return "look at KAFKA_BROKERS, and at what is between: networks, security groups, policies"
	}
	return "the broker says in advertised.listeners that it is to be reached there: correct that, or open the way"
}

// outageAfter is how long every connection to a broker fails before that counts as a refusal. A broker that is
// restarted leaves the cluster's metadata sooner, and is not tried then.
const outageAfter = 15 * time.Second

// brokerOutage is a broker to which every connection has failed since first.
type brokerOutage struct{ first, last time.Time }

// noteUnreached looks at a connection to a broker that could not be made, for a reason that may pass.
func (a *accessFaults) noteUnreached(addr string, err error) {
	if errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled) {
		return
	}
	d, now := a.cfg.DiagnoseConnection(addr, err), time.Now()
	a.mu.Lock()
	maps.DeleteFunc(a.outages, func(_ string, o brokerOutage) bool { return now.Sub(o.last) >= refusedFor })
	o, known := a.outages[addr]
	if !known {
		o.first = now
	}
	o.last = now
	a.outages[addr] = o
	a.mu.Unlock()
	if now.Sub(o.first) >= outageAfter {
		a.noteRefusal(place{d.Refused, addr}, d.Hint, err)
		return
	}
	a.log.Warn("no connection to a broker; trying again", "at", addr, "refused", d.Refused, "hint", d.Hint, "error", err)
}

// noteReached ends an outage.
func (a *accessFaults) noteReached(addr string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.outages, addr)
}
