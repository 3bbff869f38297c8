package main

import (
	"fmt"
	"strconv"

	"kafka-firehose/connector/firehose/firehosetest"
)

const (
	// pricePerGB is the list price of ingestion in us-east-1 for the first 500 TB of a month, in US
	// dollars, for 2^30 bytes. https://aws.amazon.com/firehose/pricing/
	pricePerGB = 0.029
	// billedUnit is what each record is rounded up to.
	billedUnit = 5 << 10
)

func dollars(billed int64) float64 { return float64(billed) / (1 << 30) * pricePerGB }

// times is how often the payload is billed.
func times(billed, payload int64) float64 { return float64(billed) / float64(max(payload, 1)) }

// billed is the line of the report about money, with a hint if there is money to save.
func billed(st firehosetest.StreamStats, lines int64, aggregated bool) string {
	if st.Bytes == 0 {
		return ""
	}
	text := fmt.Sprintf("  billed     %14s for %s of data, %.1f times as much: $%.4f for a million lines\n",
		size(st.Billed), size(st.Bytes), times(st.Billed, st.Bytes), dollars(st.Billed)/float64(max(lines, 1))*1e6)
	packed := packedBill(st.Bytes, lines)
	if !aggregated && packed*2 < st.Billed {
		text += fmt.Sprintf("             %14s or so with -aggregate: Firehose bills each record as a multiple of 5 KiB\n", size(packed))
	}
	return text
}

// packedBill estimates what would be billed for so many lines with aggregation at its defaults: 500
// lines or 1,000 KiB in a record.
func packedBill(payload, lines int64) int64 {
	if lines == 0 {
		return 0
	}
	each := max(payload/lines, 1)
	perRecord := max(min(500, firehoseRecord/each), 1)
	records := (lines + perRecord - 1) / perRecord
	unit := (perRecord*each + billedUnit - 1) / billedUnit * billedUnit
	return max(min(records*unit, payload+records*billedUnit), billedUnit)
}

// count prints a number with commas.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size prints a number of bytes.
func size(n int64) string {
	f := float64(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if f < 1024 && unit == "B" {
			return fmt.Sprintf("%d B", n)
		}
		if f < 1024 {
			return fmt.Sprintf("%.1f %s", f, unit)
		}
		f /= 1024
	}
	return fmt.Sprintf("%.1f TiB", f)
}
