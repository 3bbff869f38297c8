package main

// samples are records that check shows, and permissions that pages print.
func samples() []mutant {
	const shows, prints = "check shows what the service sends", "printed policies are what features need"
	return []mutant{
		{
			shows, "a claim check is left out of a sample",
			"connector/sample.go", "convertWithClaim(c, &s.cfg.ClaimCheck, builder", "convertWithClaim(c, &new(Config).ClaimCheck, builder",
			"connector/e2e", "TestSampleIsDelivered", "is not sent: stop",
		},
		{
			shows, "a sample has the record settings of the environment and not those of its stream",
			"connector/sample.go", "s.report.Stream, s.own = stream, s.cfg.recordFor(stream)", "s.report.Stream, s.own = stream, s.cfg.Record",
			"cmd/kafka-firehose", "TestSample", "to stream other: json",
		},
		{
			prints, "a request that the policy does not allow gets through",
			"connector/awsconfig/iamtest/guard.go", "if !g.policy.Allows(c) {", "if !g.policy.Allows(c) && false {",
			"connector/awsconfig/iamtest", "TestGuard", "without .*: 1 passed",
		},
		{
			prints, "a value is uploaded with tags",
			"connector/claimcheck/uploader.go", "&s3.PutObjectInput{", "&s3.PutObjectInput{Tagging: aws.String(\"a=b\"),",
			"connector/e2e", "TestPrintedPolicies", "committed 36, want 200",
		},
	}
}
