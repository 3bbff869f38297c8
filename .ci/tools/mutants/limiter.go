package main

// weather has a stream slow down for the wrong reasons, or not for the right one.
func weather() []mutant {
	const (
		slows = "only a quota slows a stream down"
		pkg   = "connector/firehose/limiter"
	)
	return []mutant{
		{
			slows, "resets, cut answers and 500 are evidence of a quota",
			pkg + "/evidence.go", "	case Failed, Ambiguous, TooLarge, Blocked, Canceled:\n	}\n	return tally{}, false\n", "	case Failed, Ambiguous, TooLarge, Blocked, Canceled:\n		return tally{requests: 1, records: size.Records, refused: size.Records}, true\n	}\n	return tally{}, false\n",
			pkg, "TestEvidence", "evidence",
		},
		{
			slows, "a single throttled request is evidence of a quota",
			pkg + "/evidence.go", "e.whole > wholeShare", "true",
			pkg, "TestWholeRequests", ".",
		},
		{
			slows, "a cut is kept although the refusals go on",
			pkg + "/experiment.go", "		r.load = r.load.AtLeast(r.experiment.load).AtMost(r.max)\n", "",
			pkg, "TestChanceAfterQuota", "refused by chance",
		},
		{
			slows, "the rate falls below the smallest quota at once",
			pkg + "/experiment.go", "to.Bytes < floor && now.Sub(r.nearFloor) < floorPatience", "to.Bytes < floor && false",
			pkg, "TestFloor", ".",
		},
		{
			slows, "what is refused in an outage is evidence of a quota",
			pkg + "/limiter.go", `	case !l.breaker.isTrusted(): // an outage says nothing about the rate
`, "	case false:\n",
			pkg, "TestOutage", ".",
		},
		{
			slows, "a request from before an outage keeps the probes from it",
			pkg + "/inflight.go", "		return f.probes > 0\n", "		return f.count > 0\n",
			"connector/firehose", "TestStranded", "a request in flight is not waited for because the breaker is open",
		},
		{
			slows, "after an outage requests stay small",
			pkg + "/limiter.go", `		l.lost.restartCount()
`, "",
			"connector/firehose", "TestBreaker/reset_", "records in the fifteenth second after",
		},
		{
			slows, "a size that is refused is tried again at once",
			pkg + "/sizerefusals.go", "s.answers >= s.needed }", "s.answers >= 0 }",
			pkg, "TestSizeRefusals", ".",
		},
		{
			"one quota for all members", "each member takes all of the quota for its own",
			"connector/handler.go", "		l.stream.SetShare(part)\n", "		l.stream.SetShare(1)\n",
			"connector/e2e", "TestShares", "two have half of it each",
		},
	}
}
