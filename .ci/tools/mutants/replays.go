package main

// replays are ranges and dead letters that are sent once more.
func replays() []mutant {
	const (
		everything = "a replay is done when every record of its range was accepted"
		letters    = "a letter is done when its record was accepted"
		own        = "a replay leaves the service's offsets alone"
	)
	return []mutant{
		{
			everything, "what was read counts as done",
			"connector/replaypart.go", "return p.read.Load() && p.lease.Unsettled() == 0 }", "return p.read.Load() }",
			"connector/e2e", "TestReplayOutage", "was not accepted|are lost",
		},
		{
			everything, "what was settled counts as the end of the range",
			"connector/replaypart.go", "return p.read.Load() && p.lease.Unsettled() == 0 }", "return p.lease.Unsettled() == 0 }",
			"connector/e2e", "TestReplayKilled", "it has ended before it was killed|was not accepted",
		},
		{
			everything, "bad records before a stop are forgotten",
			"connector/replaypart.go", "			p.Bad += int64(r.values)\n", "",
			"connector/e2e", "TestReplayBadRecords", "AllBad:0",
		},
		{
			everything, "another range continues under the name",
			"connector/recovery/replayplan.go", "	case m.key != p.key && m.from.Before(m.to):", "	case false:",
			"connector/e2e", "TestReplayDelivers", "want \"its progress is of another range",
		},
		{
			everything, "the end of the range moves",
			"connector/recovery/replayplan.go", "p.Begin, p.End, p.Reached, p.Bad, p.Removed = m.begin, m.end, ", "p.Begin, p.Reached, p.Bad, p.Removed = m.begin, ",
			"connector/recovery", "TestPlanReplay/the_end_stays", "got ",
		},
		{
			everything, "records that retention has taken are passed over",
			"connector/recovery/replayplan.go", "	if len(gaps.gaps) > 0 && !r.AllowGaps {", "	if false {",
			"connector/e2e", "TestReplayGaps", "got <nil>",
		},
		{
			letters, "a letter that failed again is done",
			"connector/redriveletter.go", "			p.progress.Fail(l.offset)\n", "			p.progress.Pass(l.offset + 1)\n",
			"connector/e2e", "TestRedriveDelivers", "letters of reason tombstone",
		},
		{
			letters, "a letter is done before its record has settled",
			"connector/redriveletter.go", "l.lease.Unsettled() == 0 && l.lease.Settled() > 0", "l.lease.Settled() >= 0",
			"connector/e2e", "TestRedriveStopped", "letters of reason tombstone",
		},
		{
			letters, "letters that the flags did not select are done",
			"connector/recovery/letterprogress.go", "r.from <= offset && offset < r.to && r.Matches(topic, reason)", "r.from <= offset && offset < r.to",
			"connector/e2e", "TestRedriveFilters", "letters of reason too_large",
		},
		{
			own, "the progress is the service's",
			"connector/recovery/replayrequest.go", "	return service + \".replay.\" + r.ProgressName()\n", "	return service\n",
			"connector/e2e", "TestReplayDelivers", "the commits of the service were|the group has members|was not committed by a replay",
		},
	}
}

// replayFaults are what a replay says of records and streams that it can't deliver to.
func replayFaults() []mutant {
	const (
		named   = "a replay names each record that can't be delivered"
		refused = "a replay begins only if a stream can be used"
	)
	return []mutant{
		{
			named, "records that can't be delivered have no offsets in the report",
			"connector/replaypart.go", "	p.named.AddRecord(r.offset, r.values)\n", "",
			"connector/e2e", "TestReplayBadRecords", "want the offset of each record",
		},
		{
			"an audit calls no record missing that was delivered", "names of objects are in UTC, whatever the stream's time zone is",
			"connector/recovery/store.go", "w.Until.Add(zoneMargin)", "w.Until.Add(clockSkew)",
			"connector/recovery", "TestWindow", "in the time zone of Tokyo",
		},
		{
			"an audit calls no record missing that was delivered", "digits below a month are a day's, and not a partition's",
			"connector/recovery/store.go", "strings.HasPrefix(rest, begun.Format(f.below))", "strings.HasPrefix(rest, \"\")",
			"connector/recovery", "TestBucketFolders", "partitions of digits in a month: .* are not listed",
		},
		{
			"an audit calls no record missing that was delivered", "a limit of the objects' time hides late records",
			"connector/recovery/missing.go", "	if r.Total.Missing > 0 && r.leavesObjects() {\n", "	if false {\n",
			"connector/recovery", "TestDeliveredLate", "-late 24h0m0s: the file is written",
		},
		{
			"an audit calls no record missing that was delivered", "a document that is cut off hides those behind it",
			"connector/recovery/documents.go", "	if b[i] == '{' && !s.takesObject() {\n", "	if false {\n",
			"connector/recovery", "TestDocuments", "cut in a number in pieces of",
		},
		{
			refused, "offsets are sent of another topic that has the name now",
			"connector/recovery/offsetfile.go", " || of == id\n", " || of != [16]byte{}\n",
			"connector/recovery", "TestPlanReplay/a_file_of_an_older_one", "was deleted and created again",
		},
		{
			refused, "a replay to a stream that does not exist takes the name of its progress",
			"connector/replay.go", "p.c.checkStreamsFirst(ctx, p.targetStreams())", "p.c.checkStreamsFirst(ctx, nil)",
			"connector/e2e", "TestReplayAbsentStream", "want that nothing was sent",
		},
	}
}

// replayRates are how fast a replay sends beside the service.
func replayRates() []mutant {
	const yields = "a replay leaves the service its part of the quota"
	return []mutant{
		{
			yields, "a replay takes its limit although the stream throttles",
			"connector/replay.go", "	c.Firehose.Yields = true\n", "",
			"connector/e2e", "TestReplayBesideTheService", "beside a replay, and",
		},
		{
			yields, "a cut is undone when others are refused, too",
			"connector/firehose/limiter/experiment.go", "	case r.yields || share > maxBaseline", "	case share > maxBaseline",
			"connector/firehose/limiter", "TestYieldsToTheFloor", "after half a minute in which",
		},
	}
}
