package main

// bounds are limits that don't hold: of requests and of repetition.
func bounds() []mutant {
	const (
		limits  = "limits are checked before a record is added"
		backoff = "nothing spins"
	)
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
			"connector/convert/convert.go", "	return MaxRecordBytes\n", "	return MaxRecordBytes + 1\n",
			"connector/convert", "TestSize", "102400[01] bytes",
		},
		{
			limits, "an aggregated record has no limit",
			"connector/batch/builder.go", "int(r.values) < b.pack.Values && ", "",
			"connector", "TestAggregation", "values in a record, Firehose takes apart 500",
		},
		{
			backoff, "an outage is probed a hundred times as often",
			"connector/firehose/breaker.go", "	b.probeAt = now.Add(b.delay(fatal))\n", "	b.probeAt = now.Add(b.delay(fatal) / 100)\n",
			"connector", "TestFifteenSecondOutage", "requests in second \\d+ of the outage",
		},
		{
			backoff, "refused records are sent again at once",
			"connector/firehose/deliver.go", "	return rand.N(most)\n", "	return rand.N(most) * 0\n",
			"connector/firehose", "TestRefusedRecordsAreNotHammered", "requests in a minute",
		},
		{
			backoff, "a blocked stream is asked as often as one that is down",
			"connector/firehose/breaker.go", "	if fatal {\n		d := min", "	if false {\n		d := min",
			"connector/firehose", "TestBlockedThenRecovers", "requests in an hour",
		},
		{
			backoff, "fetch errors are polled a hundred times as fast",
			"connector/kafka/source.go", "pause(ctx, 250*time.Millisecond)", "pause(ctx, 2500*time.Microsecond)",
			"connector", "TestFetchErrorsAreNotAskedForInALoop", "fetches in a minute",
		},
	}
}
