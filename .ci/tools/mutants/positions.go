package main

import "slices"

// positions are offsets at which reading begins or continues although nothing says so, and partitions that are never
// read again.
func positions() []mutant {
	return slices.Concat(positionStarts(), positionIdentity(), positionRange(), earlyPositions(), partitionFaults())
}

func positionStarts() []mutant {
	const guarantee = "where a partition starts is decided once, from facts"
	return []mutant{
		{
			guarantee, "the start of latest is not committed",
			"connector/kafka/startcommit.go", `		p.lease.StartAt(a.at)
`, "",
			"connector/e2e", "TestLatestIsAskedOnce", "in vain until its start is committed",
		},
		{
			guarantee, "a start that is not committed counts as done",
			"connector/kafka/startcommit.go", `		if _, pending := p.lease.CommitMark(); !pending {`, `		if _, pending := p.lease.CommitMark(); pending || !pending {`,
			"connector/e2e", "TestLatestStartIsCommittedFirst", "delivered before the start was committed",
		},
		{
			guarantee, "a partition that is read waits for the commit of its start",
			"connector/kafka/startcommit.go", "if s.isWaiting(k, p) && p.begin >= 0 {", "if s.partitions[k] == p && p.begin >= 0 {",
			"connector/kafka", "TestEarliestIsFoundOnce", "its start is to be committed",
		},
		{
			guarantee, "the end of the log is where it is when the coordinator has answered",
			"connector/kafka/placement.go", "late: time.Since(s.joinedAt) > promptly", "late: false",
			"connector/e2e", "TestLateByTheCoordinator", "are lost|lost",
		},
		{
			guarantee, "topics of a group that has just begun are newer than the group",
			"connector/kafka/start.go", "q.joined-q.sighting.born > youngGroup", "q.joined > 0",
			"connector/e2e", "TestLateTopicOfANewGroup", "from before the start were delivered",
		},
		{
			guarantee, "an offset that is refused is one that is missing",
			"connector/kafka/start.go", "		if c.err != nil && n == 0 {", "		if c.err != nil && n < 0 {",
			"connector/e2e", "TestRefusedOffsetEndsNothing", "the process ended",
		},
	}
}

func positionIdentity() []mutant {
	const guarantee = "offsets of a topic that was deleted don't count for the topic that has its name"
	return []mutant{
		{
			guarantee, "a topic that was created again is not read anew",
			"connector/kafka/topics.go", "	s.client.PurgeTopicsFromConsuming(topic)\n", "",
			"connector/e2e", "TestTopicCreatedAnew/pattern=false", "400 of 500 records are stored",
		},
		{
			guarantee, "a broker that is behind makes a topic a new one",
			"connector/kafka/topics.go", "		case p.topicID != [16]byte{} && p.topicID != now.id:\n			v = topicRecreated\n", "		case p.topicID != [16]byte{}:\n			v = topicRecreated\n",
			"connector/e2e", "TestUnknownTopicIDPasses/fetch/8s", "taken for another one",
		},
		{
			guarantee, "the group's offset counts whatever topic it belongs to",
			"connector/kafka/marker.go", "	return m.topic == topic || m.topic == [16]byte{}", "	return true || m.topic == [16]byte{}",
			"connector/e2e", "TestOffsetOfADeletedTopic/of_the_old_topic/earliest", "were not delivered|in vain",
		},
		{
			guarantee, "an offset that was translated from another cluster is ignored",
			"connector/kafka/marker.go", " || m.cluster != cluster\n", "\n",
			"connector/e2e", "TestOffsetOfADeletedTopic/translated/earliest", "were not delivered|in vain",
		},
	}
}

func positionRange() []mutant {
	const guarantee = "a position that is out of range is compared with the log"
	return []mutant{
		{
			guarantee, "a log that ends before the position moves it at once",
			"connector/kafka/outofrange.go", "	case p.beyond.IsZero():\n		p.beyond = time.Now()\n", "	case false:\n",
			"connector/e2e", "TestEndBehindForAMoment", "came twice",
		},
		{
			guarantee, "a doubt that is over counts for the next one",
			"connector/kafka/outofrange.go", "		p.outOfRange, p.beyond = true, time.Time{}\n", "		p.outOfRange = true\n",
			"connector/e2e", "TestSecondElection", "twice|back",
		},
		{
			guarantee, "the group's offset does not follow retention without a record",
			"connector/kafka/outofrange.go", `	p.lease.SkipRecords(offset.Mark{Offset: start, Epoch: -1}, 0)
`, "",
			"connector/e2e", "TestRetentionTakesAll", "committed \\d+, want 800",
		},
		{
			guarantee, "nor the end of a log that was cut",
			"connector/kafka/outofrange.go", `	p.lease.StartAt(offset.Mark{Offset: to, Epoch: -1})
`, "",
			"connector/e2e", "TestOffsetBeyondTheEnd", "in vain until the group's offset follows",
		},
		{
			guarantee, "after a cut, records that were not accepted are not read again",
			"connector/kafka/outofrange.go", "		to = min(to, from)\n", "		to = max(to, from)\n",
			"connector/kafka", "TestRewindTwice", "source_test.go:\\d+: 100",
		},
		{
			guarantee, "commits without a leader epoch: a log that was cut is not noticed",
			"connector/kafka/commit.go", "k.partition, p.mark.Offset, p.mark.Epoch", "k.partition, p.mark.Offset, -1",
			"connector/e2e", "TestCommitsHaveTheLeaderEpoch", "with the leader epoch -1, want",
		},
		{
			guarantee, "an offset that the coordinator has lost is not committed again where nothing happens",
			"connector/kafka/commitloop.go", `			p.lease.StartAt(p.mark) // where nothing was read since the assignment
`, "",
			"connector/e2e", "TestIdleCommitIsForgotten", "nothing was committed again",
		},
	}
}

func earlyPositions() []mutant {
	const guarantee = "nothing sets a partition back that is read"
	return []mutant{
		{
			guarantee, "an early partition is read before it is assigned again",
			"connector/kafka/placement.go", "case p.left && !s.awaitsMetadata(k, p):", "case p.left:",
			"connector/kafka", "TestEarlyPartition", "without metadata its start is looked for: true",
		},
		{
			guarantee, "the seek of an early partition is one to where it stands",
			"connector/kafka/positions.go", "if p.reading || p.early {", "if p.reading {",
			"connector/kafka", "TestEarlyPartition", "seeks to map",
		},
	}
}

func partitionFaults() []mutant {
	const guarantee = "an error of one partition is its own"
	return []mutant{
		{
			guarantee, "a partition whose offset was refused is forgotten",
			"connector/kafka/placement.go", `			s.holdPartition(k, p)
`, "			continue\n",
			"connector/e2e", "TestErrorOfOnePartition/OffsetFetch/UNKNOWN_SERVER_ERROR/earliest/early=true", "of 40 a minute and a half",
		},
		{
			guarantee, "a batch that can't be decoded is never fetched again",
			"connector/kafka/pausepartition.go", "		p.resting = false\n		s.resumeFetching(k, p)\n", "		p.resting = false\n",
			"connector/e2e", "TestBatchTooLarge", "in vain until partition 1 is read on",
		},
		{
			guarantee, "a fault is told once",
			"connector/kafka/faults.go", "	if now.Sub(one.told) < faultTold {", "	if !one.told.IsZero() {",
			"connector/e2e", "TestBatchTooLarge", "error lines in six minutes",
		},
		{
			guarantee, "a revoke waits for the commit of a partition that stays",
			"connector/kafka/commit.go", "			err = refusedOf(err, ending)\n", `			err = refusedOf(err, s.leasesOf(nil))
`,
			"connector/e2e", "TestRevokeBesideARefusedCommit", "waited for one that stays",
		},
		{
			guarantee, "a partition whose commits are refused is not told",
			"connector/kafka/commit.go", "	for k, refused := range refusals {\n", "	for k, refused := range map[partitionID]error{} {\n",
			"connector/e2e", "TestErrorOfOnePartition/OffsetCommit/UNKNOWN_SERVER_ERROR/earliest/early=true", "readiness says <nil>",
		},
		{
			guarantee, "a partition that is missing in the answer to a commit is committed",
			"connector/kafka/commit.go", `			refused[k] = errUnanswered
`, "			_ = errUnanswered\n",
			"connector/e2e", "TestUnansweredCommit", "readiness says <nil>",
		},
		{
			guarantee, "a member that was thrown out commits for partitions that others own",
			"connector/kafka/group.go", "	return s.member != \"\" && member != s.member\n", "	return false && member != s.member\n",
			"connector/e2e", "TestMemberThrownOutInARebalance", "owns it|committed \\d+, want 200",
		},
		{
			guarantee, "one partition that is refused for good keeps the last commit of the others from being repeated",
			"connector/kafka/commit.go", `			if !isHopeless(one) {
				return false
			}
`, `			if isHopeless(one) {
				return true
			}
`,
			"connector/kafka", "TestHopeless", "is hopeless",
		},
	}
}
