// Package kafkatest runs Apache Kafka for tests: real brokers as processes of
// this machine, on loopback ports, in KRaft mode.
//
// # Usage
//
//	func TestApacheSomething(t *testing.T) {
//		kafkatest.Require(t)
//		c, err := kafkatest.Start(t.Context(), kafkatest.Options{})
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer c.Close()
//		... kgo.SeedBrokers(c.Addrs("PLAINTEXT")...) ...
//		c.Kill(1)   // SIGKILL
//		c.Launch(ctx, 1) // and back, with its log
//	}
//
// The jars come from Maven's own repository, once, into the user's cache
// directory; pom.xml says which, jars.sha256 holds their hashes. With APACHE_KAFKA_RELEASE=3.9
// they are those of older/pom.xml. Beside them the
// first cluster leaves what the next ones start faster with. A cluster of three
// takes some seconds to start and about 1 GB of memory. It needs Java 17 or later
// and, for the first time, Maven.
//
// The defaults are those of a cluster that loses nothing (three replicas, two of
// them in sync before an acknowledgement), with timeouts that let a test see a
// dead broker replaced within seconds.
package kafkatest
