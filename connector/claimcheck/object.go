package claimcheck

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/offset"
)

// Object is a value that is uploaded to the bucket.
type Object struct {
	URL         string
	Bytes       int
	SHA256      string // of the value, in hexadecimal digits
	ContentType string

	lease    *offset.Lease
	topic    string // where the record is; in a redrive not the lease's
	number   int32
	offset   int64
	key      string
	value    []byte // the record's own bytes: they must not change, also after UploadObject
	checksum string // the SHA-256, in base64
	metadata map[string]string
}

// keyDigest is how many hexadecimal digits of the SHA-256 are in a key. A topic that is created again has the same offsets: its
// records must not replace those that delivered envelopes refer to.
const keyDigest = 16

// NewObject returns the object of a record's value. The lease is the assignment that the record was polled in.
func (u *Uploader) NewObject(lease *offset.Lease, r *kgo.Record, contentType string) *Object {
	return u.cfg.NewObject(lease, r, contentType)
}

// NewObject is Uploader.NewObject. Without a lease the object can't be uploaded.
func (c Config) NewObject(lease *offset.Lease, r *kgo.Record, contentType string) *Object {
	sum := sha256.Sum256(r.Value)
	digest := hex.EncodeToString(sum[:])
	bucket, prefix := c.bucketPlace()
	key := fmt.Sprintf("%s%s/%d/%d-%s", prefix, r.Topic, r.Partition, r.Offset, digest[:keyDigest])
	o := &Object{
		URL: awsconfig.BucketAddress(bucket, key), Bytes: len(r.Value), SHA256: digest, ContentType: contentType,
		lease: lease, topic: r.Topic, number: r.Partition, offset: r.Offset, key: key, value: r.Value, checksum: base64.StdEncoding.EncodeToString(sum[:]),
		metadata: map[string]string{
			"topic": r.Topic, "partition": strconv.Itoa(int(r.Partition)), "offset": strconv.FormatInt(r.Offset, 10), "sha256": digest,
		},
	}
	if r.Timestamp.UnixMilli() >= 0 { // Kafka has -1 for none
		o.metadata["timestamp"] = r.Timestamp.UTC().Format(time.RFC3339Nano)
	}
	return o
}

// IsOf reports whether it is the object of a record.
func (o *Object) IsOf(r *kgo.Record) bool {
	return o.topic == r.Topic && o.number == r.Partition && o.offset == r.Offset
}
