package e2e_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"regexp"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protodelim"
)

// TestNativeHistogramsOfTheProcess: a server that takes native histograms gets them from a
// process that was told to have some, and from no other. It would drop the buckets for them.
func TestNativeHistogramsOfTheProcess(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for native, env := range map[bool][]string{false: nil, true: {"METRICS_NATIVE_HISTOGRAMS=true"}} {
		c := h.start(env...)
		before := h.sent()
		h.produce(10)
		h.untilSent(c, before)
		found := false
		for _, f := range scrape(t, c) {
			for _, m := range f.GetMetric() {
				if m.GetHistogram() == nil {
					continue
				}
				found = true
				if got := m.GetHistogram().Schema != nil; got != native {
					t.Errorf("%q: is %s a native histogram: %v", env, f.GetName(), got)
				}
				if len(m.GetHistogram().GetBucket()) == 0 {
					t.Errorf("%q: %s has no buckets", env, f.GetName())
				}
			}
		}
		if !found {
			t.Errorf("%q: there are no histograms", env)
		}
		h.drain(c)
	}
}

var servesAt = regexp.MustCompile(`"serving metrics and probes".*"addr":"([^"]+)"`)

// scrape reads /metrics in the form that native histograms need.
func scrape(t *testing.T, c *child) (families []*dto.MetricFamily) {
	t.Helper()
	addr := servesAt.FindStringSubmatch(c.log.String())
	if addr == nil {
		t.Fatalf("where are the metrics?\n%s", c.log.String())
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr[1]+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for body := bufio.NewReader(answer.Body); ; {
		var f dto.MetricFamily
		switch err := protodelim.UnmarshalFrom(body, &f); {
		case errors.Is(err, io.EOF):
			return families
		case err != nil:
			t.Fatal(err)
		}
		families = append(families, &f)
	}
}
