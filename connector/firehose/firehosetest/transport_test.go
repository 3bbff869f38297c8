package firehosetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/firehose/firehosetest"
)

// seen is what a client sees of one call, in a form that Do and a listener must
// agree on.
type seen struct {
	Status  int
	Type    string
	Close   bool
	Body    string // its shape: see shape
	Err     string // its kind: see kind
	Stored  []string
	Told    []bool
	Outcome map[string]int
}

func look(t *testing.T, s *firehosetest.Service, d doer, c call) seen {
	t.Helper()
	var out seen
	r := c.request(t)
	resp, err := d.Do(r)
	if err == nil {
		var body []byte
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		out.Status, out.Type, out.Close = resp.StatusCode, resp.Header.Get("Content-Type"), resp.Close
		out.Body = shape(string(body))
		for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Id-2", "Date"} {
			if resp.Header.Get(name) == "" {
				t.Errorf("no header %s", name)
			}
		}
		if got := resp.ContentLength; got != int64(len(body)) && err == nil {
			t.Errorf("ContentLength %d, body %d", got, len(body))
		}
	} else {
		wantURLError(t, err)
	}
	out.Err = kind(err)
	waitIdle(s)
	for _, rec := range s.Stored("orders") {
		out.Stored, out.Told = append(out.Stored, string(rec.Data)), append(out.Told, rec.Answered)
	}
	out.Outcome = s.Stats().Outcomes
	return out
}

// waitIdle waits for the handler to have returned, which a client behind a
// socket can't know.
func waitIdle(s *firehosetest.Service) {
	for s.Stats().InFlight > 0 {
		time.Sleep(time.Millisecond)
	}
}

// shape replaces ids by their length.
func shape(body string) string {
	parts := strings.Split(body, `"`)
	for i, p := range parts {
		if i%2 == 1 && len(p) > 100 { // inside quotes
			parts[i] = fmt.Sprint(len(p))
		}
	}
	return strings.Join(parts, `"`)
}

// kind classes an error as a client would.
func kind(err error) string {
	var op *net.OpError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, syscall.ECONNRESET) && errors.As(err, &op):
		return "reset"
	case errors.Is(err, syscall.EPIPE):
		return "reset" // the write lost the race against the reset
	case errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &op):
		return "refused"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	case errors.Is(err, io.EOF):
		return "closed"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return err.Error()
}

const accepted = `{"RecordId":"224"}`

func okBody(failed int, entries ...string) string {
	return fmt.Sprintf(`{"Encrypted":false,"FailedPutCount":%d,"RequestResponses":[%s]}`, failed, strings.Join(entries, ","))
}

// TestFaults meets each fault through Do and through a listener: the client
// sees the same, and the same is stored.
func TestFaults(t *testing.T) {
	type F = firehosetest.Fault
	slow := `{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."}`
	internal := `{"ErrorCode":"InternalFailure","ErrorMessage":"Internal service failure."}`
	ab, told, untold := []string{"a", "b"}, []bool{true, true}, []bool{false, false}
	const amz = "application/x-amz-json-1.1"
	ok, none := map[string]int{"200": 1}, map[string]int{"none": 1}
	busy := map[string]int{"ServiceUnavailableException": 1}
	html := "<html>\r\n<head><title>503 Service Unavailable</title></head>\r\n<body>\r\n<center><h1>503 Service Unavailable</h1></center>\r\n</body>\r\n</html>\r\n"

	for name, tc := range map[string]struct {
		faults []F
		want   seen
	}{
		"control case":         {nil, seen{200, amz, false, okBody(0, accepted, accepted), "", ab, told, ok}},
		"refuse all records":   {[]F{{Effect: firehosetest.RefuseRecords}}, seen{200, amz, false, okBody(2, slow, slow), "", nil, nil, ok}},
		"refuse one record":    {[]F{{Effect: firehosetest.RefuseRecords, Indexes: []int{1, 7}, Code: "InternalFailure"}}, seen{200, amz, false, okBody(1, accepted, internal), "", ab[:1], told[:1], ok}},
		"refuse by function":   {[]F{{Effect: firehosetest.RefuseRecords, Refuse: refuseA}}, seen{200, amz, false, okBody(1, slow, accepted), "", ab[1:], told[1:], ok}},
		"refuse with own text": {[]F{{Effect: firehosetest.RefuseRecords, Indexes: []int{0}, Code: "X", Message: `"y"`}}, seen{200, amz, false, okBody(1, `{"ErrorCode":"X","ErrorMessage":"\"y\""}`, accepted), "", ab[1:], told[1:], ok}},
		"503 JSON":             {[]F{{Effect: firehosetest.RefuseRequest}}, seen{503, amz, false, `{"__type":"ServiceUnavailableException","message":"Slow down."}`, "", nil, nil, busy}},
		"503 HTML":             {[]F{{Effect: firehosetest.RefuseRequest, Body: "html"}}, seen{503, "text/html", true, html, "", nil, nil, busy}},
		"503 empty":            {[]F{{Effect: firehosetest.RefuseRequest, Body: "empty"}}, seen{503, "", true, "", "", nil, nil, busy}},
		"503 unread":           {[]F{{Effect: firehosetest.RefuseRequest, Unread: true}}, seen{503, amz, false, `{"__type":"ServiceUnavailableException","message":"Slow down."}`, "", nil, nil, busy}},
		"503 but stored":       {[]F{{Effect: firehosetest.RefuseRequest, Stored: true}}, seen{503, amz, false, `{"__type":"ServiceUnavailableException","message":"Slow down."}`, "", ab, untold, busy}},
		"413":                  {[]F{{Effect: firehosetest.RefuseRequest, Code: "RequestEntityTooLarge"}}, seen{413, "", true, "", "", nil, nil, map[string]int{"RequestEntityTooLarge": 1}}},
		"expired token":        {[]F{{Effect: firehosetest.RefuseRequest, Code: "ExpiredTokenException"}}, seen{400, amz, false, `{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}`, "", nil, nil, map[string]int{"ExpiredTokenException": 1}}},
		"key of no stream":     {[]F{{Effect: firehosetest.RefuseKey}}, seen{200, amz, false, okBody(0, accepted, accepted), "", ab, told, ok}},
		"reset before read":    {[]F{{Effect: firehosetest.Reset}}, seen{Err: "reset", Outcome: none}},
		"reset of one stream":  {[]F{{Effect: firehosetest.Reset, Stream: "orders"}}, seen{Err: "reset", Outcome: none}},
		"store, then reset":    {[]F{{Effect: firehosetest.Reset, Stored: true}}, seen{Err: "reset", Stored: ab, Told: untold, Outcome: none}},
		"idle close":           {[]F{{Effect: firehosetest.Close}}, seen{Err: "closed", Outcome: none}},
		"store, then close":    {[]F{{Effect: firehosetest.Close, Stored: true}}, seen{Err: "closed", Stored: ab, Told: untold, Outcome: none}},
		"hang":                 {[]F{{Effect: firehosetest.Hang}}, seen{Err: "timeout", Outcome: none}},
		"store, then hang":     {[]F{{Effect: firehosetest.Hang, Stored: true}}, seen{Err: "timeout", Stored: ab, Told: untold, Outcome: none}},
		"hang, then reset":     {[]F{{Effect: firehosetest.Hang, Delay: time.Millisecond}}, seen{Err: "reset", Outcome: none}},
		"delay too long":       {[]F{{Effect: firehosetest.Delay, Delay: time.Hour}}, seen{Err: "timeout", Outcome: none}},
		"store, delay":         {[]F{{Effect: firehosetest.Delay, Delay: time.Hour, Stored: true}}, seen{Err: "timeout", Stored: ab, Told: untold, Outcome: none}},
		"short delay":          {[]F{{Effect: firehosetest.Delay, Delay: time.Millisecond}}, seen{200, amz, false, okBody(0, accepted, accepted), "", ab, told, ok}},
		"slow body":            {[]F{{Effect: firehosetest.SlowBody, Delay: 10 * time.Millisecond}}, seen{200, amz, false, okBody(0, accepted, accepted), "", ab, told, ok}},
		"cut body":             {[]F{{Effect: firehosetest.CutBody, Bytes: 18, Stored: true}}, seen{200, amz, false, okBody(0)[:18], "cut", ab, untold, ok}},
		"cut body, not stored": {[]F{{Effect: firehosetest.CutBody, Bytes: 18}}, seen{200, amz, false, okBody(0)[:18], "cut", nil, nil, ok}},
		"empty object":         {[]F{{Effect: firehosetest.EmptyObject}}, seen{200, amz, false, "{}", "", nil, nil, ok}},
		"empty object, stored": {[]F{{Effect: firehosetest.EmptyObject, Stored: true}}, seen{200, amz, false, "{}", "", ab, untold, ok}},
		"empty body":           {[]F{{Effect: firehosetest.EmptyBody, Stored: true}}, seen{200, amz, false, "", "", ab, untold, ok}},
		"short answer":         {[]F{{Effect: firehosetest.ShortAnswer}}, seen{200, amz, false, okBody(0, accepted), "", ab[:1], told[:1], ok}},
		"short by all, stored": {[]F{{Effect: firehosetest.ShortAnswer, Count: 9, Stored: true}}, seen{200, amz, false, okBody(0), "", ab, untold, ok}},
		"long answer":          {[]F{{Effect: firehosetest.LongAnswer, Count: 2}}, seen{200, amz, false, okBody(0, accepted, accepted, accepted, accepted), "", ab, told, ok}},
		"wrong count":          {[]F{{Effect: firehosetest.WrongCount, Count: 2}}, seen{200, amz, false, okBody(2, accepted, accepted), "", ab, told, ok}},
		"count 0, all failed":  {[]F{{Effect: firehosetest.RefuseRecords}, {Effect: firehosetest.WrongCount}}, seen{200, amz, false, okBody(0, slow, slow), "", nil, nil, ok}},
		"blank entry":          {[]F{{Effect: firehosetest.BlankEntries, Indexes: []int{0}}}, seen{200, amz, false, okBody(0, "{}", accepted), "", ab[1:], told[1:], ok}},
		"blank, stored":        {[]F{{Effect: firehosetest.BlankEntries, Indexes: []int{0}, Stored: true}}, seen{200, amz, false, okBody(0, "{}", accepted), "", ab, []bool{false, true}, ok}},
		"double entry":         {[]F{{Effect: firehosetest.DoubleEntries, Indexes: []int{1}, Stored: true}}, seen{200, amz, false, okBody(0, accepted, `{"RecordId":"224",`+internal[1:]), "", ab, []bool{true, false}, ok}},
		"first decides":        {[]F{{Effect: firehosetest.EmptyObject}, {Effect: firehosetest.Reset, Stored: true}}, seen{200, amz, false, "{}", "", nil, nil, ok}},
	} {
		for _, through := range []string{"Do", "listener"} {
			t.Run(name+"/"+through, func(t *testing.T) {
				s := newService(func(o *firehosetest.Options) { o.Faults = tc.faults })
				patience := time.Minute
				if tc.want.Err == "timeout" {
					patience = 100 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				c := put(text("a", "b")...)
				c.ctx = ctx
				var d doer = s
				if through == "listener" {
					c.base, d = listenAt(t, s)
				}
				if diff := cmp.Diff(tc.want, look(t, s, d, c)); diff != "" {
					t.Errorf("want -, got +:\n%s", diff)
				}
			})
		}
	}
}

func listenAt(t *testing.T, h http.Handler) (string, doer) {
	t.Helper()
	base, client := listen(t, h)
	return base, client
}

func refuseA(call, index int, data []byte) string {
	if call == 1 && index == 0 && string(data) == "a" {
		return "ServiceUnavailableException"
	}
	return ""
}

// TestOutage is the one fault that a listener can only come close to.
func TestOutage(t *testing.T) {
	s := newService(func(o *firehosetest.Options) { o.Faults = []firehosetest.Fault{{Effect: firehosetest.Outage}} })
	if got := look(t, s, s, put([]byte("x"))).Err; got != "refused" {
		t.Errorf("Do: %s", got)
	}
	c := put([]byte("x"))
	base, client := listenAt(t, s)
	c.base = base
	if got := look(t, s, client, c).Err; got != "reset" {
		t.Errorf("listener: %s", got)
	}
}

// TestLargeBodyUnread answers and resets while 5 MB are being sent.
func TestLargeBodyUnread(t *testing.T) {
	s := newService(nil)
	c := put(sized(500, 8_000)...)
	var client doer
	c.base, client = listenAt(t, s)
	s.SetFaults([]firehosetest.Fault{{Effect: firehosetest.Reset}})
	// Or that it was closed under its own write, which net/http does on a reset.
	if got := look(t, s, client, c); got.Err == "" || got.Stored != nil {
		t.Errorf("reset: %+v", got)
	}
	s.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Unread: true}})
	// The client may see the 503, or that its connection was closed on it.
	if got := look(t, s, client, c); got.Status != 503 && got.Err == "" || got.Stored != nil {
		t.Errorf("503: %+v", got)
	}
	s.ClearFaults()
	if got := look(t, s, client, c); len(got.Stored) != 500 {
		t.Errorf("control: %d stored", len(got.Stored))
	}
}
