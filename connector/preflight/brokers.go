package preflight

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/preflight/check"
)

const (
	// meetings is how many brokers are met at once.
	meetings = 8
	// expiresSoon is the time before the end of a broker's certificate at which check warns.
	expiresSoon = 14 * 24 * time.Hour
)

// brokerMeeting is the result of a connection to one broker.
type brokerMeeting struct {
	addr     string
	resolved []string             // what its name stands for; nil for an address
	unknown  bool                 // its name does not resolve
	secure   *tls.ConnectionState // nil without TLS
	versions *kversion.Versions
	brokers  []kmsg.MetadataResponseBroker // that it knows
	err      error
}

// meetBrokers meets those that the settings name, and then those that they know of: it is
// there that partitions are read, at the addresses that the brokers advertise. It reports
// whether there is one to ask the rest.
func (i *clusterInspector) meetBrokers(ctx context.Context) bool {
	first := i.meetAll(ctx, i.cfg.Brokers)
	at := slices.IndexFunc(first, func(m brokerMeeting) bool { return m.err == nil })
	var answer []string
	for _, m := range first {
		if m.err == nil {
			answer = append(answer, m.addr)
		}
		i.addMeeting(m, m.addr, at < 0)
	}
	if at < 0 {
		return false
	}
	i.versions, i.brokers = first[at].versions, first[at].brokers
	var names, others []string
	for _, b := range i.brokers {
		if addr := net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))); !slices.Contains(i.cfg.Brokers, addr) {
			names, others = append(names, fmt.Sprintf("%d at %s", b.NodeID, addr)), append(others, addr)
		}
	}
	for n, m := range i.meetAll(ctx, others) {
		i.addMeeting(m, names[n], true)
	}
	if err := i.openClient(answer); err != nil {
		i.found.AddError(check.Broker, "", err.Error(), "")
		return false
	}
	return true
}

func (i *clusterInspector) meetAll(ctx context.Context, addrs []string) []brokerMeeting {
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	met := make([]brokerMeeting, len(addrs))
	turn := make(chan struct{}, meetings)
	var all sync.WaitGroup
	for n, addr := range addrs {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			met[n] = i.meetBroker(ctx, addr)
		})
	}
	all.Wait()
	return met
}

// meetBroker resolves, connects and logs in, and asks the broker for its protocol versions and its cluster.
func (i *clusterInspector) meetBroker(ctx context.Context, addr string) brokerMeeting {
	m := brokerMeeting{addr: addr}
	host, _, _ := net.SplitHostPort(addr)
	if i.o.Lookup != nil && net.ParseIP(host) == nil {
		if m.resolved, m.err = i.o.Lookup(ctx, host); m.err != nil {
			m.unknown = true
			return m
		}
	}
	door := &connectionDoor{}
	client, err := kgo.NewClient(i.clientOptions(kgo.SeedBrokers(addr), kgo.WithHooks(door))...)
	if err != nil {
		m.err = err
		return m
	}
	defer client.Close()
	err = m.askBroker(ctx, client.SeedBrokers()[0])
	m.secure, m.err = door.explainError(err)
	return m
}

// askBroker asks the broker for its cluster and its protocol versions.
func (m *brokerMeeting) askBroker(ctx context.Context, broker *kgo.Broker) error {
	known := kmsg.NewPtrMetadataRequest()
	known.Topics = []kmsg.MetadataRequestTopic{} // none; nil would be all
	members, err := known.RequestWith(ctx, broker)
	if err != nil {
		return err
	}
	speaks := kmsg.NewPtrApiVersionsRequest()
	speaks.ClientSoftwareName, speaks.ClientSoftwareVersion = kafka.SoftwareName, kafka.SoftwareVersion
	versions, err := speaks.RequestWith(ctx, broker)
	if err != nil {
		return err
	}
	m.brokers, m.versions = members.Brokers, kversion.FromApiVersionsResponse(versions)
	return kerr.ErrorForCode(versions.ErrorCode)
}

// connectionDoor remembers the result of a connection, which the errors of requests don't always say.
type connectionDoor struct {
	mu     sync.Mutex
	secure *tls.ConnectionState
	err    error
}

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (d *connectionDoor) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, conn net.Conn, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	if secure, ok := conn.(*tls.Conn); ok && err == nil {
		state := secure.ConnectionState()
		d.secure = &state
	}
}

// errHangsUp is a broker that took the connection and answers no request on it.
var errHangsUp = errors.New("the broker hangs up instead of answering")

func (d *connectionDoor) explainError(err error) (*tls.ConnectionState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil && d.err != nil {
		err = d.err
	}
	if errors.Is(err, io.EOF) && !errors.As(err, new(*kgo.ErrFirstReadEOF)) {
		err = errHangsUp
	}
	return d.secure, err
}

// addMeeting makes a finding of a meeting that worked, or did not. It is only a warning while
// others can take the broker's part.
func (i *clusterInspector) addMeeting(m brokerMeeting, name string, needed bool) {
	if m.err == nil {
		i.tellMet(m, name)
		return
	}
	found, advice := i.explainRefused(m.err, i.cfg.DiagnoseConnection(m.addr, m.err).Hint)
	switch {
	case m.unknown:
		found = "its name does not resolve: " + found
	case errors.Is(m.err, errHangsUp):
		if advice = i.cfg.Auth().ClosedAtOnce(); i.cfg.SASL.Mechanism != "" {
			advice = "it may refuse the login: " + i.cfg.Auth().RefusedAdvice()
		}
	}
	add := i.found.AddWarning
	if needed {
		add = i.found.AddError
	}
	add(check.Broker, name, found, advice)
}

func (i *clusterInspector) tellMet(m brokerMeeting, name string) {
	var parts []string
	if len(m.resolved) > 0 {
		parts = append(parts, "at "+strings.Join(m.resolved, " and "))
	}
	var soon bool
	if m.secure == nil {
		parts = append(parts, "not encrypted")
	} else {
		parts = append(parts, tls.VersionName(m.secure.Version))
		if certs := m.secure.PeerCertificates; len(certs) > 0 {
			end := certs[0].NotAfter
			soon = time.Until(end) < expiresSoon
			parts = append(parts, "its certificate ends "+end.UTC().Format(time.RFC3339))
		}
	}
	switch {
	case i.cfg.SASL.Mechanism == "":
		parts = append(parts, "no login")
	case i.cfg.SASL.Username != "":
		parts = append(parts, "logged in as "+i.cfg.SASL.Username+" with "+i.cfg.SASL.Mechanism)
	default:
		parts = append(parts, "logged in with "+i.cfg.SASL.Mechanism)
	}
	text := strings.Join(parts, ", ")
	if soon {
		i.found.AddWarning(check.Broker, name, text, "have the certificate renewed")
		return
	}
	i.found.AddOK(check.Broker, name, text)
}
