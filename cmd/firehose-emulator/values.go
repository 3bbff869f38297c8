package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
)

// streams parses -stream and -kms-key.
func (p *problems) streams(list, key string, q firehosetest.Quota) (out []firehosetest.Stream) {
	if (firehosetest.Stream{Name: "any", Key: key}).Validate() != nil {
		p.add("kms-key", key, "the ARN of a key and no alias, such as arn:aws:kms:us-east-1:123456789012:key/ID")
		key = ""
	}
	seen := make(map[string]bool)
	for name := range strings.SplitSeq(list, ",") {
		st := firehosetest.Stream{Name: strings.TrimSpace(name), Key: key, Quota: q}
		if st.Validate() != nil || seen[st.Name] {
			p.add("stream", list, "names of 1 to 64 of the characters a-z A-Z 0-9 _ . -, each once, with commas between them")
			return nil
		}
		seen[st.Name] = true
		out = append(out, st)
	}
	return out
}

// script reads the file of -faults.
func (p *problems) script(name string) []firehosetest.Fault {
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		p.add("faults", name, "a file that can be read: "+err.Error())
		return nil
	}
	defer func() { _ = f.Close() }()
	faults, err := firehosetest.ParseFaults(f)
	if err != nil {
		p.add("faults", name, "a file with a fault script: "+err.Error())
	}
	return faults
}

// certificate reads the files of -tls-cert and -tls-key; nil without them.
func (p *problems) certificate(cert, key string) *tls.Config {
	if cert == "" && key == "" {
		return nil
	}
	if cert == "" || key == "" {
		*p = append(*p, errors.New("of -tls-cert and -tls-key only one is set; set both, or none"))
		return nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		*p = append(*p, fmt.Errorf("flags -tls-cert and -tls-key hold %q and %q; they accept a certificate and its key: %w", cert, key, err))
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
}

// duration parses a duration of at least least.
func (p *problems) duration(name, held string, least time.Duration) time.Duration {
	d, err := time.ParseDuration(held)
	if err != nil || d < least {
		sign := "of 0 or more"
		if least > 0 {
			sign = "above 0"
		}
		p.add(name, held, "a duration "+sign+", such as 20ms, 5s or 1m30s")
	}
	return d
}

// size parses a count of bytes.
func (p *problems) size(name, held string) int {
	n, ok := parseSize(held)
	if !ok || n < 1 || n > 1<<40 {
		p.add(name, held, "a size above 0 in bytes, or with Ki, Mi or Gi (KiB, MiB, GiB), such as 4000000 or 4MiB")
		return 1
	}
	return int(n)
}

func parseSize(s string) (float64, bool) {
	number, unit := s, 1.0
	for suffix, factor := range map[string]float64{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30} {
		if cut, ok := strings.CutSuffix(strings.TrimSuffix(s, "B"), suffix); ok {
			number, unit = cut, factor
		}
	}
	n, err := strconv.ParseUint(number, 10, 40)
	return float64(n) * unit, err == nil
}

// quota parses -quota.
func (p *problems) quota(held, region string) (q firehosetest.Quota) {
	switch held {
	case "none":
		return q
	case "aws":
		return firehosetest.DefaultQuota(region)
	}
	for item := range strings.SplitSeq(held, ",") {
		if !quotaItem(&q, strings.TrimSpace(item)) {
			p.add("quota", held, "none, aws, or a list of records=N, requests=N, bytes=SIZE, burst=SECONDS, scatter and whole")
			return q
		}
	}
	return q
}

// quotaItem parses one item of a quota.
func quotaItem(q *firehosetest.Quota, item string) (ok bool) {
	name, value, _ := strings.Cut(item, "=")
	n, err := strconv.ParseFloat(value, 64)
	number := err == nil && n > 0 && n < 1e15
	switch name {
	case "records":
		q.RecordsPerSecond = n
	case "requests":
		q.RequestsPerSecond = n
	case "burst":
		q.BurstSeconds = n
	case "bytes":
		q.BytesPerSecond, ok = parseSize(value)
		return ok && q.BytesPerSecond > 0
	case "scatter":
		q.Scatter = true
		return item == name
	case "whole":
		q.WholeRequest = true
		return item == name
	default:
		return false
	}
	return number
}
