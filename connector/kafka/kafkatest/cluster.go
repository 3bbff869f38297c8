package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"kafka-firehose/connector/porttest"
)

const (
	plaintext  = "PLAINTEXT"  // the listener that is always there; brokers use it among themselves
	controller = "CONTROLLER" // likewise, for the quorum
)

// Options describe a cluster.
type Options struct {
	// Brokers is how many there are, each a controller as well; 3 by default. One of
	// three may be away.
	Brokers int
	// Properties are added to server.properties of every broker and win over the
	// defaults.
	Properties map[string]string
	// Listeners are added to the one called PLAINTEXT.
	Listeners []Listener
	// Advertise returns the address under which clients are to find a broker (0 to
	// Brokers-1), such as that of a proxy in front of addr. Nil stands for addr.
	Advertise func(broker int, listener, addr string) string
	// Scram are users that exist from the start.
	Scram []ScramUser
	// Racks puts broker n into rack "rack-n" and lets clients read from replicas in
	// their own.
	Racks bool
	// Classpath is put in front of Kafka's own.
	Classpath string
	// Dir holds data and logs. By default it is a temporary directory, which Close
	// removes.
	Dir string
}

// Listener is a further way into the brokers.
type Listener struct {
	Name     string // such as SASL_SSL or LOGIN; capital letters
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	// Properties are prefixed with listener.name.<name>. in server.properties.
	Properties map[string]string
}

// ScramUser is a user of SASL SCRAM.
type ScramUser struct {
	Name, Password string
	Mechanism      string // SCRAM-SHA-256 or SCRAM-SHA-512
}

// Cluster is a running Apache Kafka. Its methods may be called from any goroutine.
type Cluster struct {
	options Options
	id      string
	dir     string
	own     bool   // dir is removed by Close
	archive string // the flag of the JVM about its archive of classes; may be empty
	brokers []*broker
	ports   []*porttest.Port // theirs, also of those that are down
}

// Start runs a cluster and returns when all of its brokers take requests.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	archive := ""
	if o.Classpath == "" { // it is of no use to another one
		if file, err := classes(); err == nil {
			archive = "-XX:SharedArchiveFile=" + file
		}
	}
	return start(ctx, o, archive)
}

// start is Start with the flag for the archive of classes.
func start(ctx context.Context, o Options, archive string) (*Cluster, error) {
	if o.Brokers == 0 {
		o.Brokers = 3
	}
	c := &Cluster{options: o, id: "kafka-firehose-test-00", dir: o.Dir, archive: archive}
	if c.dir == "" {
		dir, err := os.MkdirTemp("", "kafkatest-")
		if err != nil {
			return nil, err
		}
		c.dir, c.own = dir, true
	}
	if err := c.prepare(); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.each(func(b *broker) error { return b.format(ctx, c) }); err != nil {
		c.Close()
		return nil, fmt.Errorf("format the disks of Apache Kafka: %w", err)
	}
	if err := c.each(func(b *broker) error { return b.launch(ctx, c) }); err != nil {
		c.Close()
		return nil, fmt.Errorf("start Apache Kafka: %w", err)
	}
	return c, nil
}

// prepare chooses addresses and writes the configurations.
func (c *Cluster) prepare() error {
	for n := range c.options.Brokers {
		b := &broker{id: n + 1, dir: filepath.Join(c.dir, strconv.Itoa(n)), addrs: map[string]string{}}
		if err := os.MkdirAll(b.dir, 0o755); err != nil {
			return err
		}
		c.brokers = append(c.brokers, b)
		for _, l := range c.listeners() {
			port, err := porttest.Reserve()
			if err != nil {
				return err
			}
			c.ports = append(c.ports, port)
			b.addrs[l.Name] = port.Addr()
		}
	}
	for _, b := range c.brokers {
		if err := os.WriteFile(b.config(), c.render(b), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// listeners returns the listeners of a broker: the two that every cluster has, then those of the options.
func (c *Cluster) listeners() []Listener {
	own := []Listener{{Name: plaintext, Protocol: plaintext}, {Name: controller, Protocol: plaintext}}
	return append(own, c.options.Listeners...)
}

func (c *Cluster) advertised(b *broker, listener string) string {
	if c.options.Advertise == nil {
		return b.addrs[listener]
	}
	return c.options.Advertise(b.id-1, listener, b.addrs[listener])
}

// each runs f for all brokers at once.
func (c *Cluster) each(f func(*broker) error) error {
	errs := make([]error, len(c.brokers))
	var all sync.WaitGroup
	for i, b := range c.brokers {
		all.Go(func() { errs[i] = f(b) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Addrs are the addresses at which clients find the brokers of a listener, as
// host:port.
func (c *Cluster) Addrs(listener string) (addrs []string) {
	for _, b := range c.brokers {
		addrs = append(addrs, c.advertised(b, listener))
	}
	return addrs
}

// Addr is the address on which broker n listens, which may differ from the advertised one.
func (c *Cluster) Addr(n int, listener string) string { return c.brokers[n].addrs[listener] }

// NodeID is the id of broker n in Kafka's own answers.
func (c *Cluster) NodeID(n int) int32 { return int32(c.brokers[n].id) }

// LogFile is what broker n has to say, for a test that failed.
func (c *Cluster) LogFile(n int) string { return c.brokers[n].logFile() }

// Close kills the brokers and removes their files.
func (c *Cluster) Close() {
	_ = c.each(func(b *broker) error { return b.kill() })
	for _, p := range c.ports {
		p.Release()
	}
	c.ports = nil
	if c.own {
		_ = os.RemoveAll(c.dir)
	}
}
