package firehose

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/env"
)

// configForValidate is a Config with which nothing is wrong.
func configForValidate() Config {
	var c Config
	env.SetDefaults(&c)
	c.Stream = "orders"
	return c
}

func TestConfigDefaults(t *testing.T) {
	want := Config{
		Stream: "orders", BatchMaxRecords: 500, BatchMaxBytes: 4_000_000, BatchLinger: time.Second, MaxInFlight: 16,
		RequestTimeout: 10 * time.Second, StartupCheck: true,
	}
	if diff := cmp.Diff(want, configForValidate()); diff != "" {
		t.Error(diff)
	}
	if err := configForValidate().Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigValidate(t *testing.T) {
	const name = "want 1 to 64 of a-z A-Z 0-9 _ . -"
	const role = "arn:aws:iam::123456789012:role/path/writer"
	const wantRole = "want the ARN of a role such as arn:aws:iam::123456789012:role/name"
	const wantExternal = "want 2 to 1224 of a-z A-Z 0-9 _ + = , . @ : / -"
	tests := []struct {
		name   string
		change func(*Config)
		want   string // empty if that is allowed
	}{
		{"neither stream nor routes", func(c *Config) { c.Stream = "" }, "FIREHOSE_STREAM is not set: want the name of a delivery stream, or FIREHOSE_ROUTES"},
		{"routes alone", func(c *Config) { c.Stream, c.Routes = "", Routes{{Topic: "a", Stream: "s"}} }, ""},
		{"blank in the name", func(c *Config) { c.Stream = "a b" }, `FIREHOSE_STREAM holds "a b": ` + name},
		{"line end after the name", func(c *Config) { c.Stream = "a\n" }, `FIREHOSE_STREAM holds "a\n": ` + name},
		{"longest name", func(c *Config) { c.Stream = strings.Repeat("a", 64) }, ""},
		{"name too long", func(c *Config) { c.Stream = strings.Repeat("a", 65) }, `FIREHOSE_STREAM holds "` + strings.Repeat("a", 65) + `": ` + name},
		{"every character", func(c *Config) { c.Stream = "aZ0_.-" }, ""},
		{
			"ARN", func(c *Config) { c.Stream = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/orders" },
			`FIREHOSE_STREAM holds "arn:aws:firehose:eu-west-1:123456789012:deliverystream/orders": want the stream's name, not its ARN: orders`,
		},
		{"another ARN", func(c *Config) { c.Stream = "arn:aws:s3:::bucket" }, `FIREHOSE_STREAM holds "arn:aws:s3:::bucket": ` + name + ": the stream's name, not its ARN"},
		{
			"ARN in a route", func(c *Config) { c.Routes = Routes{{Topic: "t", Stream: "arn:aws:firehose:x:1:deliverystream/s"}} },
			`FIREHOSE_ROUTES holds "t=arn:aws:firehose:x:1:deliverystream/s": entry 1: stream: want the stream's name, not its ARN: s`,
		},
		{"no records", func(c *Config) { c.BatchMaxRecords = 0 }, `FIREHOSE_BATCH_MAX_RECORDS holds "0": want 1 to 500`},
		{"one record", func(c *Config) { c.BatchMaxRecords = 1 }, ""},
		{"too many records", func(c *Config) { c.BatchMaxRecords = 501 }, `FIREHOSE_BATCH_MAX_RECORDS holds "501": want 1 to 500`},
		{"smaller than a record", func(c *Config) { c.BatchMaxBytes = 1_023_999 }, `FIREHOSE_BATCH_MAX_BYTES holds "1023999": want 1000KiB to 4MiB`},
		{"as large as a record", func(c *Config) { c.BatchMaxBytes = 1_024_000 }, ""},
		{"largest batch", func(c *Config) { c.BatchMaxBytes = 4 << 20 }, ""},
		{"batch too large", func(c *Config) { c.BatchMaxBytes = 4<<20 + 1 }, `FIREHOSE_BATCH_MAX_BYTES holds "4194305": want 1000KiB to 4MiB`},
		{"no linger", func(c *Config) { c.BatchLinger = 0 }, ""},
		{"negative linger", func(c *Config) { c.BatchLinger = -1 }, `FIREHOSE_BATCH_LINGER holds "-1ns": want 0s to 24h`},
		{"nothing in flight", func(c *Config) { c.MaxInFlight = 0 }, `FIREHOSE_MAX_IN_FLIGHT holds "0": want 1 to 1000`},
		{"negative pace", func(c *Config) { c.MaxBytesPerSecond = -1 }, `FIREHOSE_MAX_BYTES_PER_SECOND holds "-1": want 0 or more`},
		{"negative pace in records", func(c *Config) { c.MaxRecordsPerSecond = -1 }, `FIREHOSE_MAX_RECORDS_PER_SECOND holds "-1": want 0 or more`},
		{"negative quota", func(c *Config) { c.QuotaBytesPerSecond = -1 }, `FIREHOSE_QUOTA_BYTES_PER_SECOND holds "-1": want 0 or more`},
		{"negative quota in records", func(c *Config) { c.QuotaRecordsPerSecond = -1 }, `FIREHOSE_QUOTA_RECORDS_PER_SECOND holds "-1": want 0 or more`},
		{"no time", func(c *Config) { c.RequestTimeout = 0 }, `FIREHOSE_REQUEST_TIMEOUT holds "0s": want 100ms to 15m`},
		{"role", func(c *Config) { c.RoleARN, c.RoleExternalID = role, "abc/1" }, ""},
		{"role of another partition", func(c *Config) { c.RoleARN = "arn:aws-us-gov:iam::123456789012:role/w" }, ""},
		{"role's name alone", func(c *Config) { c.RoleARN = "writer" }, `FIREHOSE_ROLE_ARN holds "writer": ` + wantRole},
		{"user", func(c *Config) { c.RoleARN = "arn:aws:iam::123456789012:user/w" }, `FIREHOSE_ROLE_ARN holds "arn:aws:iam::123456789012:user/w": ` + wantRole},
		{"external id alone", func(c *Config) { c.RoleExternalID = "abc" }, `FIREHOSE_ROLE_EXTERNAL_ID holds "abc": it has no effect without FIREHOSE_ROLE_ARN`},
		{"short external id", func(c *Config) { c.RoleARN, c.RoleExternalID = role, "a" }, `FIREHOSE_ROLE_EXTERNAL_ID holds "a": ` + wantExternal},
		{"external id with a blank", func(c *Config) { c.RoleARN, c.RoleExternalID = role, "a b" }, `FIREHOSE_ROLE_EXTERNAL_ID holds "a b": ` + wantExternal},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := configForValidate()
			test.change(&c)
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
