package main

// verdicts are decisions that a record is bad, or is shortened, on less than the evidence
// that deploy/docs/verdicts.md asks for.
func verdicts() []mutant {
	const (
		size = "a refusal for size is believed when all answers agree with one limit"
		gzip = "the size that admits a value is the size that is sent"

		letters = "a dead letter loses nothing on a passing answer"
	)
	return []mutant{
		{
			size, "a request as large that was accepted since contradicts nothing",
			"connector/firehose/sizeproof.go", "size >= p.refused {", "size > p.refused {",
			"connector/firehose", "TestSizeProof/one_as_large_was_accepted", "proved is true",
		},
		{
			size, "a refusal of a size that was accepted before contradicts nothing",
			"connector/firehose/sizeproof.go", "if size <= p.accepted ||", "if size < p.accepted ||",
			"connector/firehose", "TestSizeProof/one_as_small_was_refused", "proved is true",
		},
		{
			size, "nothing else has to be accepted between two refusals",
			"connector/firehose/sizeproof.go", "if alone && p.fed {", "if alone {",
			"connector/firehose", "TestSizeProof/nothing_else_was_accepted", "proved is true",
		},
		{
			size, "evidence of an hour ago counts",
			"connector/firehose/sizeproof.go", " || now.Sub(p.last) > proofGap {", " {",
			"connector/firehose", "TestSizeProof/a_gap", "proved is true",
		},
		{
			size, "a limit is believed at once",
			"connector/firehose/sizeproof.go", " && p.last.Sub(p.since) >= least", "",
			"connector/firehose", "TestProxyWithALimit", "given up too early",
		},
		{
			size, "values that would fit are given up with the record that they were packed into",
			"connector/firehose/refuse.go", " && p.batch.RecordValues(0) == 1:", ":",
			"connector/firehose", "TestProxyWithALimitBelowAggregates", "given up: 10 values",
		},
		{
			gzip, "a full record is flushed to see whether it has room",
			"connector/batch/gzip.go", " || g.bound(0) > g.most {", " {",
			"connector/batch", "TestGzipAtTheLimit", "bytes, the limit is",
		},
		{
			letters, "a limit that is not known replaces a value by a digest",
			"connector/deadletter/deliver.go", "	for w.known && large()", "	for large()",
			"connector/deadletter", "TestDigestNeedsALimit/time-out", "bytes of value, want",
		},
		{
			letters, "so does a second refusal, whatever the topic's configuration says",
			"connector/deadletter/deliver.go", "	if !agrees && !w.refusals.prove(now, l) {", "	if !agrees && false {",
			"connector/deadletter", "TestPassingRefusal", "has lost its value",
		},
		{
			letters, "a record that is not found once is gone",
			"connector/deadletter/original.go", "!missing.IsZero() && time.Since(missing) >= goneAfter", "!missing.IsZero()",
			"connector/deadletter", "TestOriginalIsGone/out_of_range_for_a_minute", "want found true",
		},
		{
			letters, "a letter has another record that is at its offset by now",
			"connector/letters.go", "	if bytes.Equal(made, sent) {", "	if true {",
			"connector", "TestRecordAtTheOffset", "want false",
		},
	}
}
