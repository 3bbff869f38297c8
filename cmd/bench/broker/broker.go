// Package broker is the Kafka of the benchmarks: a process of its own that fills a topic,
// serves it, and is told through its standard input when to let the readers begin.
package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"kafka-firehose/connector/kafka/kafkatest"
	"kafka-firehose/connector/schema/glue/gluetest"
)

// Topic is the one that is filled.
const Topic = "bench"

// Options are what is in the topic.
type Options struct {
	Apache     bool   // on Apache Kafka instead of kfake
	Codec      string // none or zstd
	Format     string // one of the formats
	Size       int    // of a value, in bytes
	Partitions int
	Bytes      int64 // of all values
	BatchBytes int   // of a batch of the log, before compression
	Seed       uint64
	// AccessKey and SecretKey are the credentials that AWS Glue takes.
	AccessKey, SecretKey string
}

// The formats of values.
const (
	JSON     = "json"
	Avro     = "avro"     // in Confluent's framing
	Glue     = "glue"     // Avro in AWS Glue's framing
	Debezium = "debezium" // change events in JSON
)

// GlueRegion is the region of AWS Glue.
const GlueRegion = gluetest.Region

// What a broker says of itself, a line each.
const (
	sayAddress  = "brokers "  // comma separated
	sayRegistry = "registry " // its URL
	SayHeld     = "held"      // a fetch came after Hold, and waits
)

// The commands that it takes, a line each.
const (
	Hold    = "hold" // let no fetch through
	Release = "go"   // let them all through
)

// cluster is either Kafka.
type cluster interface {
	addrs() []string
	// hold keeps fetches back until release is closed, and calls held when the first has come.
	hold(release <-chan struct{}, held func())
	close()
}

// Run fills the topic, says where it is, and does what in says until that ends.
func Run(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	c, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer c.close()
	if err := load(ctx, c.addrs(), o); err != nil {
		return fmt.Errorf("fill the topic: %w", err)
	}
	if registry := o.registry(); registry != nil {
		url, err := serve(registry)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s%s\n", sayRegistry, url)
	}
	fmt.Fprintf(out, "%s%s\n", sayAddress, strings.Join(c.addrs(), ","))
	var release chan struct{}
	commands := bufio.NewScanner(in)
	for commands.Scan() {
		switch commands.Text() {
		case Hold:
			release = make(chan struct{})
			c.hold(release, func() { fmt.Fprintln(out, SayHeld) })
		case Release:
			close(release)
		}
	}
	return commands.Err()
}

func open(ctx context.Context, o Options) (cluster, error) {
	if o.Apache {
		c, err := kafkatest.Start(ctx, kafkatest.Options{Brokers: 1, Properties: map[string]string{"offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1"}})
		return apache{c}, err
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	return fake{c}, err
}

type fake struct{ *kfake.Cluster }

func (f fake) addrs() []string { return f.ListenAddrs() }
func (f fake) close()          { f.Close() }

func (f fake) hold(release <-chan struct{}, held func()) {
	told := false
	f.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		select {
		case <-release:
			return nil, nil, false // and is not asked again
		default:
		}
		f.KeepControl()
		if !told {
			told = true
			held()
		}
		f.SleepControl(func() { <-release })
		return nil, nil, false
	})
}

type apache struct{ *kafkatest.Cluster }

func (a apache) addrs() []string { return a.Addrs("PLAINTEXT") }
func (a apache) close()          { a.Close() }

// hold can't keep a real broker from answering: what a reader does to start is measured, too.
func (a apache) hold(_ <-chan struct{}, held func()) { held() }

// registry returns a registry with the schema of the values, nil for values without one.
func (o Options) registry() http.Handler {
	switch o.Format {
	case Avro:
		r := srfake.NewRegistry()
		r.SeedSchema(Topic+"-value", 1, 1, sr.Schema{Schema: Schema})
		return r.Handler()
	case Glue:
		r := gluetest.New(o.AccessKey, o.SecretKey)
		r.Add(glueVersion, "AVRO", Schema)
		return r
	}
	return nil
}

func serve(handler http.Handler) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // until the process ends
	return "http://" + listener.Addr().String(), nil
}

// Greeting reads what a broker says first.
func Greeting(next func() (string, error)) (brokers, registry string, err error) {
	for brokers == "" && err == nil {
		var line string
		line, err = next()
		if rest, ok := strings.CutPrefix(line, sayRegistry); ok {
			registry = rest
		} else if rest, ok := strings.CutPrefix(line, sayAddress); ok {
			brokers = rest
		} else if err == nil {
			err = errors.New("the broker said " + line)
		}
	}
	return brokers, registry, err
}
