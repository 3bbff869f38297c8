package batch

// What Firehose takes.
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
const (
	MaxRecordBytes    = 1_024_000 // of data in a record with its delimiter, before base64: 1,000 KiB
	MaxRequestBytes   = 4_194_304 // of data in a request, before base64: 4 MiB
	MaxRequestRecords = 500
)
