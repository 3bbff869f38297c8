package main

import "slices"

// verdicts are decisions that a record is bad, or is shortened, on less than the evidence
// that deploy/docs/verdicts.md asks for.
func verdicts() []mutant {
	return slices.Concat(sizeVerdicts(), gzipVerdicts(), letterVerdicts(), registryVerdicts(), registryBounds())
}

func sizeVerdicts() []mutant {
	const guarantee = "a refusal for size is believed when all answers agree with one limit"
	return []mutant{
		{
			guarantee, "a request as large that was accepted since contradicts nothing",
			"connector/firehose/sizeproof.go", "size >= p.refused {", "size > p.refused {",
			"connector/firehose", "TestSizeProof/one_as_large_as_another_was_accepted", "proved is true",
		},
		{
			guarantee, "a refusal of a size that was accepted before contradicts nothing",
			"connector/firehose/sizeproof.go", "if size <= p.accepted ||", "if size < p.accepted ||",
			"connector/firehose", "TestSizeProof/one_as_small_was_refused", "proved is true",
		},
		{
			guarantee, "nothing else has to be accepted between two refusals",
			"connector/firehose/sizeproof.go", "	case p.answers > own.answers:", "	default:",
			"connector/firehose", "TestSizeProof/nothing_else_was_accepted", "proved is true",
		},
		{
			guarantee, "evidence of an hour ago counts",
			"connector/firehose/sizeproof.go", " || now.Sub(p.last) > proofGap {", " {",
			"connector/firehose", "TestSizeProof/a_gap", "proved is true",
		},
		{
			guarantee, "a limit is believed at once",
			"connector/firehose/sizeproof.go", " || now.Sub(own.since) < least {", " {",
			"connector/firehose", "TestProxyWithALimit", "given up too early",
		},
		{
			guarantee, "a proof about a large record holds for smaller ones",
			"connector/firehose/sizeproof.go", " && size >= p.proved &&", " &&",
			"connector/firehose", "TestSizeProofOfAnother", "a record of 999 bytes is proved too large by",
		},
		{
			guarantee, "a proof of half a minute is one of 15 minutes",
			"connector/firehose/sizeproof.go", " && p.least >= least", "",
			"connector/firehose", "TestSizeProofOfAnother", "a proof of a minute is taken for",
		},
		{
			guarantee, "values that would fit are given up with the record that they were packed into",
			"connector/firehose/toolarge.go", " && d.batch.RecordValues(0) == 1:", ":",
			"connector/firehose", "TestProxyWithALimitBelowAggregates", "given up: 10 values",
		},
		{
			guarantee, "what was accepted before the refusals began hides that nothing is any more",
			"connector/firehose/toolarge.go", "others := s.history.progress.accepted > d.size.at && ", "others := ",
			"connector/firehose", "TestProxyThatTakesNothingMore", "not blocked",
		},
	}
}

func gzipVerdicts() []mutant {
	const guarantee = "the size that admits a value is the size that is sent"
	return []mutant{
		{
			guarantee, "a full record is flushed to see whether it has room",
			"connector/batch/gzip.go", " || g.maxSize(0) > g.most {", " {",
			"connector/batch", "TestGzipAtTheLimit", "bytes, the limit is",
		},
	}
}

func letterVerdicts() []mutant {
	const guarantee = "a dead letter loses nothing on a passing answer"
	return []mutant{
		{
			guarantee, "a limit that is not known replaces a value by a digest",
			"connector/deadletter/deliver.go", "	for w.known && large()", "	for large()",
			"connector/deadletter", "TestDigestNeedsALimit/time-out", "bytes of value, want",
		},
		{
			guarantee, "so does a second refusal, whatever the topic's configuration says",
			"connector/deadletter/deliver.go", `	if !agrees && !w.refusals.proveTooLarge(now, l) {`, "	if !agrees && false {",
			"connector/deadletter", "TestPassingRefusal", "has lost its value",
		},
		{
			guarantee, "a record that is not found once is gone",
			"connector/deadletter/original.go", "!missing.IsZero() && time.Since(missing) >= goneAfter", "!missing.IsZero()",
			"connector/deadletter", "TestOriginalIsGone/out_of_range_for_a_minute", "want found true",
		},
		{
			guarantee, "a letter has another record that is at its offset by now",
			"connector/deadletters.go", "	if bytes.Equal(made, sent) {", "	if true {",
			"connector", "TestRecordAtTheOffset", "want false",
		},
	}
}

func registryVerdicts() []mutant {
	const guarantee = "only the registry, at every address and after a while, says that a schema is unknown"
	return []mutant{
		{
			guarantee, "the first answer decides",
			"connector/schema/absentschema.go", "absentAfter = 30 * time.Second", "absentAfter = 0 * time.Second",
			"connector/e2e", "TestLateSchema", "are lost",
		},
		{
			guarantee, "an answer of before holds for records that are polled later",
			"connector/schema/absentschema.go", `	return &convert.MissingSchema{Ref: a.ref}
`, "	return nil\n",
			"connector/e2e", "TestUnknownSchemaIsAskedAgain", "are lost",
		},
		{
			guarantee, "it need not be a registry that says so",
			"connector/schema/client.go", `	if err := c.confirmKnown(ctx, known); err != nil {`, `	if err := c.confirmKnown(ctx, known); err != nil && false {`,
			"connector/schema", "TestNoRegistry/empty", "want to wait",
		},
		{
			guarantee, "one address is enough",
			"connector/schema/client.go", "			absent = cmp.Or(absent, gone)\n", "			absent = cmp.Or(absent, gone)\n			return d, err\n",
			"connector/schema", "TestAddressesDiffer/one_does_not_have_it", "found false, want true",
		},
		{
			guarantee, "an address that is down is left out",
			"connector/schema/client.go", "	if len(all) > 0 {", "	if len(all) == len(c.nodes) {",
			"connector/schema", "TestAddressesDiffer/one_fails_for_the_schema", "does not have it",
		},
		{
			guarantee, "right after an outage it is believed at once",
			"connector/schema/registry.go", `		r.steady = now
		makeRoom(r.failed)
`, `		makeRoom(r.failed)
`,
			"connector/schema", "TestUnsteady/an_outage", "the verdict took",
		},
		{
			guarantee, "a schema that AWS Glue throttles can't be used",
			"connector/schema/glue.go", "	case f.Kind == glue.Absent:\n", "	case f.Kind == glue.Throttled:\n		return &unusableError{convert.Undecodable, false, f}\n	case f.Kind == glue.Absent:\n",
			"connector/e2e", "TestRegistryAndBucketInTurns", "are not bad at all",
		},
		{
			guarantee, "AWS Glue's refusal of the permission says so, too",
			"connector/schema/glue/failure.go", "	\"EntityNotFoundException\": Absent,\n", "	\"EntityNotFoundException\": Absent, \"AccessDeniedException\": Absent,\n",
			"connector/schema/glue", "TestFailures", "denied: ",
		},
	}
}

func registryBounds() []mutant {
	const guarantee = "an answer of the registry is bounded"
	return []mutant{
		{
			guarantee, "references are followed at any depth",
			"connector/schema/walk.go", " depth == maxDepth,", "",
			"connector/schema", "TestReferencesWithoutEnd", "a chain: ",
		},
		{
			guarantee, "any number of references is followed",
			"connector/schema/walk.go", ", len(w.found) == convert.MaxReferences:", ":",
			"connector/schema", "TestReferencesWithoutEnd", "two lists: ",
		},
		{
			guarantee, "a list of any number of references is read",
			"connector/schema/answer.go", "		if len(*l) == convert.MaxReferences {", "		if len(*l) == 1000*convert.MaxReferences {",
			"connector/schema", "TestAnswerIsBounded", "MiB for answers of 6 MB|references",
		},
		{
			guarantee, "a schema may take as long as its references take",
			"connector/schema/client.go", "	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)\n", "	ctx, cancel := context.WithCancel(ctx)\n",
			"connector/schema", "TestReferencesTakeTime", "the attempt took",
		},
		{
			guarantee, "every unknown id is kept",
			"connector/schema/registry.go", `		makeRoom(r.unusable)
`, "",
			"connector/schema", "TestKept", "are kept, want",
		},
		{
			guarantee, "every id that is asked for is kept",
			"connector/schema/absentschema.go", `		makeRoom(s)
`, "",
			"connector/schema", "TestKept", "are kept, want",
		},
	}
}
