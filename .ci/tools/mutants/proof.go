package main

// positions are commits that lack what the next member needs.
func positions() []mutant {
	const truncation = "a truncated log is noticed"
	return []mutant{
		{
			truncation, "commits without a leader epoch",
			"connector/kafka/commit.go", "k.partition, p.mark.Offset, p.mark.Epoch", "k.partition, p.mark.Offset, -1",
			"connector", "TestCommitsHaveTheLeaderEpoch", "with the leader epoch -1, want",
		},
	}
}
