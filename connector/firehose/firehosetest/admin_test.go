package firehosetest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAdmin changes a service over HTTP.
func TestAdmin(t *testing.T) {
	s := newService(nil)
	f := func(method, path, body string, status int, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		s.Admin().ServeHTTP(w, httptest.NewRequest(method, "/_emulator/"+path, strings.NewReader(body)))
		var got bytes.Buffer
		if err := json.Compact(&got, w.Body.Bytes()); err != nil {
			got.WriteString(w.Body.String()) // net/http's own 404 and 405
		}
		if w.Code != status || !strings.Contains(got.String(), want) {
			t.Errorf("%s %s %s: got %d %s\nwant %d %s", method, path, body, w.Code, got.String(), status, want)
		}
	}
	f("GET", "health", "", 200, `{"status":"ok"}`)
	f("GET", "faults", "", 200, `[]`)
	f("PUT", "faults", `[{"effect":"empty-object","to":1}]`, 200, `[{"effect":"empty-object","to":1}]`)
	f("POST", "faults", `[{"effect":"hang","stored":true,"delay":"1s"}]`, 200, `[{"effect":"empty-object","to":1},{"delay":"1s","effect":"hang","stored":true}]`)
	f("PUT", "faults", `[{"effect":"rest"}]`, 400, `{"error":"faults[0].effect is \"rest\"; it must be one of blank-entries,`)
	f("GET", "faults", "", 200, `"hang"`) // a bad script changes nothing
	if r := do(t, s, put([]byte("x"))); string(r.body) != "{}" {
		t.Errorf("the script is not in force: %s", r.body)
	}
	f("DELETE", "faults", "", 200, `[]`)
	do(t, s, put([]byte("x"))).batch(t)

	f("GET", "stats", "", 200, `"orders":{"requests":2,"records":1,"bytes":1,"billed":5120,"refused":0,"unanswered":0}`)
	f("PUT", "streams", `{"name":"new","encrypted":true,"quota":{"recordsPerSecond":1}}`, 200, `[{"name":"new","type":"DirectPut","status":"ACTIVE","encrypted":true,"quota":{"recordsPerSecond":1}},{"name":"orders"`)
	f("PUT", "streams", `{"name":"a b"}`, 400, `stream name is \"a b\"`)
	f("PUT", "streams", `{"nam":"a"}`, 400, `unknown field`)
	f("PUT", "streams", `{"name":"a"} 1`, 400, `something follows`)
	f("PUT", "streams/new/quota", `{"bytesPerSecond":5}`, 200, `"quota":{"bytesPerSecond":5}`)
	f("PUT", "streams/new/quota", `{"bytesPerSecond":-5}`, 400, `bytesPerSecond is -5; it must be 0 (the default) or more`)
	f("PUT", "streams/nope/quota", `{}`, 404, `there is no stream \"nope\"`)
	f("DELETE", "streams/new", "", 200, `[{"name":"orders"`)
	f("DELETE", "streams/new", "", 404, `there is no stream \"new\"`)
	f("GET", "streams", "", 200, `[{"name":"orders"`)
	f("POST", "health", "", http.StatusMethodNotAllowed, "")
	f("GET", "nothing", "", http.StatusNotFound, "")
}
