package main

const seen = "what lasts is seen, with its age and its count"

// recordAges are what /status says of the records in memory.
func recordAges() []mutant {
	return []mutant{
		{
			seen, "the age of a partition leaves out records that wait for the check of their stream",
			"connector/kafka/status.go", "waits && (", "waits && false && (",
			"connector/e2e", "TestUnusableStreamHoldsItsRecords/missing", "is in memory for 0 s",
		},
		{
			seen, "the age of a partition leaves out a record whose conversion hangs",
			"connector/queue.go", "		polls[q.taken.lease] = q.taken.polled\n", "",
			"connector/e2e", "TestAgeOfHangingRecord", "0 partitions have an old record",
		},
		{
			seen, "the age of records that are packed is that of the next ones",
			"connector/batcher.go", "			b.queue.finishRecords()\n", "",
			"connector/e2e", "TestAgeOfHangingRecord", "s after the commit of all",
		},
		{
			seen, "the age of a partition leaves out records that were set aside",
			"connector/queue.go", "		polls[a.lease] = a.fetched[0].polled\n", "		_ = a\n",
			"connector", "TestQueueSetsAside", "was polled at \\d+, want",
		},
	}
}

// lastingFaults are what /status and /readyz say of a process in which something lasts, and what that costs.
func lastingFaults() []mutant {
	return []mutant{
		{
			seen, "the checks of a stream that can't be used are not counted",
			"connector/fault.go", "		f.failures = int(l.check.failures.Load())\n", "",
			"connector/e2e", "TestUnusableStreamHoldsItsRecords/missing", "says that 0 attempts failed",
		},
		{
			seen, "/status looks at each partition once for each partition",
			"connector/status.go", "		one := status.Partition{\n", "		_ = c.source.PartitionStatuses(queued)\n		one := status.Partition{\n",
			"connector/e2e", "TestCostOfStatus", "of one core, want more than nothing",
		},
		{
			seen, "/readyz of a process that is not ready leaves out what holds no records back",
			"connector/health.go", "append(errs, notes...)...", "errs...",
			"connector/e2e", "TestReadinessHasEveryFault", "want the stream and then the runtime settings",
		},
		{
			seen, "/readyz does not say since when a reason holds",
			"connector/health.go", "		if !f.harmless && !f.lossy {\n			errs = append(errs, f.lines())", "		if !f.harmless && !f.lossy {\n			errs = append(errs, f.err)",
			"connector/e2e", "TestStandingRegistry", "readiness does not say since when it holds that the Schema Registry",
		},
		{
			seen, "a fault that lasts is told every four minutes",
			"connector/fault.go", "	faultTold = time.Minute\n", "	faultTold = 4 * time.Minute\n",
			"connector/e2e", "TestStandingFaults", "0 lines tell of it in minutes 2 to 4",
		},
		{
			seen, "a fault that changes its kind begins again",
			"connector/fault.go", "	case first.IsZero(), !f.since.IsZero() && f.since.Before(first):", "	case !f.since.IsZero():",
			"connector", "TestFaultSince", "seen before: since",
		},
		{
			seen, "records of requests that failed as a whole count as refused one by one",
			"connector/status.go", ", RefusedRecords: t.Refused,", ", RefusedRecords: t.Offered.Records - t.Accepted.Records,",
			"connector/e2e", "TestStatus", "no record was refused by itself",
		},
	}
}
