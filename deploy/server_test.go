package deploy_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a real Prometheus.
type server struct {
	t       *testing.T
	process *process
	url     string
	config  string // the file
	takes   string // the line of it that has native histograms taken
	groups  []string
	jobs    map[string]string // :: address of a process -> job

	mu    sync.Mutex
	fired map[string]time.Time // when each alert was first seen firing
	now   map[string]bool      // those that fire, as job/alert
}

// startServer has it scrape every second, load the rules, and take native histograms from
// those who have them.
func startServer(t *testing.T, binary, rules string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, config: filepath.Join(dir, "prometheus.yaml"), fired: map[string]time.Time{}, jobs: map[string]string{}}
	version, err := exec.Command(binary, "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("PROMETHEUS: %v\n%s", err, version)
	}
	args := []string{"--config.file=" + s.config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0"}
	if strings.Contains(string(version), "version 2.") {
		args = append(args, "--enable-feature=native-histograms")
	} else {
		s.takes = "scrape_native_histograms: true"
	}
	write(t, filepath.Join(dir, "rules.yaml"), rules)
	s.configure()
	s.process = run(t, exec.Command(binary, args...))
	s.url = "http://" + s.process.says(t, regexp.MustCompile(`msg="Listening on".* address=(\S+)`))
	waitFor(t, time.Minute, "Prometheus is ready", func() bool {
		answer, err := http.Get(s.url + "/-/ready")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return s
}

// scrape adds a process under the name of a job, and returns when it has been scraped: what it
// counts before that is no increase.
func (s *server) scrape(job, addr string) {
	s.t.Helper()
	s.groups = append(s.groups, fmt.Sprintf("      - {targets: [%q], labels: {job: %s, namespace: streaming}}\n", addr, job))
	s.jobs[addr] = job
	s.configure()
	if err := s.process.cmd.Process.Signal(syscall.SIGHUP); err != nil { // read it again
		s.t.Fatal(err)
	}
	waitFor(s.t, time.Minute, "Prometheus has scraped "+job, func() bool {
		lines, err := s.over(`up{job="`+job+`"} == 1`, time.Now(), time.Now())
		return err == nil && len(lines) > 0
	})
}

func (s *server) configure() {
	s.t.Helper()
	write(s.t, s.config, `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: pods
    `+s.takes+`
    static_configs:
`+strings.Join(s.groups, ""))
}

// watch notes which alerts fire, twice a second, until the test ends.
func (s *server) watch() {
	for ; s.t.Context().Err() == nil; <-time.After(500 * time.Millisecond) {
		var data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
		if s.get("/api/v1/alerts", nil, &data) != nil {
			continue
		}
		s.mu.Lock()
		s.now = map[string]bool{}
		for _, a := range data.Alerts {
			if a.State != "firing" {
				continue
			}
			name := a.Labels["alertname"]
			s.now[a.Labels["job"]+"/"+name] = true
			if s.fired[name].IsZero() {
				s.fired[name] = time.Now()
			}
		}
		s.mu.Unlock()
	}
}

// firing is which alerts fire now, as job/alert.
func (s *server) firing() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.now {
		names = append(names, name)
	}
	return names
}

func (s *server) fires(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now[name]
}

// series is an answer to a query: a line of a graph.
type series struct {
	labels map[string]string
	times  []float64 // Unix time
	values []float64
}

// over asks a query for each second of the time.
func (s *server) over(query string, from, to time.Time) (lines []series, err error) {
	var data struct {
		Result []struct {
			Metric map[string]string
			Values [][2]any
		}
	}
	err = s.get("/api/v1/query_range", url.Values{"query": {query}, "start": {unix(from)}, "end": {unix(to)}, "step": {"1"}}, &data)
	for _, r := range data.Result {
		line := series{labels: r.Metric}
		for _, v := range r.Values {
			at, _ := v[0].(float64)
			text, _ := v[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, err
			}
			line.times, line.values = append(line.times, at), append(line.values, value)
		}
		lines = append(lines, line)
	}
	return lines, err
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// wantHistograms: this server takes native histograms. Of the process that was told to have some it
// kept nothing of the buckets, which is why nobody has them unless told to; of the other one it kept
// all, as the alerts and the dashboard need it.
func (s *server) wantHistograms(from, to time.Time) {
	s.t.Helper()
	const name = "kafka_firehose_request_duration_seconds"
	for query, want := range map[string]bool{
		name + `_bucket{job="bridge"}`:                     true,
		name + `_bucket{job="events"}`:                     false,
		"histogram_count(" + name + `{job="bridge"}) >= 0`: false,
		"histogram_count(" + name + `{job="events"}) >= 0`: true,
	} {
		lines, err := s.over(query, from, to)
		if err != nil || hasData(lines) != want {
			s.t.Errorf("%s has data: %v, want %v (%v)", query, hasData(lines), want, err)
		}
	}
}

// hasData reports that there is a number among the values.
func hasData(lines []series) bool {
	for _, l := range lines {
		for _, v := range l.values {
			if !math.IsNaN(v) {
				return true
			}
		}
	}
	return false
}

func (s *server) get(path string, query url.Values, data any) error {
	answer, err := http.Get(s.url + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	envelope := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil {
		return err
	}
	if envelope.Status != "success" {
		return fmt.Errorf("%s: %s", envelope.Status, envelope.Error)
	}
	return nil
}
