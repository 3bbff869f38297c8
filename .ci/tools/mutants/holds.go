package main

// holds are streams whose destination is late: nothing new is sent to them.
func holds() []mutant {
	const (
		held  = "a stream is held while its destination is late"
		blind = "missing values and failures of CloudWatch hold nothing"
	)
	return []mutant{
		{
			held, "records are packed although their stream is held",
			"connector/batcher.go", " && !b.sendsNothing() && len(b.waiting)", " && len(b.waiting)",
			"connector/e2e", "TestHeldStreamIsLeftCleanly", "records were sent while the stream was held",
		},
		{
			held, "a stream whose records were dropped continues like one whose records were delivered",
			"connector/destination/state.go", "		return s.isGone(a, pauseAfter) && !doubtful\n", "		return s.isGone(a, pauseAfter)\n",
			"connector/destination", "TestStep", "\"released\", want \"probe\"",
		},
		{
			held, "a young record counts as a proof that the destination takes records again",
			"connector/destination/state.go", "	case s.probedAt.IsZero():\n", "	case true:\n",
			"connector/destination", "TestStep", "\"released\", want \"\"",
		},
		{
			held, "a failure of CloudWatch releases a stream",
			"connector/destination/state.go", "		return now.Sub(s.last.At) >= Retention\n", "		return true\n",
			"connector/destination", "TestStep", "\"released\", want \"\"",
		},
		{
			held, "a probe lets everything through",
			"connector/batcher.go", `		b.destination.NoteSent()
`, "",
			"connector/e2e", "TestHoldOutlivesItsProcess", "records were sent to try the destination",
		},
		{
			held, "a process that begins does not look back",
			"connector/destination/watch.go", "		window = lookback\n", "",
			"connector/destination", "TestLookback", "want it held, and a probe",
		},
		{
			blind, "a value counts however old it is",
			"connector/destination/state.go", "	if now.Sub(v.At) >= valueLife {\n", "	if false {\n",
			"connector/destination", "TestStep", "\"held\", want \"\"",
		},
		{
			blind, "CloudWatch is asked for more than it takes",
			"connector/destination/query.go", "slices.Chunk(queries, maxQueries)", "slices.Chunk(queries, 2*maxQueries)",
			"connector/destination", "TestManyStreams", "Queries:0 Values:0 Code:ValidationError",
		},
	}
}

// atRisk are the records that Firehose may drop: they are named, and no others.
func atRisk() []mutant {
	const named = "dropped records are named with the command that sends them again"
	return []mutant{
		{
			named, "the command begins when Firehose accepted the first record, and not before",
			"connector/destination/replayhint.go", "d.From.Add(-replayMargin)", "d.From",
			"connector/destination", "TestReplayHint", "has no  stream=s001",
		},
		{
			named, "a process that begins in an outage names the rest of it alone",
			"connector/destination/drops.go", "			s.dropping = d.mergedWith(s.dropping)\n", "			s.dropping = s.dropping.mergedWith(Drop{})\n",
			"connector/destination", "TestDropBeforeTheProcess/in_the_drop", "has no  stream=s001",
		},
		{
			named, "a drop that was over when the process began is forgotten",
			"connector/destination/watch.go", "		w.lookForDrops(ctx)\n", "		w.history = nil\n",
			"connector/destination", "TestDropBeforeTheProcess/a_week_later", "has no  stream=s001",
		},
		{
			named, "the command leaves out what other processes have sent to try the destination",
			"connector/destination/drops.go", "max(cmp.Or(r.held, r.packed.Load()), r.polled.Load())", "cmp.Or(r.held, r.packed.Load())",
			"connector/destination", "TestReplayOfAHold", "has no replay",
		},
		{
			named, "the command sends what came after the hold, too",
			"connector/destination/drops.go", "cmp.Or(r.held, r.packed.Load())", "r.packed.Load()",
			"connector/destination", "TestReplayOfAHold", "has no replay",
		},
		{
			named, "a batch that tried the destination in vain counts as another outage",
			"connector/destination/history.go", " && h.succeededBetween(h.dropping[i-1].At, v.At)", "",
			"connector/destination", "TestDropBeforeTheProcess/a_week_later", "or more",
		},
		{
			named, "the command sends the records of other streams, too",
			"connector/handler.go", "		topics[stream] = append(topics[stream], topic)\n", "		topics[c.cfg.Firehose.Stream] = append(topics[c.cfg.Firehose.Stream], topic)\n",
			"connector", "TestTopicsOfAStream", `want \["other"\]`,
		},
		{
			named, "records are called at risk that were never sent",
			"connector/destination/state.go", "s.Freshness.At.Add(-s.LateBy()), s.Since\n", "s.Freshness.At.Add(-s.LateBy()), s.Freshness.At\n",
			"connector/destination", "TestAtRisk", "held: ",
		},
	}
}
