package main

// outside are breaks of what people see of Kafka: lag, open transactions.
func outside() []mutant {
	const seen = "lag, commits and the group's position don't wait for one another, and show Kafka as it is"
	return []mutant{
		{
			seen, "lag is asked on the connections of commits and heartbeats",
			"connector/kafka/lag.go", "s.lagClient.Broker", "s.client.Broker",
			"connector", "TestLagOfAHangingBroker", "committed 600 within three seconds, want 1200",
		},
		{
			seen, "a broker that hangs holds up the lag of all others",
			"connector/kafka/lag.go", "lagTimeout = 10 * time.Second", "lagTimeout = 10 * time.Hour",
			"connector", "TestLagOfAHangingBroker", "lines about it in five and a half minutes",
		},
		{
			seen, "the lag of a partition that can't be asked freezes",
			"connector/kafka/lag.go", "		s.metrics.ForgetLag(k.topic, k.partition)\n", "",
			"connector", "TestLagOfAHangingBroker", "in 6 partitions, want 400 in the 4 of other brokers",
		},
		{
			seen, "lag ends at the last stable offset",
			"connector/kafka/lag.go", "	req.ReplicaID, req.IsolationLevel = -1, isolation\n", "	req.ReplicaID, req.IsolationLevel = -1, readCommitted\n",
			"connector", "TestLagBehindAnOpenTransaction", "kafka_lag_records is 0 behind the transaction, want 401",
		},
		{
			seen, "an open transaction is told at each look",
			"connector/kafka/lag.go", "now.Sub(at.warned) >= openEvery", "now.Sub(at.warned) >= 0",
			"connector", "TestLagBehindAnOpenTransaction", "lines about it in ten minutes",
		},
		{
			seen, "a partition without a commit has no headroom",
			"connector/kafka/lag.go", "	s.metrics.SetHeadroom(k.topic, k.partition, position-start.Offset)\n", "	if p.committed >= 0 {\n		s.metrics.SetHeadroom(k.topic, k.partition, position-start.Offset)\n	}\n",
			"connector", "TestHeadroomWithoutACommit", "in 0 partitions, want 0 in 4",
		},
	}
}
