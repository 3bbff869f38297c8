package e2e_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kafka-firehose/connector/kafka/kafkatest"
)

// wholePath are the cases that run on both brokers: on the embedded one each is a
// test of its own, in virtual time; TestApacheWholePath runs them all, in real time.
// What stands before the slash is the name of the test.
func wholePath() map[string]func(*world) {
	cases := map[string]func(*world){
		"DeliversAndCommits":         deliversAndCommits,
		"PartialFailures/throttled":  partialFailures("ServiceUnavailableException"),
		"PartialFailures/internal":   partialFailures("InternalFailure"),
		"OneHotPartition":            oneHotPartition,
		"StopAndRestartUnderLoad":    stopAndRestartUnderLoad,
		"MembersComeAndGo":           membersComeAndGo,
		"RevokeDeliversWhatLingers":  revokeDeliversWhatLingers,
		"BadRecordExits":             badRecordExits,
		"BadRecordStopsItsPartition": badRecordStopsItsPartition,
		"BadRecordSkipped":           badRecordSkipped,
		"TombstonesLeaveNoLag":       tombstonesLeaveNoLag,
		"Aggregation":                aggregation,
		"DrainRunsOutOfTime":         drainRunsOutOfTime,
		"Transactions":               transactions,
		"OpenTransactionIsLag":       openTransactionIsLag,
		"TopicCreatedAnew/name":      topicCreatedAnew(false),
		"TopicCreatedAnew/pattern":   topicCreatedAnew(true),
		"TopicCreatedAnewInAnOutage": topicCreatedAnewInAnOutage,
		"TopicCreatedAnewWhileHeld":  topicCreatedAnewWhileHeld,
		"Pattern":                    pattern,
		"StaticMember":               staticMember,
		"StaticConsumer":             staticConsumer,
		"ConsumerProtocol":           consumerProtocol,
		"ClassicProtocol":            classicProtocol,
		"LostPartitionIsFenced":      lostPartitionIsFenced,
		"NothingRevokedIsSentAgain":  nothingRevokedIsSentAgain,
		"StopBesideADeadMember":      stopBesideADeadMember,
		"DeletedTopicHoldsUpNoOther": deletedTopicHoldsUpNoOther,
		"LatestIsAskedOnce":          latestIsAskedOnce(10),
		"LatestOfAnEmptyTopic":       latestIsAskedOnce(0),
		"LatestSkipsNothingNew":      latestSkipsNothingNew,
		"LatestNewTopicAfterRestart": latestNewTopicAfterRestart,
		"LatestOfAnAddedTopic":       latestOfAnAddedTopic,
		"NoneWithAddedPartitions":    noneWithAddedPartitions,
		"StartAtATime":               startAtATime,
		"NoneIsAnError":              noneIsAnError,
		"RetentionPassesTheCommit":   retentionPassesTheCommit,
		"RetentionTakesAll":          retentionTakesAll,
		"OffsetBeyondTheEnd":         offsetBeyondTheEnd,
		"KilledAgainAndAgain":        killedAgainAndAgain,
		"OneStreamDown":              oneStreamDown,
		"MemoryIsBounded":            memoryIsBounded,
		"StopInsideARevoke":          stopInsideARevoke,
		"Compressions":               compressions,
		"LargeBatches":               largeBatches,
		"ZstdWindows":                zstdWindows,
		"PartitionsAdded":            partitionsAdded,
		"RecordsGoBack":              recordsGoBack,
		"RuntimePause":               runtimePause,

		"ReplayDelivers": replayDelivers, "RedriveDelivers": redriveDelivers,

		"DeadLetters":                   deadLetters,
		"DeadLettersKeepTheirPartition": deadLettersKeepTheirPartition,
		"DeadLetterTooLarge":            deadLetterTooLarge,
		"DeadLetterTopicMadeAnew":       deadLetterTopicMadeAnew,
		"PatternLeavesDeadLettersAlone": patternLeavesDeadLettersAlone,

		"ClaimChecks": claimChecks,
	}
	for _, proto := range protocols {
		cases["TwoLeaveAtOnce/"+proto] = twoLeaveAtOnce(proto)
		cases["Churn/"+proto] = churn(proto)
		cases["TwoUnderOneName/"+proto] = twoUnderOneName(proto)
		cases["RevokeInsideADrain/"+proto] = revokeInsideADrain(proto)
		cases["LatestGrownWhileDown/"+proto] = latestGrownWhileDown(proto)
		for _, how := range rollouts {
			cases["RollingUpdate/"+how+"/"+proto] = rollingUpdate(how, proto)
		}
	}
	for _, mode := range []string{"latest", "time"} {
		cases["TopicCreatedAnewLatest/"+mode] = topicCreatedAnewLatest(mode)
	}
	for _, when := range []string{"while it runs", "after a restart", "while it is down"} {
		cases["LatestRecreated/"+when] = latestRecreated(when)
	}
	for name := range tooLargeBatches {
		cases["BatchThatIsTooLarge/"+name] = batchThatIsTooLarge(name)
	}
	for _, effect := range emptyAnswers {
		for _, stored := range []bool{false, true} {
			cases[fmt.Sprintf("AnswersThatProveNothing/%s/stored=%v", effect, stored)] = answerProvesNothing(effect, stored)
		}
	}
	return cases
}

// virtualOnly are the cases that run on the embedded broker alone, and why.
var virtualOnly = map[string][]string{
	"an hour, or many minutes, have to pass": {
		"OutageOfAnHour", "Shares", "StuckRecord", "PausedTopicComesBack", "BatchTooLarge", "OffsetOfADeletedTopic",
		"NewTopicOfAPausedStream", "StopOutOfTheGroup", "RegistryOutage", "RegistryAndStreamDown", "DeadLetterLimitIsRaised",
		"StreamInTrouble", "ThroughputBesideAStreamThatIsDown", "BillHint", "ThinTraffic", "HangingConversion",
		"AgeOfHangingRecord", "SlowCompilation", "OneSchemaFails", "PausedPartitionsResumeSoon", "GlueInTurns", "StandingFaults",
		"Status", "StandingRegistry", "StandingTokens", "StandingSchema", "Summary", "NoSummary", "CostOfStatus",
		"ReadinessHasEveryFault", "RefusedRecordStopsItsPartition", "StoppedPartitionIsGivenAway", "StoppedPartitionGoesOn",
		"DestinationDownForDays", "LostByTheDestinationComesBack", "ReplayAfterAHold", "SlowDestination",
		"HeldStreamIsLeftCleanly", "HoldOutlivesItsProcess", "BlindWatchHoldsNothing", "HeldStreamBesideAnother", "RuntimeRates",
		"RuntimePausedStream", "RuntimePauseKeepsCommits", "RuntimePauseIsNoThrottling", "RuntimeSettingsAreTold",
	},
	"it judges by exact times": {
		"FifteenSecondOutage", "Readiness", "DeliveryDelay", "RetentionHeadroom", "LagBehindAnOpenTransaction",
		"HeadroomWithoutACommit", "Scaling", "SlowConversion", "RevokeInABlip", "RevokeInAnOutage",
	},
	"how values are written is not the broker's": {
		"ExitKeepsItsMeaning", "Envelopes", "Compressed", "OneBadInAThousand", "UndecodableExits", "OrderOfWhatIsConvertedAhead",
		"UnknownSchemasHoldUpTheirPartition", "HostileSchemas", "SchemasAreFetchedInParallel", "GlueOfAnotherType",
		"ApicurioDelivers", "StreamsThatDiffer", "SchemaOfAnotherStream", "FilteredRecords", "FilterFails", "MaskedRecords",
		"SampleIsDelivered", "UnwrappedRecords", "UnwrappedEnvelopes",
	},
	"DescribeDeliveryStream has to fail or to wait": {
		"StartWithoutWaits", "CheckHoldsRecords", "StreamIsBeingCreated", "StopInsideACheck", "RevokeInsideACheck",
		"UnusableStreamHoldsItsRecords", "NoUsableStream", "CheckOfAHangingStream",
	},
	"the broker has to answer wrongly": {
		"FailedCommitIsRetried", "ForgottenCommitIsSentAgain", "LatestAfterAnError", "CommitDenied", "BrokersThrottle",
		"FetchErrorsAreNotAskedForInALoop", "UnknownTopicIDPasses", "OffsetsAreNotAnswered", "MarkerTooLong", "LatestAtRandom", "UnansweredCommit", "RefusedCommitIsNoStandstill",
		"LateTopicOfANewGroup", "RefusedOffsetIsNoCommit", "RecordBetweenTwoQuestions", "SecondElection",
		"RefusedOffsetEndsNothing", "UnansweredGroupIsAFaultOfEach", "RefusedOffsetBesideALateStart", "LateByTheCoordinator", "RangeBesideTheCoordinator",
		"RevokeBesideARefusedCommit", "LatestOfMembersThatStartTogether", "ErrorOfOnePartition", "TopicWithoutPermission",
		"OutOfRangePasses", "EndBehindForAMoment", "LogIsCut", "IdleCommitIsForgotten", "PositionThatHangs",
		"FailedCommitsOfPausedPartitions", "LastCommitIsRepeated", "CommitOutlivesItsWait", "StopIsBounded",
		"LatestStartIsCommittedFirst", "MemberThrownOutInARebalance",
	},
	"AWS has to refuse by a policy": {
		"PrintedPolicies", "PrintedKafkaPolicies",
	},
	"the claim-check bucket has to fail": {
		"ClaimChecksInTurns", "RegistryAndBucketInTurns", "ClaimCheckBucketDown", "RevokeWhileUploading", "ClaimCheckOfNoUse",
	},
	"a proxy has to answer wrongly": {
		"BrokenProxyMakesNoRecordBad",
	},
	"the registry has to answer wrongly": {
		"LateSchema", "UnknownSchemaIsAskedAgain", "RegistryThatForgot",
	},
	"the epoch has to be known beforehand": {
		"CommitsHaveTheLeaderEpoch",
	},
	"TestApacheInspect is the one on Apache's": {
		"Inspect",
	},
	"it judges by exact numbers of what is sent": {
		"ReplayKilled", "ReplayBehindATransaction", "ReplayBesideTheService", "ReplayDrains", "ReplayDryRun", "ReplayBadRecords", "ReplayOffsets",
		"ReplayShards", "ReplayErrors", "ReplayAbsentStream", "ReplayChecksOnce", "ReplayOutage", "ReplayRefusedCredentials",
		"ReplayGaps", "ReplayWithoutKafka", "RedriveDigests", "RedriveFilters", "RedriveScattered", "RedriveFull", "RedriveErrors", "RedriveStopped",
	},
	"brokers since 4.0 don't write it": {
		"LegacyRecords", "UndecodableBatch",
	},
	"the dead-letter topic has to refuse": {
		"DeadLetterTopicDown", "DeadLettersAreBounded", "RevokeWithPendingDeadLetters", "RevokeBeforeTheTopicIsKnownToBeDown",
		"StopWaitsForDeadLetters", "StopGivesDeadLettersUp", "RefusedByTheStream", "DeadLetterTopicAtTheStart",
		"StartWithoutKafka", "LetterKeepsItsValue",
	},
}

// TestApacheWholePath runs the cases on three brokers of Apache's, some at a time,
// each with topics, a group, members and a Firehose of its own.
func TestApacheWholePath(t *testing.T) { //nolint:tparallel // other tests start brokers of their own; that is enough of them one after the other
	kafkatest.Require(t)
	cluster := startApache(t)
	cases := wholePath()
	maps.Copy(cases, apacheOnly())
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onApache(t, cluster, cases[name])
		})
	}
}

// TestEveryCaseHasItsPlace: what runs in a bubble runs on Apache's brokers too, or
// virtualOnly says why not.
func TestEveryCaseHasItsPlace(t *testing.T) {
	t.Parallel()
	place := map[string]string{}
	for name := range wholePath() {
		test, _, _ := strings.Cut(name, "/")
		place[test] = "wholePath"
	}
	for _, names := range virtualOnly {
		for _, name := range names {
			if where := place[name]; where != "" {
				t.Errorf("%s is in virtualOnly and in %s", name, where)
			}
			place[name] = "virtualOnly"
		}
	}
	for _, name := range bubbles(t) {
		if place[name] == "" {
			t.Errorf("Test%s runs in a bubble; it needs a place in wholePath or virtualOnly", name)
		}
		delete(place, name)
	}
	for name, where := range place {
		t.Errorf("%s has %s, but there is no such test in a bubble", where, name)
	}
}

// bubbles are the tests of this package that call bubble, without the word Test.
func bubbles(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if callee, ok := call.Fun.(*ast.Ident); ok && callee.Name == "bubble" {
						names = append(names, strings.TrimPrefix(f.Name.Name, "Test"))
					}
				}
				return true
			})
		}
	}
	return names
}
