package main

import "slices"

// buffers are memory without a bound, and memory that is used for two things at once.
func buffers() []mutant { return slices.Concat(unbounded(), usedTwice(), convertedAhead()) }

func unbounded() []mutant {
	const memory = "memory is bounded"
	return []mutant{
		{
			memory, "it polls without room",
			"connector/poller.go", `	least, empty, tight := r.budget.pipeline, true, false
`, "	least, empty, tight := r.budget.pipeline, true, false\n	if empty {\n		return maxPoll\n	}\n",
			"connector/e2e", "TestOneStreamDown", "bytes held, the bound is",
		},
		{
			memory, "what the client holds beyond its quarter is not taken off the pipelines",
			"connector/poller.go", "min(beyond, lentShare.of(r.budget.pipeline))", "min(beyond, 0)",
			"connector", "TestDivide", "the pipelines gave up",
		},
		{
			memory, "what is converted ahead is not taken off the pipelines",
			"connector/budget.go", "/streams - int64(b.ahead)\n", "/streams\n",
			"connector", "TestMemoryIsDivided", "ahead and \\d+ each, \\d+ in all",
		},
		{
			memory, "a partition may run away from its commit",
			"connector/kafka/pause.go", "	if p.paused || n < limit {", "	if p.paused || n < limit || true {",
			"connector/e2e", "TestStuckRecord", "records wait behind the stuck one",
		},
		{
			memory, "a partition behind a record that does not settle keeps a span for each batch",
			"connector/offset/lease.go", "		l.mergeSettled(s)\n", "",
			"connector/offset", "TestSettledSpansAreMerged", "spans after \\d+ batches",
		},
		{
			memory, "settled spans are merged without their records",
			"connector/offset/lease.go", "		l.spans[from].records += later.records\n", "",
			"connector/offset", "TestSettledSpansAreMerged", "settled, \\d+ spans; want",
		},
		{
			memory, "a pipeline that is the only one reads as far ahead as there is memory",
			"connector/budget.go", "min(max(queueShare.of(pipeline), minQueue), pipeline)", "pipeline",
			"connector", "TestQueueBytes", "bytes queued, want",
		},
	}
}

// What is sent is what was read: memory that serves two things at once.
const sent = "what is sent is what was read"

func usedTwice() []mutant {
	return []mutant{
		{
			sent, "the buffer of a request is given to the next one before it was sent",
			"connector/firehose/putbatch/exchange.go", "	sum := sha256.Sum256(x.body)", "	x.pool.Put(x.body)\n	sum := sha256.Sum256(x.body)",
			"connector/firehose/putbatch", "TestBodiesDoNotShareABuffer", "a body has records of another request",
		},
		{
			sent, "a buffer is given to the next request while the connection may still read it",
			"connector/firehose/putbatch/wire.go", "w.tries.Load() == w.wrote.Load()", "w.tries.Load() >= w.wrote.Load()",
			"connector/firehose/putbatch", "TestBodiesBeingWrittenAreKept", "a body has records of another request|while that is being written",
		},
		{
			sent, "the client gets the memory of records back that wait for the next batch",
			"connector/batcher.go", `		gone.recycleRecords()
`, `		c.recycleRecords()
`,
			"connector/e2e", "TestRecordsGoBack", "committed \\d+, want|were not delivered",
		},
		{
			sent, "a letter has the memory of its record, which the client gets back",
			"connector/deadletter/letter.go", `		return buf[from:len(buf):len(buf)]
`, `		_ = from
		return b
`,
			"connector/e2e", "TestLetterKeepsItsValue", "the letter has lost its value",
		},
		{
			sent, "the buffer of a batch serves the next one while records of it are left",
			"connector/batch/batch.go", "	if n > 0 && w.left.Add(-int64(n)) == 0 {\n", "	if n > 0 {\n		w.giveBack()\n	}\n	if n > 0 && w.left.Add(-int64(n)) == 0 {\n",
			"connector/batch", "TestBuffersAreNotSharedWhileTheyAreUsed", "record \\d+ has changed",
		},
		{
			sent, "what didn't fit into a batch goes to the end of the queue",
			"connector/queue.go", "slices.Concat(fetched, q.fetched[q.head:]), 0", "slices.Concat(q.fetched[q.head:], fetched), 0",
			"connector", "TestQueue", "the queue is ",
		},
	}
}

func convertedAhead() []mutant {
	return []mutant{
		{
			sent, "cores change records that are converted ahead for one another",
			"connector/parallelconverter.go", "AppendWithin(part, v.record,", "AppendWithin(part, a.round[min(i^1, len(a.round)-1)].record,",
			"connector/e2e", "TestOrderOfWhatIsConvertedAhead", "records came out of order",
		},
		{
			sent, "what was converted ahead of a record that was given up is sent for the next",
			"connector/parallelconverter.go", "a.round[a.at].record != r {", "a.round[a.at].record == nil {",
			"connector", "TestAheadAgainstOneByOne", "ahead of its turn",
		},
		{
			sent, "what was converted ahead of a lost partition is sent for what comes to lie there",
			"connector/batcher.go", `		b.parallel.discardOutput() //`, "		//",
			"connector", "TestAheadForgetsWhatWasLost", "it sealed",
		},
		{
			sent, "what could not be converted ahead is sent empty",
			"connector/parallelconverter.go", "			v.part = inTurn\n", "			v.part = 0\n",
			"connector/e2e", "TestOrderOfWhatIsConvertedAhead", "40000 records were stored, want 39960",
		},
	}
}
