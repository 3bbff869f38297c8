package main

// bounds are limits of requests that don't hold.
func bounds() []mutant {
	const limits = "limits are checked before a record is added"
	return []mutant{
		{
			limits, "bytes are not counted",
			"connector/batch/builder.go", "b.open.bytes+size > b.limits.Bytes || !joins", "!joins",
			"connector/batch", "TestEdges", "above the byte limit: ",
		},
		{
			limits, "records are not counted",
			"connector/batch/builder.go", "	b := &Builder{limits: l, pack: a}\n", "	l.Records *= 2\n	b := &Builder{limits: l, pack: a}\n",
			"connector/batch", "TestEdges", "above the record limit: ",
		},
		{
			limits, "a record may be a byte too large",
			"connector/convert/convert.go", "	return batch.MaxRecordBytes\n", "	return batch.MaxRecordBytes + 1\n",
			"connector/convert", "TestSize", "102400[01] bytes",
		},
		{
			limits, "an aggregated record has no limit",
			"connector/batch/builder.go", "int(r.values) < b.pack.Values && ", "",
			"connector/e2e", "TestAggregation", "records have more values than the 500",
		},
	}
}

// spins are repetitions without a pause or an end.
func spins() []mutant {
	const backoff = "nothing spins"
	return []mutant{
		{
			backoff, "an outage is probed a hundred times as often",
			"connector/firehose/limiter/breaker.go", "	d := min(maxOpenDelay, minOpenDelay<<doublings)\n", "	d := min(maxOpenDelay, minOpenDelay<<doublings) / 100\n",
			"connector/e2e", "TestFifteenSecondOutage", "requests in second \\d+ of the outage",
		},
		{
			backoff, "refused records are sent again at once",
			"connector/firehose/finish.go", `	return rand.N(backoff`, "	return 0 * rand.N(backoff",
			"connector/firehose", "TestRefusedRecordsAreNotHammered", "requests in a minute",
		},
		{
			backoff, "a blocked stream is asked as often as one that is down",
			"connector/firehose/limiter/breaker.go", "	if blocked {\n		d := min", "	if false {\n		d := min",
			"connector/firehose", "TestBlockedThenRecovers", "requests in an hour",
		},
		{
			backoff, "requests that never get an answer are sent in full for ever",
			"connector/firehose/limiter/lostanswers.go", "l.halvings = min(maxHalvings, max(l.halvings+1, l.before))", "l.halvings = 0",
			"connector/firehose", "TestAnswersThatDontCome/something_that_ends_large_requests", "records are delivered after",
		},
		{
			backoff, "a registry that throttles is asked for every schema",
			"connector/schema/registry.go", "ok && t.throttled {", "ok && t.throttled && false {",
			"connector/schema", "TestThrottledShare", "requests in ten seconds",
		},
		{
			backoff, "fetch errors are polled a hundred times as fast",
			"connector/kafka/source.go", "retry.Sleep(ctx, 250*time.Millisecond)", "retry.Sleep(ctx, 2500*time.Microsecond)",
			"connector/e2e", "TestFetchErrorsAreNotAskedForInALoop/passes", "fetches in a minute",
		},
	}
}

// inputs are records that nobody should be able to write.
func inputs() []mutant {
	const (
		alive = "nothing that is read crashes the process"
		exact = "what is delivered is what was read"
	)
	return []mutant{
		{
			alive, "nobody weighs what a message in Protobuf becomes",
			"connector/convert/protobuf/read.go", "	if len(payload) > light ||", "	if len(payload) > 1<<30 ||",
			"connector/convert/protobuf", "TestMemory", "after \\d+ MiB; want it has so many parts",
		},
		{
			alive, "a record that a decoder can't cope with takes the process down",
			"connector/convert/guard.go", `	defer recoverError(&err)
	return g.Schema`, "	return g.Schema",
			"connector/convert", "TestPanics", "slice bounds out of range",
		},
		{
			exact, "a field that comes again is written again",
			"connector/convert/protobufjson/reader.go", `		if fields.markSeen(f.at) || `, `		if fields.markSeen(f.at) && false || `,
			"connector/convert/protobufjson", "TestProtoRead", "is there twice",
		},
	}
}
