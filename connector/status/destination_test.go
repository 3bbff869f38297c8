package status

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The page shows how late a destination is, and nothing of one that is not watched.
func TestPageShowsDestinations(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	half := 0.5
	for name, row := range map[string]struct {
		destination *Destination
		want        string
	}{
		"late": {&Destination{Late: 46_800, LateAt: now.Add(-3 * time.Minute), Success: &half, Held: true}, "<dt>Destination<dd>13h0m0s late 3m0s ago, 50.0 % of the deliveries succeed"},
		"dropped": {
			&Destination{Dropped: []Drop{{From: now.Add(-60 * time.Hour), Until: now.Add(-48 * time.Hour), LastAt: now.Add(-time.Hour), Replay: "kafka-firehose replay -from T"}}},
			`Dropped by Firehose, 1h0m0s ago<dd>accepted 11-27 00:00 to 11-27 12:00 UTC; unless it was done, run <code>kafka-firehose replay -from T</code>`,
		},
		"no value":  {&Destination{}, "<dt>Destination<dd>no value in the last hour"},
		"unwatched": {nil, ""},
	} {
		s := EmptySnapshot(now, "g")
		s.Streams = []Stream{{Name: "s", State: "held", Reason: "its destination is late", Destination: row.destination}}
		page := httptest.NewRecorder()
		PageHandler(func() Snapshot { return s }, http.NotFoundHandler()).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		if body := page.Body.String(); !strings.Contains(body, row.want) || strings.Contains(body, "<dt>Destination") != (row.want != "") || !strings.Contains(body, `<span class="warn">held</span>`) {
			t.Errorf("%s: want %q in\n%s", name, row.want, body)
		}
		var text strings.Builder
		err := WriteText(&text, []Member{{Addr: "a:1", Snapshot: s}, {Addr: "b:1", Snapshot: s}})
		if n := strings.Count(text.String(), "stream s: Firehose has probably dropped records that it accepted from 2026-11-27 00:00 to 2026-11-27 12:00 UTC; unless it was done, run kafka-firehose replay -from T\n"); (n == 1) != (name == "dropped") || n > 1 {
			t.Errorf("%s: the text names dropped records %d times\n%s", name, n, text.String())
		}
		if err != nil || !strings.Contains(text.String(), " held ") {
			t.Errorf("%s: %v\n%s", name, err, text.String())
		}
	}
}
