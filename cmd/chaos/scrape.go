package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// telling are the metrics that tell why a record may come again.
var telling = map[string]signKind{
	"kafka_firehose_records_ambiguous_total":           signAmbiguous,
	"kafka_firehose_kafka_rebalances_total{lost}":      signLost,
	"kafka_firehose_kafka_revoke_drain_timeouts_total": signLost,
	"kafka_firehose_kafka_commits_total{error}":        signCommit,
}

// scraper keeps connections to the processes that live.
var scraper = &http.Client{Transport: &http.Transport{IdleConnTimeout: 5 * time.Second}}

// scrape looks at a process every half second until it ends, as Prometheus would.
func (p *process) scrape(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.gone:
			return
		case <-tick.C:
			p.look(ctx)
		}
	}
}

// look signs for what is counted and was not at the last look. On a slow machine, or with
// a process that is frozen, that may be long ago.
func (p *process) look(ctx context.Context) {
	p.mu.Lock()
	addr := p.addr
	p.mu.Unlock()
	begin := time.Now().UnixMicro()
	if addr == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", http.NoBody)
	if err != nil {
		return
	}
	resp, err := scraper.Do(req)
	if err != nil {
		return // it is frozen, or has just ended
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return
	}
	for name, what := range telling {
		metric, label, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		var sum float64
		for _, series := range families[metric].GetMetric() {
			wanted := label == ""
			for _, l := range series.GetLabel() {
				wanted = wanted || l.GetValue() == label
			}
			if wanted {
				sum += series.GetCounter().GetValue()
			}
		}
		if sum > p.last[name] {
			p.last[name] = sum
			p.sign(p.looked, time.Now().UnixMicro(), what)
		}
	}
	p.looked = begin
}
