package kafkatest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// defaults are the settings that differ from Apache Kafka's own: small, quick to
// notice trouble, and as safe as production should be.
func defaults(brokers int) map[string]string {
	replicas, inSync := min(brokers, 3), min(brokers, 2)
	n := strconv.Itoa
	return map[string]string{
		"process.roles":             "broker,controller",
		"controller.listener.names": controller,

		"default.replication.factor":               n(replicas),
		"min.insync.replicas":                      n(inSync),
		"offsets.topic.replication.factor":         n(replicas),
		"offsets.topic.num.partitions":             "6",
		"transaction.state.log.replication.factor": n(replicas),
		"transaction.state.log.min.isr":            n(inSync),
		"transaction.state.log.num.partitions":     "3",
		"auto.create.topics.enable":                "false",

		"group.initial.rebalance.delay.ms":         "0",
		"group.min.session.timeout.ms":             "1000",
		"group.consumer.min.session.timeout.ms":    "1000",
		"group.consumer.session.timeout.ms":        "6000",
		"group.consumer.min.heartbeat.interval.ms": "300",
		"group.consumer.heartbeat.interval.ms":     "500",

		"broker.heartbeat.interval.ms":          "500",
		"broker.session.timeout.ms":             "6000",
		"controller.quorum.election.timeout.ms": "1000",
		"controller.quorum.fetch.timeout.ms":    "3000",
		"replica.lag.time.max.ms":               "10000",
		"replica.fetch.wait.max.ms":             "200",

		"num.network.threads": "2", "num.io.threads": "4", "background.threads": "2",
		"num.recovery.threads.per.data.dir": "2", "log.cleaner.threads": "1",
		"log.retention.check.interval.ms": "1000", "log.cleaner.backoff.ms": "500",
	}
}

// render is the server.properties of a broker.
func (c *Cluster) render(b *broker) []byte {
	p := defaults(c.options.Brokers)
	p["node.id"] = strconv.Itoa(b.id)
	p["log.dirs"] = b.data()
	if c.options.Racks {
		p["broker.rack"] = b.rack()
		p["replica.selector.class"] = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
	}
	var listeners, advertised, protocols, voters []string
	for _, l := range c.listeners() {
		listeners = append(listeners, l.Name+"://"+b.addrs[l.Name])
		protocols = append(protocols, l.Name+":"+l.Protocol)
		if l.Name != controller {
			advertised = append(advertised, l.Name+"://"+c.advertised(b, l.Name))
		}
		for k, v := range l.Properties {
			p["listener.name."+strings.ToLower(l.Name)+"."+k] = v
		}
	}
	for _, o := range c.brokers {
		voters = append(voters, fmt.Sprintf("%d@%s", o.id, o.addrs[controller]))
	}
	p["listeners"] = strings.Join(listeners, ",")
	p["advertised.listeners"] = strings.Join(advertised, ",")
	p["listener.security.protocol.map"] = strings.Join(protocols, ",")
	p["inter.broker.listener.name"] = plaintext
	p["controller.quorum.voters"] = strings.Join(voters, ",")
	maps.Copy(p, c.options.Properties)

	var out bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(p)) {
		// A backslash escapes in this format; so do line ends.
		fmt.Fprintf(&out, "%s=%s\n", k, strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(p[k]))
	}
	return out.Bytes()
}
