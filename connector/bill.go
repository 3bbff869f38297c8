package connector

import (
	"math"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/firehose"
)

const (
	// billAfter is how many bytes a stream has accepted when its records are known well
	// enough to talk of the bill.
	billAfter = 4 << 20
	// billWorth is how many times less aggregation has to cost for that to be worth a line.
	billWorth = 1.5
)

// billHint tells a user who doesn't aggregate what that costs: once, and only where
// aggregation would cost less.
func (c *Connector) billHint(stream string) firehose.Option {
	record := c.cfg.recordFor(stream)
	if record.Aggregate {
		return firehose.OnBill(0, nil)
	}
	return firehose.OnBill(billAfter, func(b firehose.Bill) {
		with := AggregatedRatio(record, b)
		if b.Ratio() < with*billWorth {
			return
		}
		hint := "RECORD_AGGREGATE=true packs many values into a record"
		if len(record.Delimiter) == 0 {
			hint += ", which takes a RECORD_DELIMITER"
		}
		c.log.Info("Firehose bills each record as a multiple of 5 KiB, and these are small", "stream", stream,
			"average_record_bytes", b.Bytes/b.Records, "billed_gb_for_a_gb", roundHundredths(b.Ratio()), "aggregated_it_would_be", roundHundredths(with),
			"hint", hint+"; deploy/docs/cost.md says which destinations need de-aggregation then")
	})
}

// AggregatedRatio is the ratio that the bill would have with aggregation: as many values in a
// record as there may be, but no more than a request had.
func AggregatedRatio(cfg convert.Config, b firehose.Bill) float64 {
	size := max(b.Bytes/b.Records, 1)
	values := min(int64(cfg.AggregateMaxRecords), int64(cfg.AggregateMaxBytes)/size, b.Records/b.Requests)
	packed := max(values, 1) * size
	return float64(firehose.BilledBytes(int(packed))) / float64(packed)
}

func roundHundredths(f float64) float64 { return math.Round(f*100) / 100 }
