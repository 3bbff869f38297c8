// Package claimcheck uploads the values of records that are too large for Firehose to a bucket of S3.
//
// The batcher sets the partition of such a record aside until [Uploader.UploadObject] returns, and only then adds the record to a
// batch, as an envelope with a claim check: the address, size and SHA-256 of the object. So no envelope is sent, and no offset moves,
// before S3 has acknowledged the object.
//
// The key follows from the record alone. An upload that is repeated, after a crash or by the next owner of the partition, writes the
// same bytes to the same key.
package claimcheck
