package claimcheck

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/env"
)

// Config says where values go that are too large for Firehose.
type Config struct {
	// URL is the bucket and the prefix of the objects' keys. Region, endpoint and credentials are those of the SDK's environment.
	// No default: it is required with BAD_RECORD_POLICY=claim-check and an error without.
	URL string `envconfig:"CLAIM_CHECK_URL" unset:"none" desc:"s3://BUCKET/PREFIX for the values of records that are too large for Firehose, with BAD_RECORD_POLICY=claim-check. The bucket has to exist."`
}

// urlName is the variable of Config.URL.
const urlName = "CLAIM_CHECK_URL"

var (
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	legalBucket = regexp.MustCompile(`\A[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\z`)
	// Characters that S3 calls safe in keys, and =, which the folders of Hive's partitions have.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
	legalPrefix = regexp.MustCompile(`\A[a-zA-Z0-9!_.*'()=/-]*\z`)
)

// maxPrefix leaves room for topic, partition, offset and digest in the 1,024 bytes of a key.
const maxPrefix = 512

// Validate checks the address, which is not empty.
func (c Config) Validate(check *env.Check) {
	bucket, prefix, err := awsconfig.ParseBucketAddress(c.URL)
	folders := strings.Split(strings.TrimSuffix(prefix, "/"), "/")
	switch {
	case err != nil:
		check.AddFault(env.HoldsFault(urlName, c.URL, err.Error()))
	case !legalBucket.MatchString(bucket):
		check.AddFault(env.HoldsFault(urlName, c.URL, "want the name of a bucket behind s3://, 3 to 63 of a-z 0-9 . -"))
	case len(prefix) > maxPrefix || !legalPrefix.MatchString(prefix):
		check.AddFault(env.HoldsFault(urlName, c.URL, fmt.Sprintf("want a prefix of at most %d of a-z A-Z 0-9 ! _ . * ' ( ) = / -", maxPrefix)))
	case prefix != "" && slices.ContainsFunc(folders, func(f string) bool { return f == "" || f == "." || f == ".." }):
		check.AddFault(env.HoldsFault(urlName, c.URL, "want a prefix without empty folders, . and .."))
	}
}

// bucketPlace returns the bucket, and the prefix with a slash at its end or empty.
func (c Config) bucketPlace() (bucket, prefix string) {
	bucket, prefix, _ = awsconfig.ParseBucketAddress(c.URL) // Validate has seen it
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return bucket, prefix
}
