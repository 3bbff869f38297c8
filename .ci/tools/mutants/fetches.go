package main

import "slices"

// fetches are batches of Kafka that take more memory than there is, or are passed over.
func fetches() []mutant { return slices.Concat(largeBatches(), lostBatches(), readableBatches()) }

// largeBatches are batches that are not refused.
func largeBatches() []mutant {
	const (
		memory = "memory is bounded, whatever a batch stands for"
		check  = "connector/kafka/fetch"
	)
	return []mutant{
		{
			memory, "decompressed batches have no bound",
			"connector/kafka/fetch/decompressor.go", "c.decodeLarge(src, codec, int(d.budget.max))", "c.decodeLarge(src, codec, 1<<30)",
			check, "TestDecompress", "want more than 6MiB when it is decompressed",
		},
		{
			memory, "the records of a compressed batch are counted when they are decoded",
			"connector/kafka/fetch/batchcheck.go", "memory := records * RecordBytes; memory > b.max {", "memory := records * RecordBytes; memory > b.max<<10 {",
			check, "TestBatchesAreChecked", "want 0 and \"has 200000 records, which take",
		},
		{
			memory, "headers weigh nothing",
			"connector/kafka/fetch/batchcheck.go", "found*RecordBytes + headers*HeaderBytes + BatchBytes", "found*RecordBytes + BatchBytes",
			check, "TestBatchesAreChecked", "want 0 and \"has 1 records with 900000 headers",
		},
		{
			memory, "headers of records in memory weigh nothing",
			"connector/kafka/register.go", "int64(headers)*fetch.HeaderBytes + ", "",
			"connector/kafka", "TestHeadersHaveWeight", "bytes of memory for",
		},
		{
			memory, "a response may have any number of batches that fit by themselves",
			"connector/kafka/fetch/batchcheck.go", `	if !b.countBytes(r, memory) {
`, `	if !b.countBytes(r, memory) && false {
`,
			check, "TestBatchesAreChecked", "200000 records and <nil>, want 100000",
		},
		{
			memory, "the same, of compressed ones",
			"connector/kafka/fetch/decompressor.go", `	if !d.budget.unpackBatch(`, `	if false && !d.budget.unpackBatch(`,
			check, "TestBatchesAreChecked", "200000 records and <nil>, want 100000",
		},
		{
			memory, "a batch above the bound is read because it is alone in its response",
			"connector/kafka/fetch/budget.go", "(b.excess == nil || b.excess == r) && n <= b.max:", "(b.excess == nil || b.excess == r):",
			check, "TestFetchConnShortens", "bytes: ",
		},
	}
}

// lostBatches are batches that are passed over, whole or in part.
func lostBatches() []mutant {
	const check = "connector/kafka/fetch"
	return []mutant{
		{
			"nothing is lost", "a batch with more records than it declares is cut to those",
			"connector/kafka/fetch/batchcheck.go", "!ok || records >= 0 && found != records {", "!ok || records >= 0 && found < records {",
			check, "TestBatchesAreChecked", "2 records and <nil>, want 0",
		},
		{
			"nothing is lost", "a batch of an unknown format is left to the client, which goes on behind its first offset",
			"connector/kafka/fetch/batchcheck.go", "case format > newestFormat:", "case format > newestFormat && len(batch) == 0:",
			check, "TestBatchesAreChecked", "unknown magic 3",
		},
		{
			"nothing is lost", "a batch that ends before it begins is left to the client, which drops it",
			"connector/kafka/fetch/batchcheck.go", "last < max(records-1, 0) {", "last < min(records-1, 0)-9 {",
			check, "TestBatchesAreChecked", "up to offset 6",
		},
		{
			"nothing is lost", "a compressed message of format 1 is read although a message in it is damaged",
			"connector/kafka/fetch/batchcheck.go", "case crc32.ChecksumIEEE(message[batchMagic:]) !=", "case len(message) == 0 && crc32.ChecksumIEEE(message[batchMagic:]) !=",
			check, "TestDamagedMessageSets", "a damaged message inside of a compressed message",
		},
		{
			"nothing stands still without a word", "a batch with fewer records than it declares is an empty one",
			"connector/kafka/fetch/batchcheck.go", "!ok || records >= 0 && found != records {", "!ok || records >= 0 && found > records {",
			check, "TestBatchesAreChecked", "3 records and <nil>, want 0",
		},
	}
}

// readableBatches are batches that are refused or forgotten.
func readableBatches() []mutant {
	const (
		read  = "every batch that fits is read"
		check = "connector/kafka/fetch"
	)
	return []mutant{
		{
			read, "the window of a zstd frame counts as its size",
			"connector/kafka/fetch/decompressor.go", "zstd.WithDecoderMaxWindow(maxZstdWindow)", "zstd.WithDecoderMaxWindow(16<<20)",
			"connector/e2e", "TestZstdWindows", "committed 200, want 500",
		},
		{
			read, "a response without room breaks its connection",
			"connector/kafka/fetch/conn.go", `		return c.shortenResponse(version, size)
`, "		return errResponse\n",
			"connector/e2e", "TestBatchThatIsTooLarge/noise,_above_the_fetch", "the log does not say .batch at offset 10 has 18MiB",
		},
		{
			read, "what a response took is never given back",
			"connector/kafka/fetch/budget.go", "	b.used -= r.held\n", "",
			check, "TestFetchBudget", "bytes are counted, of responses with",
		},
		{
			read, "responses of brokers that are gone count for ever",
			"connector/kafka/fetch/budget.go", "(none || time.Since(old.closed) > closedTime) {", "none && false {",
			check, "TestFetchBudgetOfDeadBrokers", "no room long after a connection was closed",
		},
		{
			read, "a large response has to arrive within the time of a small one",
			"connector/kafka/fetch/conn.go", "		r.conn.putOff()\n", "",
			check, "TestSlowResponse", "steady: read",
		},
	}
}
