package firehosetest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kafka-firehose/connector/firehose/firehosetest"
)

// TestSelection says, second by second and a request each, when a fault strikes.
func TestSelection(t *testing.T) {
	type F = firehosetest.Fault
	f := func(fault F, want string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			t.Helper()
			fault.Effect = firehosetest.EmptyObject
			s := newService(nil)
			time.Sleep(time.Hour) // a script's time starts when it is set
			s.AddFault(fault)
			got := ""
			for range want {
				r := do(t, s, put([]byte("x")))
				got += map[bool]string{true: "x", false: "."}[string(r.body) == "{}"]
				time.Sleep(time.Second)
			}
			if got != want {
				t.Errorf("%+v: got %s, want %s", fault, got, want)
			}
		})
	}
	f(F{}, "xxxxxx")
	f(F{From: 3}, "..xxxx")
	f(F{To: 2}, "xx....")
	f(F{From: 2, To: 4}, ".xxx..")
	f(F{Times: 2}, "xx....")
	f(F{From: 2, Times: 1}, ".x....")
	f(F{After: 2 * time.Second}, "..xxxx")
	f(F{After: time.Second, Until: 3 * time.Second}, ".xx...")
	f(F{Stream: "orders"}, "xxxxxx")
	f(F{Stream: "other"}, "......")
	f(F{Operation: "PutRecordBatch"}, "xxxxxx")
	f(F{Operation: "PutRecord"}, "......")
	f(F{Operation: "*"}, "xxxxxx")
	f(F{Probability: 1}, "xxxxxx")
	f(F{Probability: 0.5, Seed: 3}, ".x.x..xx.xxx")
}

// TestActiveEffects: an effect is active inside its window, counted from when it was set, and while it has strikes left.
func TestActiveEffects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(nil)
		time.Sleep(time.Hour)
		s.SetFaults([]firehosetest.Fault{
			{Effect: firehosetest.Reset, After: 2 * time.Second, Until: 4 * time.Second},
			{Effect: firehosetest.RefuseRecords, Share: 0.5},
			{Effect: firehosetest.RefuseRecords, Share: 0.1},
			{Effect: firehosetest.EmptyObject, Times: 1},
		})
		got := fmt.Sprint(s.ActiveEffects())
		do(t, s, put([]byte("x")))
		for range 3 {
			got += fmt.Sprint(s.ActiveEffects())
			time.Sleep(2 * time.Second)
		}
		s.ClearFaults()
		got += fmt.Sprint(s.ActiveEffects())
		if want := "[empty-object refuse-records][refuse-records][refuse-records reset][refuse-records][]"; got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	})
}

// TestShare fails a share of the records, the same for the same seed.
func TestShare(t *testing.T) {
	run := func(seed uint64) string {
		s := newService(nil)
		s.AddFault(firehosetest.Fault{Effect: firehosetest.RefuseRecords, Share: 0.1, Seed: seed})
		return do(t, s, put(sized(500, 1)...)).failed(t)
	}
	a := run(1)
	if n := strings.Count(a, "x"); n < 30 || n > 70 {
		t.Errorf("%d of 500 failed at a share of 0.1", n)
	}
	if a != run(1) || a == run(2) {
		t.Error("not repeatable by seed")
	}
}

// TestClockSkew has a service whose clock is ten minutes ahead.
func TestClockSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(nil)
		s.SetFaults([]firehosetest.Fault{{Effect: firehosetest.ClockSkew, Skew: 10 * time.Minute}})
		r := do(t, s, put([]byte("x")))
		r.wantError(t, 400, "InvalidSignatureException", "Signature expired: 20000101T000000Z is now earlier than 20000101T000500Z (20000101T001000Z - 5 min.)")
		if got := r.header.Get("Date"); got != "Sat, 01 Jan 2000 00:10:00 GMT" {
			t.Errorf("Date is %s", got)
		}
		c := put([]byte("x"))
		c.date = time.Now().Add(10 * time.Minute)
		do(t, s, c).batch(t)
		s.ClearFaults()
		do(t, s, put([]byte("x"))).batch(t)
	})
}

// TestParseFaults reads what it writes, with every field.
func TestParseFaults(t *testing.T) {
	want := []firehosetest.Fault{
		{Stream: "orders", Operation: "*", From: 1, To: 2, After: time.Second, Until: time.Minute, Times: 3, Probability: 0.5, Seed: 7, Effect: firehosetest.Reset, Stored: true},
		{Effect: firehosetest.RefuseRecords, Indexes: []int{0, 499}, Share: 0.25, Code: "InternalFailure", Message: "m"},
		{Effect: firehosetest.RefuseRequest, Status: 429, Body: "html", Unread: true},
		{Effect: firehosetest.Hang, Delay: 1500 * time.Millisecond},
		{Effect: firehosetest.ClockSkew, Skew: -10 * time.Minute},
		{Effect: firehosetest.WrongCount, Count: 3},
		{Effect: firehosetest.CutBody, Bytes: 100},
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := firehosetest.ParseFaults(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(firehosetest.Fault{}, "Refuse")); diff != "" {
		t.Error(diff)
	}
}

// TestParseFaultsErrors names each bad field, what it held and what is allowed.
func TestParseFaultsErrors(t *testing.T) {
	f := func(script string, want ...string) {
		t.Helper()
		_, err := firehosetest.ParseFaults(strings.NewReader(script))
		if err == nil {
			t.Fatalf("%s: no error", script)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s:\ngot  %v\nwant %s", script, err, w)
			}
		}
	}
	f(`{}`, "faults must be a JSON array of objects")
	f(`[] []`, "something follows")
	f(`[{"effect":"reset"},{"effect":"restet"}]`, `faults[1].effect is "restet"; it must be one of blank-entries, clock-skew, close,`)
	f(`[{}]`, `faults[0].effect is ""; it must be one of`)
	f(`[null]`, `faults[0].effect is ""`)
	f(`[{"effect":"reset","form":3,"x":null}]`, "faults[0].form is 3, but there is no such member; there are: stream, operation, from,", "faults[0].x is null")
	f(`[{"effect":"reset","from":-1}]`, "faults[0].from is -1; it must be a whole number of 0 or more")
	f(`[{"effect":"reset","from":1.5}]`, "faults[0].from is 1.5; it must be a whole number")
	f(`[{"effect":"reset","from":4,"to":3}]`, "faults[0].to is 3; it must be a whole number not below from, or 0")
	f(`[{"effect":"reset","after":"soon"}]`, `faults[0].after is "soon"; it must be a duration of 0 or more such as "1.5s"`)
	f(`[{"effect":"reset","after":5}]`, "faults[0].after is 5; it must be a duration")
	f(`[{"effect":"reset","after":"2s","until":"1s"}]`, `faults[0].until is "1s"; it must be a duration longer than after`)
	f(`[{"effect":"reset","probability":1.1,"times":null}]`, "faults[0].times is null")
	f(`[{"effect":"reset","probability":1.1}]`, "faults[0].probability is 1.1; it must be a number from 0 to 1")
	f(`[{"effect":"reset","operation":"Put"}]`, `faults[0].operation is "Put"; it must be PutRecordBatch, PutRecord,`)
	f(`[{"effect":"reset","count":2}]`, "faults[0].count is 2, but effect reset has no use for it; it uses: stored")
	f(`[{"effect":"outage","stored":true}]`, "faults[0].stored is true, but effect outage has no use for it; it uses: none")
	f(`[{"effect":"refuse-request","status":200,"body":"xml"}]`, "faults[0].status is 200; it must be an HTTP status from 400 to 599, or 0", `faults[0].body is "xml"; it must be json, html or empty`)
	f(`[{"effect":"refuse-request","unread":true,"stored":true}]`, "faults[0].unread is true; it must be true or false, and not with stored")
	f(`[{"effect":"refuse-records","indexes":[1,-1]}]`, "faults[0].indexes is [1,-1]; it must be a list")
}

// TestMisuse panics with a sentence.
func TestMisuse(t *testing.T) {
	f := func(name, want string, misuse func()) {
		t.Helper()
		defer func() {
			t.Helper()
			if got, _ := recover().(string); !strings.Contains(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}()
		misuse()
	}
	s := newService(nil)
	f("New", `Streams[0]: stream name is "a b"`, func() {
		firehosetest.New(firehosetest.Options{Streams: []firehosetest.Stream{{Name: "a b"}}})
	})
	f("New", `Streams[1]: a stream named "a" is there already`, func() {
		firehosetest.New(firehosetest.Options{Streams: []firehosetest.Stream{{Name: "a"}, {Name: "a"}}})
	})
	f("New", "Credentials[0] needs both", func() {
		firehosetest.New(firehosetest.Options{Credentials: []firehosetest.Credentials{{AccessKey: "a"}}})
	})
	f("New", "RequestLimitBytes is -1", func() { firehosetest.New(firehosetest.Options{RequestLimitBytes: -1}) })
	f("New", "Keep is 3", func() { firehosetest.New(firehosetest.Options{Keep: 3}) })
	f("SetFaults", `faults[0].effect is ""`, func() { s.SetFaults([]firehosetest.Fault{{}}) })
	f("AddFault", "Refuse is set, but only effect refuse-records has a use for it", func() {
		s.AddFault(firehosetest.Fault{Effect: firehosetest.Reset, Refuse: refuseA})
	})
	f("AddStream", `type of stream "a" is "Kafka"; it must be one of DirectPut,`, func() { s.AddStream(firehosetest.Stream{Name: "a", Type: "Kafka"}) })
	f("AddStream", `status of stream "a" is "UP"; it must be one of ACTIVE,`, func() { s.AddStream(firehosetest.Stream{Name: "a", Status: "UP"}) })
	f("SetQuota", "bytesPerSecond is -1; it must be 0 (the default) or more", func() { s.SetQuota("orders", firehosetest.Quota{BytesPerSecond: -1}) })
}
