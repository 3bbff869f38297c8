package firehosetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// details are the fields, by their JSON names, that each effect uses beside the
// selecting ones. A script that sets another is refused: it would not do what
// its author thinks.
var details = map[Effect]string{
	RefuseRecords: "indexes share code message",
	RefuseRequest: "stored code message status body unread",
	RefuseKey:     "code",
	Reset:         "stored",
	Close:         "stored",
	Hang:          "stored delay",
	Outage:        "",
	Delay:         "stored delay",
	SlowBody:      "delay",
	CutBody:       "stored bytes",
	EmptyObject:   "stored",
	EmptyBody:     "stored",
	ShortAnswer:   "stored count",
	LongAnswer:    "count",
	WrongCount:    "count",
	BlankEntries:  "stored indexes share",
	DoubleEntries: "stored indexes share",
	ClockSkew:     "skew",
}

// effectNames lists the effects for messages.
func effectNames() string {
	var names []string
	for _, e := range slices.Sorted(maps.Keys(details)) {
		names = append(names, string(e))
	}
	return strings.Join(names, ", ")
}

// field is one member of a fault's JSON form.
type field struct {
	name    string
	detail  bool   // allowed only for some effects
	to      any    // pointer to the Go field
	allowed string // the accepted values, for messages
	ok      bool   // its value is in range
	set     bool   // it is not zero
}

// fields is the one table of what a fault consists of. It serves decoding,
// encoding and validation.
func (f *Fault) fields() []field {
	chance := func(p float64) bool { return p >= 0 && p <= 1 }
	const (
		count    = "a whole number of 0 or more"
		chances  = "a number from 0 to 1"
		duration = `a duration of 0 or more such as "1.5s"`
	)
	return []field{
		{"stream", false, &f.Stream, "a stream's name", true, f.Stream != ""},
		{
			"operation", false, &f.Operation, "PutRecordBatch, PutRecord, DescribeDeliveryStream, ListDeliveryStreams or *",
			slices.Contains([]string{"", "*", opPutRecordBatch, opPutRecord, opDescribe, opList}, f.Operation), f.Operation != "",
		},
		{"from", false, &f.From, count, f.From >= 0, f.From != 0},
		{"to", false, &f.To, "a whole number not below from, or 0", f.To == 0 || f.To >= max(f.From, 1), f.To != 0},
		{"after", false, &f.After, duration, f.After >= 0, f.After != 0},
		{"until", false, &f.Until, "a duration longer than after, or 0", f.Until == 0 || f.Until > f.After, f.Until != 0},
		{"times", false, &f.Times, count, f.Times >= 0, f.Times != 0},
		{"probability", false, &f.Probability, chances, chance(f.Probability), f.Probability != 0},
		{"seed", false, &f.Seed, count, true, f.Seed != 0},
		{"effect", false, &f.Effect, "one of " + effectNames(), knownEffect(f.Effect), f.Effect != ""},
		{"stored", true, &f.Stored, "true or false", true, f.Stored},
		{
			"indexes", true, &f.Indexes, "a list of whole numbers of 0 or more",
			!slices.ContainsFunc(f.Indexes, func(i int) bool { return i < 0 }), len(f.Indexes) > 0,
		},
		{"share", true, &f.Share, chances, chance(f.Share), f.Share != 0},
		{"code", true, &f.Code, "an error code, with refuse-key InvalidKMSResourceException or AccessDeniedException", f.Effect != RefuseKey || slices.Contains([]string{"", codeInvalidKey, codeAccessDenied}, f.Code), f.Code != ""},
		{"message", true, &f.Message, "a text", true, f.Message != ""},
		{"status", true, &f.Status, "an HTTP status from 400 to 599, or 0", f.Status == 0 || f.Status >= 400 && f.Status <= 599, f.Status != 0},
		{"body", true, &f.Body, "json, html or empty", slices.Contains([]string{"", "json", "html", "empty"}, f.Body), f.Body != ""},
		{
			"unread", true, &f.Unread, "true or false, and not with stored or a stream",
			!f.Unread || !f.Stored && f.Stream == "", f.Unread,
		},
		{"delay", true, &f.Delay, duration, f.Delay >= 0, f.Delay != 0},
		{"skew", true, &f.Skew, `a duration such as "-10m"`, true, f.Skew != 0},
		{"count", true, &f.Count, count, f.Count >= 0, f.Count != 0},
		{"bytes", true, &f.Bytes, count, f.Bytes >= 0, f.Bytes != 0},
	}
}

func knownEffect(e Effect) bool {
	_, ok := details[e]
	return ok
}

// Validate reports every field that is out of range, or of no use to the
// effect, with its value and the accepted ones.
func (f Fault) Validate() error { return errors.Join(f.faults("")...) }

// validateFaults is Validate for a whole script.
func validateFaults(name string, faults []Fault) error {
	var errs []error
	for i, f := range faults {
		errs = append(errs, f.faults(fmt.Sprintf("%s[%d].", name, i))...)
	}
	return errors.Join(errs...)
}

func (f Fault) faults(prefix string) (errs []error) {
	used := strings.Fields(details[f.Effect])
	for _, d := range f.fields() {
		value, _ := json.Marshal(plain(d.to)) // plain values always encode
		switch {
		case !d.ok:
			errs = append(errs, fmt.Errorf("%s%s is %s; it must be %s", prefix, d.name, value, d.allowed))
		case d.detail && d.set && knownEffect(f.Effect) && !slices.Contains(used, d.name):
			errs = append(errs, fmt.Errorf("%s%s is %s, but effect %s has no use for it; it uses: %s", prefix, d.name, value, f.Effect, orNone(used)))
		}
	}
	if f.Refuse != nil && f.Effect != RefuseRecords {
		errs = append(errs, fmt.Errorf("%sRefuse is set, but only effect %s has a use for it", prefix, RefuseRecords))
	}
	return errs
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// plain is what a field's pointer points to, as JSON writes it.
func plain(to any) any {
	if d, ok := to.(*time.Duration); ok {
		return d.String()
	}
	return to
}
