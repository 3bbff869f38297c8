package main

// fences are partitions that are given up halfway.
func fences() []mutant {
	const fenced = "a partition that went is fenced"
	return []mutant{
		{
			fenced, "its lease stays after a revoke",
			"connector/kafka/group.go", `			p.lease.Close()
			delete(s.partitions, partitionID{topic, n})
`, `			delete(s.partitions, partitionID{topic, n})
`,
			"connector/e2e", "TestNothingRevokedIsSentAgain", "were sent by a member that owns two",
		},
		{
			fenced, "a member that was thrown out keeps its partitions",
			"connector/kafka/group.go", `		l.Close() // first of all, before anything that could wait
	}
	again := countOutstanding(leases)
	s.dropPartitions(gone)
`, `		_ = l
	}
	again := countOutstanding(leases)
	s.metrics.Partitions.Set(0)
`,
			"connector/e2e", "TestLostPartitionIsFenced", "zombie-\\w+ committed 100, but kafka-firehose-\\w+ owns it|the members own",
		},
		{
			fenced, "its records stay in the attempts to come",
			"connector/firehose/compose.go", "if dropped := d.batch.DropRevoked(); dropped > 0 {", "if dropped := 0; dropped > 0 {",
			"connector/e2e", "TestNothingRevokedIsSentAgain", "were sent by a member that owns two",
		},
		{
			fenced, "only fresh batches are fenced",
			"connector/firehose/compose.go", `		if s.isSendable(now, d) {`, `		if retries || s.isSendable(now, d) {`,
			"connector/firehose", "TestFenceLeavesOutClosedLeases", "of a closed lease was sent",
		},
		{
			fenced, "marks of a lease that is closed can be committed",
			"connector/offset/lease.go", "	if l.closed.Load() || !l.marked", "	if !l.marked",
			"connector/offset", "TestLeaseAgainstModel", "mark .* true, want \\d+ false",
		},
	}
}

// handovers are partitions that are released while the member goes on.
func handovers() []mutant {
	const polite = "a rebalance repeats nothing"
	return []mutant{
		{
			polite, "a revoke inside a drain does not wait for what is in flight",
			"connector/pipeline.go", "	case <-l.stream.Ended():", "	case <-l.ended:",
			"connector/e2e", "TestRevokeInsideADrain", "0 are lost and 200 came twice",
		},
		{
			polite, "a revoke does not wait for what is in flight",
			"connector/kafka/group.go", `	late := s.awaitSettled(ctx, begin, s.handler.ReleaseLeases(leases))
`, `	late := len(s.handler.ReleaseLeases(leases)) * 0
`,
			"connector/e2e", "TestMembersComeAndGo", "[1-9]\\d* came twice",
		},
		{
			polite, "a revoke does not send what lingers",
			"connector/batcher.go", `	if b.builder.HoldsLease(of) {
		b.sealBatch()
	}
`, "",
			"connector/e2e", "TestRevokeDeliversWhatLingers", "after 3m0s 0 of 40 records are stored",
		},
		{
			polite, "a revoke does not commit",
			"connector/kafka/group.go", "	err := s.commitLast(final, leases)\n", "	err := final.Err()\n",
			"connector/e2e", "TestChurn/classic", "[1-9]\\d* came twice",
		},
		{
			polite, "a static member of KIP-848 leaves without the name of its instance",
			"connector/kafka/leave.go", "	req.InstanceID = &s.cfg.GroupInstanceID\n", "",
			"connector/e2e", "TestStaticConsumer", "the other member was rebalanced",
		},
	}
}

// stops are those that aren't drains.
func stops() []mutant {
	const drains = "every way to stop is a drain"
	return []mutant{
		{
			drains, "what is in flight is cut off",
			"connector/connector.go", `		l.signalEnd()
`, `		l.signalEnd()
		cut()
`,
			"connector/e2e", "TestMembersComeAndGo", "the drain was not clean",
		},
		{
			drains, "the group is not told",
			"connector/kafka/leave.go", "		s.client.CloseAllowingRebalance()\n", "",
			"connector/e2e", "TestDrainRunsOutOfTime", "are left in the group",
		},
	}
}

// stoppedPartitions are partitions that stand in front of a record that can't be delivered.
func stoppedPartitions() []mutant {
	const stands = "nothing of a partition passes a record that can't be delivered"
	return []mutant{
		{
			stands, "what comes behind a record that stopped its partition moves the mark",
			"connector/offset/lease.go", "	if l.ends {\n		s := &Span", "	if false {\n		s := &Span",
			"connector/offset", "TestLeaseAgainstModel", "mark .* true, want|begun \\d+ after the commit",
		},
		{
			stands, "a record that was given up settles with its batch",
			"connector/firehose/toolarge.go", `		d.batch.FailRecord(v.i)
`, `		d.batch.RetainRecords(func(j int) bool { return j != v.i })
`,
			"connector/firehose", "TestRefusedRecordStopsByDefault", "mark is 11, want 0",
		},
	}
}
