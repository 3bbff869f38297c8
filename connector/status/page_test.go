package status

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, s Snapshot, path string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRecorder()
	PageHandler(func() Snapshot { return s }, http.NotFoundHandler()).ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
	text, err := io.ReadAll(r.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.Result(), string(text)
}

// large is a snapshot of a process that has much to tell.
func large() Snapshot {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	s := Snapshot{At: at, Phase: "running", Live: true, Group: Group{ID: "g", Joined: true}}
	for i := range 2000 {
		s.Partitions = append(s.Partitions, Partition{Topic: "orders", Partition: int32(i), Lag: int64(i), Committed: 1_234_567, State: "reading"})
	}
	for i := range 20 {
		one := Stream{Name: fmt.Sprintf("stream-%d", i), State: "ok", LastAccepted: at.Add(-time.Second), QuotaBytes: 1 << 20, AcceptedBytes: 1 << 40}
		for j := range historySeconds / pointSeconds {
			one.History = append(one.History, Second{AcceptedBytes: float64(j * 10_000)})
			one.PeakBytes = append(one.PeakBytes, float64(j*20_000))
		}
		s.Streams = append(s.Streams, one)
	}
	for range maxEvents {
		s.Events = append(s.Events, Event{At: at, Level: "INFO", Text: strings.Repeat("x", maxEventText)})
	}
	return s
}

// TestPage: it is whole, within its bound, lists the partitions with the largest lag, and loads nothing.
func TestPage(t *testing.T) {
	resp, text := get(t, large(), "/")
	for _, want := range []string{"2\u202f000 partitions", "lag 1\u202f999\u202f000 records", "and 1\u202f900 more with less lag", "1.0 TiB", "stream-19", "<path vector", `<path class="peak" vector-effect="non-scaling-stroke" d="M0.0 40.0L2.0`, "</html>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if len(text) > 200<<10 {
		t.Errorf("the page has %d bytes, want 200 KiB at most", len(text))
	}
	if p := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'; style-src 'sha256-") || strings.Contains(p, "unsafe") {
		t.Errorf("policy: %s", p)
	}
	for _, bad := range []string{"<script", "http://", "https://", "url(", "@import", " style=", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if resp, _ := get(t, large(), "/elsewhere"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("another path answers %s", resp.Status)
	}
}

// TestHostileTexts: whatever comes from outside is shown as text.
func TestHostileTexts(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>'` + "\u202e</style>"
	var s Snapshot
	fillTexts(reflect.ValueOf(&s).Elem(), evil)
	_, text := get(t, s, "/")
	if n := strings.Count(text, "<script"); n > 0 || strings.Contains(text, "<img") {
		t.Errorf("%d scripts come through:\n%s", n, text)
	}
	if n := strings.Count(text, "&lt;script&gt;"); n < 25 {
		t.Errorf("the text is shown %d times, want it for each field", n)
	}
	_, text = get(t, s, "/status")
	var back Snapshot
	if err := json.Unmarshal([]byte(text), &back); err != nil || back.Group.ID != evil {
		t.Errorf("%v: %q", err, back.Group.ID)
	}
}

// fillTexts sets every text below v, with one element in each slice.
func fillTexts(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillTexts(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillTexts(v.Index(0), text)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillTexts(v.Field(i), text)
			}
		}
	default:
	}
}

// TestPageOfRuntimeSettings: the page and the text say what is paused, by what, and which limits are changed.
func TestPageOfRuntimeSettings(t *testing.T) {
	s := Snapshot{
		Partitions: []Partition{{Topic: "orders", State: "paused", Reason: "runtime settings"}},
		Runtime: &Runtime{
			File: "/etc/settings.json", LogLevel: "debug", PausedTopics: []string{"orders"}, PausedStreams: []string{"d"}, Unknown: []string{"topic order"},
			Changed: []RuntimeChange{{Stream: "s", Setting: "max_bytes_per_second", Value: "1MiB"}},
		},
	}
	_, page := get(t, s, "/")
	var text strings.Builder
	if err := WriteText(&text, []Member{{Addr: "a:1", Snapshot: s}, {Addr: "b:1"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"paused: runtime settings", "paused topics: orders", "paused streams: d", "stream s: max_bytes_per_second is 1MiB", "without effect, unknown topic order"} {
		if !strings.Contains(page, want) || !strings.Contains(text.String(), want) {
			t.Errorf("the page or the text has no %q\n%s", want, &text)
		}
	}
	if _, page := get(t, Snapshot{Runtime: &Runtime{}}, "/"); !strings.Contains(page, "nothing is paused, no limit is changed") {
		t.Error("the page does not say that nothing is changed")
	}
	if _, page := get(t, Snapshot{}, "/"); strings.Contains(page, "Runtime settings") {
		t.Error("the page shows runtime settings although there is no file")
	}
}

// TestPageOfBadRecords: the page and the text count bad records, and the page says how the Schema Registry is doing and how
// old the oldest record in memory is, and that of each partition.
func TestPageOfBadRecords(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	s := Snapshot{
		At: at, BadRecords: BadRecords{Policy: "skip", Records: 1234}, Memory: Memory{OldestAge: 90},
		Registry: &Registry{Type: "glue", Failure: "it answers 503", Since: at.Add(-time.Minute)},
	}
	_, page := get(t, s, "/")
	for _, want := range []string{`<span class="warn">1` + "\u202f" + `234 bad records</span>, policy <span>skip</span>`, "Schema Registry <span>glue</span>:", "began 1m0s ago: it answers 503", "the oldest record for 1m30s"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	var text strings.Builder
	if err := WriteText(&text, []Member{{Addr: "a:1", Snapshot: s}}); err != nil || !strings.Contains(text.String(), "BAD RECORDS") || !strings.Contains(text.String(), "1234") {
		t.Errorf("%v: the text does not count the bad records:\n%s", err, &text)
	}
	s.Partitions = []Partition{{Topic: "orders", OldestAge: 75.5}}
	_, page = get(t, s, "/")
	text.Reset()
	if err := WriteText(&text, []Member{{Addr: "a:1", Snapshot: s}}); err != nil || !strings.Contains(page, ">1m15s<") || !strings.Contains(text.String(), "OLDEST") || !strings.Contains(text.String(), "1m15s") {
		t.Errorf("%v: the page or the text does not say how old the oldest record of the partition is:\n%s", err, &text)
	}
	_, page = get(t, Snapshot{Registry: &Registry{Type: "confluent"}}, "/")
	if !strings.Contains(page, `<span>0 bad records</span>`) || !strings.Contains(page, "no failure") || strings.Contains(page, "the oldest record") {
		t.Error("the page of a process without a fault shows one")
	}
	if _, page := get(t, Snapshot{}, "/"); strings.Contains(page, "Schema Registry") {
		t.Error("the page shows a Schema Registry although no record is decoded")
	}
}

// TestAnswersAreBounded: clients that don't read hold no more than some answers in memory.
func TestAnswersAreBounded(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	h := PageHandler(func() Snapshot { begun <- struct{}{}; <-end; return large() }, http.NotFoundHandler())
	ask := func() int {
		r := httptest.NewRecorder()
		h.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/status", nil))
		return r.Code
	}
	codes := make(chan int)
	for range maxAnswers {
		go func() { codes <- ask() }()
		<-begun
	}
	if code := ask(); code != http.StatusServiceUnavailable {
		t.Errorf("one more is answered with %d", code)
	}
	close(end)
	for range maxAnswers {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("an answer under way ends with %d", code)
		}
	}
}

// TestJSON: times that are zero are left out, and lists are lists.
func TestJSON(t *testing.T) {
	resp, text := get(t, large(), "/status")
	if resp.Header.Get("Content-Type") != "application/json" || strings.Contains(text, "0001-01-01") {
		t.Errorf("%s: %.300s", resp.Header.Get("Content-Type"), text)
	}
}

func TestHistory(t *testing.T) {
	var h History
	for i := range int64(700) {
		h.AddTotals(Totals{OfferedBytes: 200 * i, OfferedRecords: 2 * i, Requests: i, AcceptedBytes: 100 * i, AcceptedRecords: i, RefusedRecords: i / 4})
	}
	h.AddTotals(Totals{OfferedBytes: 200*699 + 5000, OfferedRecords: 2*699 + 50, Requests: 699 + 3, AcceptedBytes: 100*699 + 4000, AcceptedRecords: 699 + 40, RefusedRecords: 699/4 + 10})
	if p := h.PeakSecond(); p != (Second{5000, 50, 3, 4000, 40, 10}) {
		t.Errorf("peak %+v", p)
	}
	points := h.ListPoints()
	if len(points) != 120 || points[0].AcceptedBytes != 100 || points[119].AcceptedBytes != (4*100+4000)/5.0 {
		t.Errorf("%d points, from %+v to %+v", len(points), points[0], points[len(points)-1])
	}
	if peaks := h.PeakBytes(); len(peaks) != 120 || peaks[0] != 100 || peaks[119] != 4000 {
		t.Errorf("%d peaks, from %v to %v", len(peaks), peaks[0], peaks[len(peaks)-1])
	}
	if s := h.RefusedShare(); s < 0.19 || s > 0.21 {
		t.Errorf("refused %v, want the fifth of those that were answered", s)
	}
	for i := int64(0); i <= peakSeconds; i++ {
		h.AddTotals(h.last)
	}
	if p := h.PeakSecond(); p != (Second{}) {
		t.Errorf("a minute later the peak is %+v", p)
	}
}

func BenchmarkStatus(b *testing.B) {
	s := large()
	h := PageHandler(func() Snapshot { return s }, http.NotFoundHandler())
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/status", nil))
	}
}

func TestFormatBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 30: "5 GiB", 3 << 40: "3.0 TiB"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
