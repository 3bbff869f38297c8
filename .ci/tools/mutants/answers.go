package main

// answers are readings of what Firehose says that prove nothing, or forget what
// they prove.
func answers() []mutant {
	const (
		proved  = "success is proved, never assumed"
		byIndex = "only what was refused is sent again"
		counted = "what may come twice is counted"
	)
	return []mutant{
		{
			proved, "FailedPutCount alone decides",
			"connector/firehose/putbatch/answer.go", "	a := &Answer{failed: make([]string, n)}\n", "	a := &Answer{failed: make([]string, n)}\n	if out.FailedPutCount != nil && *out.FailedPutCount == 0 {\n		return a, nil\n	}\n",
			"connector/e2e", "TestAnswersThatProveNothing/blank-entries/stored=false", "are lost",
		},
		{
			proved, "200 {} counts as accepted",
			"connector/firehose/putbatch/answer.go", "	if got != n {", "	if got == 0 {\n		return &Answer{}, nil\n	}\n	if got != n {",
			"connector/e2e", "TestAnswersThatProveNothing/empty-object/stored=false", "are lost",
		},
		{
			proved, "an answer may have fewer entries than the request had records",
			"connector/firehose/putbatch/answer.go", "got != n {", "got > n || got == 0 {",
			"connector/e2e", "TestAnswersThatProveNothing/short-answer/stored=false", "are lost",
		},
		{
			proved, "an entry without a RecordId counts as accepted",
			"connector/firehose/putbatch/answer.go", "case entry.RecordId == nil || *entry.RecordId == \"\":", "case false:",
			"connector/firehose", "TestAnswers/entries_without_code_and_id", "9 records stored, want 10",
		},
		{
			proved, "an entry's ErrorCode is not looked at",
			"connector/firehose/putbatch/answer.go", "case entry.ErrorCode != nil && *entry.ErrorCode != \"\":", "case false && entry.ErrorCode != nil:",
			"connector/firehose", "TestAnswers/entries_with_both", "9 records stored, want 10",
		},
		{
			proved, "an entry that says nothing is in the usual form of an answer",
			"connector/firehose/putbatch/answerscanner.go", "\tif !s.eatToken(`{\"RecordId\":`) && ", "\tif s.eatToken(\"{}\") {\n\t\treturn true\n\t}\n\tif !s.eatToken(`{\"RecordId\":`) && ",
			"connector/firehose", "TestAnswers/entries_without_code_and_id", "9 records stored, want 10",
		},
		{
			proved, "an answer that was cut is in the usual form, as far as it came",
			"connector/firehose/putbatch/answerscanner.go", "ok && responses && s.atEnd()", "responses && s.atEnd()",
			"connector/firehose/putbatch", "TestUsual", "proves that 3 records were accepted, want 0",
		},
		{
			byIndex, "the whole batch is sent again",
			"connector/firehose/finish.go", `	b.RetainRecords(func(i int) bool { return a.ErrorCode(first+i) != "" })
`, `	b.RetainRecords(func(int) bool { return !a.AllAccepted() })
`,
			"connector/firehose", "TestAnswers/some_records_throttled", "18 copies stored, want 10",
		},
		{
			byIndex, "the neighbour of a refused record is sent again",
			"connector/batch/batch.go", "		if keep(i) {", "		if keep((i + 1) % len(b.records)) {",
			"connector/batch", "TestRetainKeepsTheRight", "kept ",
		},
		{
			counted, "answers that were lost on the way are not",
			"connector/firehose/finish.go", "		s.metrics.Ambiguous.Add(float64(records))\n", "",
			"connector/firehose", "TestAnswers/reset,_stored", "records_ambiguous_total",
		},
	}
}

// policies are promises about what is not the records' fault.
func policies() []mutant {
	const (
		policy  = "a policy decides about records, never about an outage"
		renewed = "refused credentials are fetched anew"
		silent  = "no payload in a log"
	)
	return []mutant{
		{
			policy, "a record that is refused alone is bad, whatever becomes of others",
			"connector/firehose/sizeproof.go", "	if own.rounds < proofRounds || now", "	if now",
			"connector/firehose", "TestProxyThatTakesNothingBlocks", "given up",
		},
		{
			renewed, "the cache keeps what was refused",
			"connector/firehose/history.go", "		s.api.InvalidateCredentials()\n", "",
			"connector/firehose", "TestExpiredCredentialsAreRenewed", "credentials were fetched 1 times",
		},
		{
			silent, "what a validation error repeats of the request is kept",
			"connector/awsconfig/text.go", `logging.SingleLine(origin.ScrubMessage(echo.ReplaceAllString(message, "Value '…' at '")))`, "logging.SingleLine(origin.ScrubMessage(message))",
			"connector/awsconfig", "TestCleanKeepsDataOut", "message is .*secret one",
		},
	}
}
