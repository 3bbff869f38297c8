package main

// claimChecks are envelopes that run ahead of their objects, and objects that are taken for stored.
func claimChecks() []mutant {
	const (
		objectsFirst = "an envelope with a claim check comes after its object"
		waiting      = "	if !upload.uploaded.Load() {\n"
	)
	return []mutant{
		{
			objectsFirst, "an envelope is sent before the bucket has acknowledged its object",
			"connector/claims.go", waiting, "	if upload.uploaded.Load() {\n",
			"connector/e2e", "TestClaimChecks", "refers to what the bucket does not have",
		},
		{
			objectsFirst, "the offset moves before the bucket has acknowledged the object",
			"connector/claims.go", waiting, waiting + "		c.lease.SkipRecords(offset.MarkAfter(r.Offset, r.LeaderEpoch), 1)\n",
			"connector/e2e", "TestClaimCheckBucketDown", "partition 0 is committed to 1, want 0",
		},
		{
			objectsFirst, "an answer that S3 does not give counts as an acknowledgement",
			"connector/claimcheck/uploader.go", "	case aws.ToString(out.ETag) == \"\":\n		return errNoProof\n", "",
			"connector/e2e", "TestClaimChecksInTurns", "refers to what the bucket does not have",
		},
		{
			"a revoked partition makes no requests", "uploads of partitions that leave go on",
			"connector/batcher.go", "	b.cancelUploads(of)\n", "",
			"connector/e2e", "TestRevokeWhileUploading", "4 uploads are under way",
		},
	}
}
