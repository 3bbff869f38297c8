package main

import "slices"

// standstills are waits without a limit, and waits of one thing for another.
func standstills() []mutant {
	return slices.Concat(answered(), stopped(), paused(), unwanted(), setAside(), schemaQueues(), revokes(), loops(), silentLeaders())
}

// silentLeaders are brokers that answer no fetch.
func silentLeaders() []mutant {
	return []mutant{{
		"a partition that can't be read is named", "a broker that answers no fetch is only another failed connection",
		"connector/kafka/positions.go", "	s.noteSilentBrokers()\n", "",
		"connector/e2e", "TestBrokerAnswersNoFetch", "0 partitions have a fault",
	}, {
		"a partition that can't be read is named", "a member that is assigned partitions again and again is well",
		"connector/kafka/group.go", "	s.noteUnplacedLost(gone)\n", "",
		"connector/e2e", "TestOffsetsAreNotAnswered", "nothing is read, and readiness says",
	}}
}

// answered are calls of a pipeline that a conversion keeps from it.
func answered() []mutant {
	const answers = "a pipeline answers between two records"
	return []mutant{
		{
			answers, "calls wait until a batch is full",
			"connector/batcher.go", `		if b.hasCalls() {
			return i, nil
		}
`, "",
			"connector/e2e", "TestSlowConversion", "until a batch is stored|the first batch was stored after",
		},
		{
			answers, "a batch that is opened while records are queued has no linger",
			"connector/batcher.go", `			b.armLinger(minPacking)
`, "			b.armed = true\n",
			"connector", "TestLingerWhilePacking", "packed for",
		},
		{
			answers, "cores that convert ahead don't hear calls",
			"connector/parallelconverter.go", "i < min(to, len(a.round)) && !a.called(); i++ {", "i < min(to, len(a.round)); i++ {",
			"connector", "TestAheadIsInterrupted", "an ask waited",
		},
		{
			answers, "after a call, one core converts what is left",
			"connector/parallelconverter.go", "	if a.cut && a.round[a.at].part == untried {", "	if false {",
			"connector", "TestAheadIsInterrupted", "three cores need",
		},
	}
}

// stopped are stops, probes and revokes that wait for what hangs.
func stopped() []mutant {
	const hangs = "nothing waits without a limit for what hangs"
	return []mutant{
		{
			hangs, "a revoke waits for a conversion that never ends",
			"connector/handler.go", "		case <-limit.Done():\n", "		case <-context.WithoutCancel(limit).Done():\n",
			"connector/e2e", "TestHangingConversion", "the members own|test timed out",
		},
		{
			hangs, "a stop waits for goroutines that never end",
			"connector/tasks.go", "	<-ctx.Done()\n", "	t.all.Wait()\n	<-ctx.Done()\n",
			"connector", "TestTasks", "deadlock",
		},
		{
			hangs, "at the end the group is not told because a conversion hangs",
			"connector/connector.go", "		close(c.abandoned) //", "		//",
			"connector/e2e", "TestStopIsBounded/conversion", "members are left in the group",
		},
		{
			hangs, "a pipeline that hangs is ready",
			"connector/fault.go", "err: c.Live(), told: true", "told: true",
			"connector/e2e", "TestHangingConversion", "the probe says <nil>",
		},
		{
			hangs, "a pipeline that hangs is alive",
			"connector/health.go", "		p.missed.Add(1)\n", "",
			"connector/e2e", "TestHangingConversion", "the probe says <nil>",
		},
	}
}

// paused are partitions that wait for their commit, and commits.
func paused() []mutant {
	const commits = "a commit that is needed comes"
	return []mutant{
		{
			commits, "a paused partition waits for the commit of the interval",
			"connector/kafka/commitloop.go", "			soon.Reset(commitSoon)\n		case <-soon.C:", "		case <-soon.C:",
			"connector/e2e", "TestPausedPartitionsResumeSoon", "it took|are stored, want",
		},
		{
			commits, "refused commits of a paused partition are repeated ten times a second",
			"connector/kafka/commitloop.go", "					next = commitLater\n", "",
			"connector/e2e", "TestFailedCommitsOfPausedPartitions", "commits in a minute",
		},
		{
			commits, "the last commit is tried once",
			"connector/kafka/commit.go", `		if err == nil || ctx.Err() != nil || isHopeless(err) {`, `		if err == nil || ctx.Err() != nil || isHopeless(err) || true {`,
			"connector/e2e", "TestLastCommitIsRepeated", "the drain was not clean",
		},
		{
			commits, "a commit is cut off with the wait for it",
			"connector/kafka/commit.go", `		err := s.commitOnce(s.client.Context())
`, `		err := s.commitOnce(ctx)
`,
			"connector/e2e", "TestCommitOutlivesItsWait", "whose answers came",
		},
	}
}

// alone is the guarantee of setAside and schemaQueues.
const alone = "a schema holds up its partition and no other"

// setAside are partitions that wait for a schema.
func setAside() []mutant {
	return []mutant{
		{
			alone, "no partition passes one that waits",
			"connector/queue.go", `		q.idle += c.weight
	}
	return fetchedRecords{}, false
`, `		q.idle += c.weight
		return fetchedRecords{}, false
	}
	return fetchedRecords{}, false
`,
			"connector", "TestQueueSetsAside", "records are left",
		},
		{
			alone, "records of a partition that waits are passed by later ones of it",
			"connector/queue.go", "	q.putFirst(first...)\n", "	q.fetched = append(q.fetched, first...)\n",
			"connector", "TestQueueSetsAside", "was taken, want|oldest record of partition",
		},
		{
			alone, "a partition that waits fills the queue of the others",
			"connector/poller.go", `		r.source.PauseWaiting(pause)
`, "",
			"connector/e2e", "TestOneSchemaFails/hangs=true", "in vain until the others arrive|records of others took",
		},
		{
			alone, "a partition that has waited stays paused",
			"connector/poller.go", `		r.source.ResumeWaiting(resume)
`, "",
			"connector/e2e", "TestOneSchemaFails/hangs=true", "in vain until the others arrive|committed \\d+, want",
		},
		{
			alone, "what was converted ahead behind a partition that waits is sent for what comes to lie there",
			"connector/schemas.go", `	b.parallel.leaveOut(rest.lease)
`, "",
			"connector", "TestAheadLeavesOutWhatWaits", "it sealed",
		},
		{
			alone, "a pipeline waits until a schema is compiled",
			"connector/schemas.go", "	b.parallel.leaveOut(rest.lease)\n", "	b.parallel.leaveOut(rest.lease)\n	<-ready\n",
			"connector/e2e", "TestSlowCompilation", "hangs, near topic",
		},
	}
}

// schemaQueues are schemas that wait for other schemas.
func schemaQueues() []mutant {
	return []mutant{
		{
			alone, "a small schema waits until a large one is compiled",
			"connector/schema/registry.go", "compiling := r.compilingSmall\n", "compiling := r.compiling\n",
			"connector/schema", "TestSmallSchemaPassesLargeOnes", "a small schema after",
		},
		{
			alone, "while the registry throttles, a small schema waits until a large one is compiled",
			"connector/schema/throttle.go", "	p.r.mu.Unlock()\n	p.endProbe()\n", "	p.r.mu.Unlock()\n",
			"connector/schema", "TestThrottledSmallSchemaPassesLargeOne", "a small schema after",
		},
		{
			alone, "large schemas that wait for the compiler take all places for fetches",
			"connector/schema/registry.go", "maxLarge = maxFetches / 2", "maxLarge = maxFetches",
			"connector/schema", "TestSmallSchemaPassesLargeOnes", "a small schema after",
		},
		{
			alone, "the first attempt for a schema waits for the failures of others",
			"connector/schema/registry.go", "_, again := r.failed[ref]; again {", "_, again := r.failed[ref]; again || true {",
			"connector/schema", "TestFirstAttemptIsImmediate", "another schema was fetched after",
		},
	}
}

// revokes are those that wait in vain, or that do not wait for a request in flight.
func revokes() []mutant {
	const flights = "a revoke waits for requests in flight alone"
	return []mutant{
		{
			flights, "an open breaker is waited for in a revoke",
			"connector/kafka/group.go", "		case <-l.InVain:\n		case <-s.leaving:", "		case <-s.leaving:",
			"connector/e2e", "TestRevokeInAnOutage", "although Firehose is down",
		},
		{
			flights, "requests in flight are not waited for while the breaker is open",
			"connector/firehose/revoked.go", `		if s.holdsLease(r.lease) {
			return false
		}
`, "",
			"connector/firehose", "TestStranded", "a request in flight is not waited for because the breaker is open",
		},
		{
			flights, "records that nobody waits for any more are sent before their partition has gone",
			"connector/firehose/compose.go", `	if s.revoked.holdsBatch(d.batch) {
`, "	if false {\n",
			"connector/firehose", "TestStranded", "of a lease that was given up were sent",
		},
	}
}

// loops are wake-ups that a sender misses.
func loops() []mutant {
	const awake = "the sender wakes for whatever only time changes"
	return []mutant{
		{
			awake, "the loop sets no timer for a retry that becomes due",
			"connector/firehose/sender.go", "				s.workers.timer.Reset(s.retries[0].due.Sub(now))\n", "				s.workers.timer.Stop()\n",
			"connector/firehose", "TestRunEndsWhenAllIsSettled", "deadlock",
		},
		{
			awake, "the loop sets no timer for the next request that the limiter allows",
			"connector/firehose/sender.go", "			s.workers.timer.Reset(wait)\n", "			s.workers.timer.Stop()\n",
			"connector/firehose", "TestConfiguredLimitsHold", "records a second of",
		},
	}
}

// unwanted are topics that the runtime settings pause, and are read or lost all the same.
func unwanted() []mutant {
	const pauses = "a topic that the runtime settings pause stays in Kafka, and its offsets stay in the group"
	return []mutant{
		{
			pauses, "a partition that is assigned while its topic is paused is read",
			"connector/kafka/group.go", `			s.updateUnwanted(k, opened)
`, "",
			"connector/e2e", "TestRuntimePausedStream", "of a paused topic was sent|waited",
		},
		{
			pauses, "another reason to pause ends, and the topic is read",
			"connector/kafka/pause.go", "p.resting || p.unwanted ||", "p.resting ||",
			"connector/e2e", "TestRuntimePausedStream", "of a paused topic was sent",
		},
		{
			pauses, "its offsets are committed once",
			"connector/kafka/commitloop.go", "			s.recommitUnwanted()\n", "",
			"connector/e2e", "TestRuntimePauseKeepsCommits", "offsets were committed in",
		},
		{
			pauses, "a file that can't be read resumes it",
			"connector/runtimesettings/file.go", "		f.read, f.fault = false,", "		f.settings, f.read, f.fault = Settings{}, false,",
			"connector/runtimesettings", "TestFile", "missing: changed",
		},
	}
}
