package firehose

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose/limiter"
)

// Rates are the limits a second of one stream that may change while the process runs.
type Rates struct {
	MaxBytes     env.Bytes // of this process; 0 is unlimited
	MaxRecords   int
	QuotaBytes   env.Bytes // of all members together; 0 is unknown
	QuotaRecords int
}

// Rates returns the limits of a stream whose configuration this is (see ForStream).
func (c Config) Rates() Rates {
	return Rates{c.MaxBytesPerSecond, c.MaxRecordsPerSecond, c.QuotaBytesPerSecond, c.QuotaRecordsPerSecond}
}

// RatesOf returns the limits of a stream: those of option where it has some, and else those of its configuration.
func (c Config) RatesOf(stream string, option StreamOption) Rates {
	return c.ForStream(stream).with(option).Rates()
}

// Changes calls each for every limit that differs, with its name in FIREHOSE_STREAM_OPTIONS and both values as text.
func (r Rates) Changes(next Rates, each func(name, before, after string)) {
	was, is := r.texts(), next.texts()
	for i, name := range rateNames {
		if was[i] != is[i] {
			each(name, was[i], is[i])
		}
	}
}

// texts are the limits in the order of rateNames.
func (r Rates) texts() []string {
	word := func(unset, value string) string {
		if value == "0" {
			return unset
		}
		return value
	}
	return []string{
		word("unlimited", r.MaxBytes.String()), word("unlimited", fmt.Sprint(r.MaxRecords)),
		word("unknown", r.QuotaBytes.String()), word("unknown", fmt.Sprint(r.QuotaRecords)),
	}
}

func (r Rates) limit() limiter.Load {
	return limiter.Load{Bytes: float64(r.MaxBytes), Records: float64(r.MaxRecords)}
}

func (r Rates) quota() limiter.Load {
	return limiter.Load{Bytes: float64(r.QuotaBytes), Records: float64(r.QuotaRecords)}
}

// SetRates changes the limits of the stream. Requests in flight are not affected.
func (s *Stream) SetRates(r Rates) {
	s.changeSender(func(l *sender) { l.limiter.SetLimits(time.Now(), r.limit(), r.quota()) })
}

// SetRate sets one of the limits of an option from JSON. The error does not repeat the name.
func (o *StreamOption) SetRate(name string, value json.RawMessage) error {
	if !slices.Contains(rateNames, name) {
		return unknownRate(name)
	}
	err := o.setField(name, value)
	o.validateRates(func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); err == nil && strings.HasPrefix(text, name) {
			err = errors.New(text)
		}
	})
	if err != nil {
		return errors.New(strings.TrimLeft(strings.TrimPrefix(err.Error(), name), ": "))
	}
	return nil
}

// unknownRate is the error of a name that is none of rateNames.
func unknownRate(name string) error {
	want := "want " + env.JoinOr(rateNames)
	if slices.Contains(optionNames, name) {
		return fmt.Errorf("can't change while the process runs; set it in %s, or %s", streamOptionsName, want)
	}
	if meant, ok := env.SuggestMember(name, rateNames); ok {
		want = "did you mean " + meant + "?"
	}
	return fmt.Errorf("is no setting; %s", want)
}
