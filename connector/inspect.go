package connector

import (
	"context"

	"kafka-firehose/connector/destination"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/preflight"
	"kafka-firehose/connector/preflight/check"
)

// Inspect tries everything that a process with this environment would need, without
// changing anything: it joins no group, commits no offset, reads and sends no record.
// Every step runs even if others fail, and ctx bounds them all. cfg,
// warnings and faults are the results of LoadEnvironment; settings with faults
// are left out.
func Inspect(ctx context.Context, cfg Config, warnings []string, faults error, o Options) check.Report {
	o.useDefaults()
	return preflight.Inspection{
		Faults: env.FaultsOf(faults), Warnings: warnings,
		Kafka: cfg.Kafka, Firehose: cfg.Firehose, Schema: cfg.Schema, DeadLetter: cfg.DeadLetter, ClaimCheck: cfg.ClaimCheck,
		RuntimeSettingsFile: cfg.RuntimeSettingsFile,
		NeedsRegistry:       len(cfg.schemaFormats()) > 0,
		SendsDeadLetters:    cfg.fallbackPolicy() == policyDeadLetter,
		SendsClaimChecks:    cfg.BadRecordPolicy == policyClaimCheck,
		Sends:               cfg.sentRecords,
		NewWatches: func(ctx context.Context, clients firehose.Clients) ([]*destination.Watch, error) {
			return cfg.newWatches(ctx, clients, o, destination.Options{})
		},
		Log: o.Log, Metrics: o.Metrics.Kafka,
		KafkaDial: o.KafkaDial, KafkaOptions: o.Kafka, FirehoseOptions: o.Firehose, GlueOptions: o.Glue, S3Options: o.S3, RegistryNetwork: o.Registry,
	}.Run(ctx)
}
