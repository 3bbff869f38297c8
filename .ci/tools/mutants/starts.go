package main

// starts are waits that a start does not need, and records that are sent before the check of their stream.
func starts() []mutant {
	const (
		beside  = "the check of a stream runs beside the group's join"
		checked = "no record is sent before the check of its stream"
	)
	return []mutant{
		{
			beside, "the first request waits at random",
			"connector/preflight/streamcheck.go", `	if err := retry.Sleep(ctx, c.Delay); err != nil {
`, `	if err := retry.Sleep(ctx, c.Delay+rand.N(2*time.Second)); err != nil {
`,
			"connector/e2e", "TestStartWithoutWaits/check", "the first record was accepted after .*, want 10ms",
		},
		{
			beside, "requests that are throttled are repeated at once",
			"connector/firehose/describe.go", "rand.N(time.Second<<attempt)*time.Duration(min(attempt, 1))", "0*time.Duration(attempt)",
			"connector/preflight", "TestCheckQuota", "different times",
		},
		{
			checked, "records are converted before it has passed",
			"connector/batcher.go", "	for !b.check.held.Load() && !b.sendsNothing() && len", "	for len",
			"connector/e2e", "TestCheckHoldsRecords/throttled_for_a_minute", "records were sent and",
		},
		{
			checked, "a stream that can't be used ends those that can",
			"connector/streamcheck.go", "len(unusable) == len(c.pipelines)", "len(unusable) > 0",
			"connector/e2e", "TestUnusableStreamHoldsItsRecords/missing", "s does not exist|waited|stored",
		},
		{
			checked, "a stream that can't be used is never checked again",
			"connector/streamcheck.go", "		check.Delay = preflight.RecheckDelay()\n", "		return\n",
			"connector/e2e", "TestUnusableStreamHoldsItsRecords/missing", "not ready a minute after",
		},
	}
}
