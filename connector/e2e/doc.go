// Package e2e tests the whole path of a record, from a Kafka to a Firehose, by promise: nothing is
// lost, revoked partitions are fenced, memory is bounded, every stop is a drain. Its cases run in
// virtual time on an embedded Kafka, and as processes; those whose names begin with TestApache run
// on Apache Kafka as well.
package e2e
