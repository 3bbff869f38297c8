package main

import "slices"

// all are the mutants, guarantee by guarantee.
func all() []mutant {
	return slices.Concat(losses(), skippedRecords(), unwrappedRecords(), samples(), claimChecks(), positions(), answers(), policies(), bounds(), buffers(), spins(), inputs(), fences(), handovers(), stoppedPartitions(), stops(), outside(), clients(), logins(), shown(), joining(), schemas(), verdicts(), origins(), strangers(), standstills(), fetches(), starts(), weather(), replays(), replayFaults(), replayRates(), holds(), atRisk(), recordAges(), lastingFaults())
}

// losses are commits that run ahead.
func losses() []mutant {
	const nothingLost = "nothing is lost"
	return []mutant{
		{
			nothingLost, "an offset is committed before its record was accepted",
			"connector/offset/lease.go", "	s.records += int64(n)\n	s.runs++\n", `	s.records += int64(n)
	s.runs++
	l.advanceMark(next, int64(n))
`,
			"connector/e2e", "TestOutageOfAnHour", "commit of \\d+, but offset \\d+ was not accepted",
		},
		{
			nothingLost, "the newest batch that settled decides, not the oldest that did not",
			"connector/offset/lease.go", "	n := 0\n	for n < len(l.spans)", `	l.advanceMark(s.next, 0)
	n := 0
	for n < len(l.spans)`,
			"connector/e2e", "TestStuckRecord", "past the record that was never accepted",
		},
		{
			nothingLost, "what Kafka says of each partition in a commit is not read",
			"connector/kafka/commit.go", "if err := kerr.ErrorForCode(p.ErrorCode); err != nil {", "if err := kerr.ErrorForCode(p.ErrorCode); err != nil && false {",
			"connector/e2e", "TestFailedCommitIsRetried", "commits were refused, want 20",
		},
		{
			nothingLost, "a commit that Kafka forgot is not sent again",
			"connector/kafka/commitloop.go", `			p.lease.ResendMark()
`, "",
			"connector/e2e", "TestForgottenCommitIsSentAgain", "committed 100, want 200",
		},
		{
			nothingLost, "the bad record that ends the process is committed",
			"connector/badrecords.go", "		return b.stopAt([]*offset.Lease{c.lease}, stop)\n", `		c.lease.SkipRecords(offset.MarkAfter(r.Offset, r.LeaderEpoch), 1)
		return b.stopAt([]*offset.Lease{c.lease}, stop)
`,
			"connector/e2e", "TestBadRecordExits", "partition 1 is committed to 26, want 25",
		},
		{
			nothingLost, "bytes that can't be decoded count as a fetch to be tried again",
			"connector/kafka/partitionerrors.go", "		reason = \"decode\"\n", "",
			"connector/e2e", "TestUndecodableBatch", "not counted as a batch that can't be decoded",
		},
		{
			nothingLost, "a record is passed over before the dead-letter topic has it",
			"connector/deadletters.go", "Done: func(bool) { span.Settle() },", "Done: func() func(bool) { span.Settle(); return func(bool) {} }(),",
			"connector/e2e", "TestDeadLetterTopicDown", "commit of \\d+, but offset \\d+ was not accepted",
		},
	}
}

// skippedRecords are records that need no delivery, or must not be sent as they are.
func skippedRecords() []mutant {
	const skips = "what needs no delivery is passed over, nothing else is"
	return []mutant{
		{
			skips, "control records are forgotten",
			"connector/batcher.go", `		if r.Attrs.IsControl() {
			b.builder.FlushRecord()
			c.lease.SkipRecords(next, 1)
`, "		if r.Attrs.IsControl() {\n",
			"connector/e2e", "TestTransactions", "committed \\d, want 5",
		},
		{
			skips, "filtered records are forgotten",
			"connector/batcher.go", "			b.skipFiltered(c, r, next)\n", "",
			"connector/e2e", "TestFilteredRecords", "committed \\d+, want 3000",
		},
		{
			skips, "a record that the filter fails for is left out as one that it is false for",
			"connector/convert/transform.go", `	case err != nil:
		return &BadRecord{Reason: FilterFailed, Size: len(t`, `	case err != nil && false:
		return &BadRecord{Reason: FilterFailed, Size: len(t`,
			"connector/convert", "TestFilter", "\"filtered\", want \"filter_failed\"",
		},
		{
			"FIREHOSE_REQUIRE_ENCRYPTION lets nothing settle that is not encrypted", "an answer that says so is a good one",
			"connector/firehose/finish.go", "s.cfg.RequireEncryption && a != nil &&", "s.cfg.RequireEncryption && a == nil &&",
			"connector/firehose", "TestRequireEncryption", "mark is 10, want 0",
		},
		{
			"the reason of a stream whose key can't be used names the key", "the key of the description is forgotten",
			"connector/firehose/finish.go", "	f.AddKey(s.key)\n", "",
			"connector/firehose", "TestUnusableKey", "might not have sufficient permissions",
		},
		{
			"a masked member is never sent", "a name with escapes is another name",
			"connector/convert/jsontext/walk.go", `	return string(UnquoteText(quoted)) == text
`, "	return string(quoted[1:len(quoted)-1]) == text\n",
			"connector/convert/mask", "TestAppend", "a=drop of",
		},
		{
			"a masked member is never sent", "a value that is not JSON is sent as it is",
			"connector/convert/transform.go", "		json, err := t.Value()\n		if err != nil {\n			return nil, err\n", "		json, err := t.Value()\n		if err != nil {\n			return nil, nil //nolint:nilerr // broken\n",
			"connector/convert", "TestMask", "planted",
		},
		{
			"a filter takes a bounded time", "a regular expression costs nothing",
			"connector/convert/filter/pattern.go", `		b.chargeCost(matchCost * len(text) * m.instructions)
`, "		_ = matchCost\n",
			"connector/convert/filter", "TestBombs", "no error",
		},
		{
			skips, "tombstones are forgotten",
			"connector/badrecords.go", `	c.lease.SkipRecords(offset.MarkAfter(r.Offset, r.LeaderEpoch), 1)
`, `	_ = offset.MarkAfter
`,
			"connector/e2e", "TestTombstonesLeaveNoLag", "committed \\d+, want 100",
		},
	}
}
