package kafkatest

import (
	"fmt"
	"os"
	"path/filepath"
)

// tools are Kafka's command line tools, by the names of their scripts.
var tools = map[string]string{
	"kafka-acls.sh":             "org.apache.kafka.tools.AclCommand",
	"kafka-configs.sh":          "org.apache.kafka.tools.ConfigCommand",
	"kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
	"kafka-consumer-groups.sh":  "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-dump-log.sh":         "org.apache.kafka.tools.DumpLogSegments",
	"kafka-topics.sh":           "org.apache.kafka.tools.TopicCommand",
	"kafka-transactions.sh":     "org.apache.kafka.tools.TransactionsCommand",
}

// WriteTools writes scripts into a directory that are called like those of Kafka's archive, and run the same classes of the
// newest release.
func (c *Cluster) WriteTools(dir string) error {
	r, err := chosen()
	if err != nil {
		return err
	}
	from, err := jars()
	if err != nil {
		return err
	}
	for name, class := range tools {
		text := fmt.Sprintf("#!/bin/sh\nexec java -Xmx256m -XX:TieredStopAtLevel=1 -D%s=file:%s -cp '%s' %s \"$@\"\n",
			r.loggingProperty, filepath.Join(from, r.loggingFile), filepath.Join(from, "*"), class)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil { //nolint:gosec // it is a program
			return err
		}
	}
	return nil
}
