package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"

	"kafka-firehose/connector/firehose/firehosetest"
)

// config is what the flags and the environment say.
type config struct {
	listen    string
	tls       *tls.Config // nil: plain HTTP
	dir       string
	directory firehosetest.DirectoryOptions
	service   firehosetest.Options
	ownKeys   bool // the keys are the emulator's defaults, no one's secret
}

// The keys that sign when nobody names others.
const (
	ownAccessKey = "emulator"
	ownSecretKey = "emulator-secret"
)

const usageHead = `firehose-emulator serves an emulated Amazon Data Firehose.

It takes PutRecordBatch, PutRecord, DescribeDeliveryStream and
ListDeliveryStreams, verifies signatures, and enforces the service's limits.
Streams exist because -stream or the admin interface says so.

Flags:
`

const usageTail = `
Environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN are
the keys requests must be signed with, unless flags say otherwise; AWS_REGION is
the region. Unset or empty: the keys printed at the start, and us-east-1.

With the AWS CLI:

  firehose-emulator -stream orders -dir ./delivered -buffer-interval 5s &
  export AWS_ACCESS_KEY_ID=emulator AWS_SECRET_ACCESS_KEY=emulator-secret
  aws firehose put-record-batch --endpoint-url http://127.0.0.1:4573 \
    --region us-east-1 --delivery-stream-name orders \
    --records '[{"Data":"b25lCg=="},{"Data":"dHdvCg=="}]'
  # {"FailedPutCount": 0, "Encrypted": false, "RequestResponses": [...]}

(Version 2 of the CLI takes data in base64, as above; version 1 takes it as it is.)

Break it while it runs (the same JSON is what -faults reads):

  curl -X PUT http://127.0.0.1:4573/_emulator/faults -d '[
    {"effect": "refuse-records", "share": 0.1},
    {"effect": "reset", "stored": true, "probability": 0.05},
    {"effect": "refuse-request", "after": "1m", "until": "2m"}]'
  curl http://127.0.0.1:4573/_emulator/stats
  curl -X DELETE http://127.0.0.1:4573/_emulator/faults

SIGTERM or SIGINT: requests in flight end, buffered objects are delivered, exit 0.
`

// raw are the flags as given. Those that need more than a string are parsed
// after all of them have been read, so that all faults are reported at once.
type raw struct {
	listen, region, stream, kmsKey, quota, latency, limit string
	accessKey, secretKey, tlsCert, tlsKey                 string
	dir, bufferBytes, bufferInterval, faults              string
	anyKey, gzip                                          bool
}

// flags declares them. Empty env variables count as unset.
func (r *raw) flags(getenv func(string) string, out io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("firehose-emulator", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, usageHead)
		fs.PrintDefaults()
		fmt.Fprint(out, usageTail)
	}
	region := getenv("AWS_REGION")
	if region == "" {
		region = "us-east-1"
	}
	fs.StringVar(&r.listen, "listen", "127.0.0.1:4573", "`host:port` to listen on; port 0 picks a free one.\nThe admin interface is there too, without a password")
	fs.StringVar(&r.tlsCert, "tls-cert", "", "PEM `file` of the certificate to serve HTTPS with; clients find its authority in AWS_CA_BUNDLE")
	fs.StringVar(&r.tlsKey, "tls-key", "", "PEM `file` of its key")
	fs.StringVar(&r.region, "region", region, "the `region` that requests must be signed for (AWS_REGION)")
	fs.StringVar(&r.stream, "stream", "orders", "`name[,name]` of the streams that are there")
	fs.StringVar(&r.kmsKey, "kms-key", "", "`ARN` of the customer managed key that encrypts the streams at rest; none: they are not encrypted.\nThe fault refuse-key makes it unusable")
	fs.StringVar(&r.quota, "quota", "none", "`quota` of each stream: none; aws, which is what a new stream has in the region; or a list\nsuch as records=1000,requests=10,bytes=1MiB,burst=2,scatter,whole (per second; burst in seconds;\nscatter: refused records are spread; whole: 503 if nothing fits)")
	fs.StringVar(&r.latency, "latency", "0s", "`duration` that each request takes, such as 20ms")
	fs.StringVar(&r.limit, "request-limit", "4MiB", "`size` of a request at most, before base64; 4000000 is the cautious reading of AWS's 4 MB")
	fs.StringVar(&r.accessKey, "access-key", "", "the access `key` that must sign (AWS_ACCESS_KEY_ID); default "+ownAccessKey)
	fs.StringVar(&r.secretKey, "secret-key", "", "the `secret` that belongs to it (AWS_SECRET_ACCESS_KEY); default "+ownSecretKey)
	fs.BoolVar(&r.anyKey, "any-key", false, "accept every well-formed signature, whatever the key")
	fs.StringVar(&r.dir, "dir", "", "`directory` that gets what is delivered, as S3 would: YYYY/MM/dd/HH/STREAM-1-...; none: nothing is kept")
	fs.StringVar(&r.bufferBytes, "buffer-bytes", "5MiB", "`size` at which an object is delivered")
	fs.StringVar(&r.bufferInterval, "buffer-interval", "5m", "`duration` after which an object is delivered")
	fs.BoolVar(&r.gzip, "gzip", false, "compress objects")
	fs.StringVar(&r.faults, "faults", "", "JSON `file` with the fault script to start with")
	return fs
}

// problems collects what is wrong with the flags.
type problems []error

func (p *problems) add(name, held, accepts string) {
	*p = append(*p, fmt.Errorf("flag -%s holds %q; it accepts %s", name, held, accepts))
}

// parse reads the flags. Its error names every flag that is wrong.
func parse(args []string, getenv func(string) string, out io.Writer) (config, error) {
	var r raw
	fs := r.flags(getenv, io.Discard)
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			r.flags(getenv, out).Usage()
		}
		return config{}, err
	}
	var p problems
	if fs.NArg() > 0 {
		p = append(p, fmt.Errorf("%q is no flag; there are no arguments", fs.Arg(0)))
	}
	cfg := config{listen: r.listen, dir: r.dir}
	if _, _, err := net.SplitHostPort(r.listen); err != nil {
		p.add("listen", r.listen, "host:port, such as 127.0.0.1:4573")
	}
	cfg.tls = p.certificate(r.tlsCert, r.tlsKey)
	if r.region == "" || strings.ContainsAny(r.region, "/ ,") {
		p.add("region", r.region, "a region, such as us-east-1")
	}
	cfg.service = firehosetest.Options{Region: r.region, Keep: firehosetest.KeepCounts, KeepRequests: 1000}
	cfg.service.Streams = p.streams(r.stream, r.kmsKey, p.quota(r.quota, r.region))
	cfg.service.Latency = firehosetest.Fixed(p.duration("latency", r.latency, 0))
	cfg.service.RequestLimitBytes = p.size("request-limit", r.limit)
	cfg.service.Faults = p.script(r.faults)
	cfg.directory = firehosetest.DirectoryOptions{
		BufferBytes:    p.size("buffer-bytes", r.bufferBytes),
		BufferInterval: p.duration("buffer-interval", r.bufferInterval, 1),
		GZIP:           r.gzip,
	}
	p.credentials(&cfg, r, getenv)
	return cfg, errors.Join(p...)
}

// credentials come from the flags, else the environment, else are the
// emulator's own: always both halves from one place.
func (p *problems) credentials(cfg *config, r raw, getenv func(string) string) {
	c := firehosetest.Credentials{AccessKey: r.accessKey, SecretKey: r.secretKey}
	source := "-access-key and -secret-key"
	if c.AccessKey == "" && c.SecretKey == "" {
		source = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
		c.AccessKey, c.SecretKey = getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY")
		c.SessionToken = getenv("AWS_SESSION_TOKEN")
	}
	switch {
	case r.anyKey:
		return
	case c.AccessKey == "" && c.SecretKey == "":
		c, cfg.ownKeys = firehosetest.Credentials{AccessKey: ownAccessKey, SecretKey: ownSecretKey}, true
	case c.AccessKey == "" || c.SecretKey == "":
		*p = append(*p, fmt.Errorf("of %s only one is set; set both, or none", source))
	case strings.Contains(c.AccessKey, "/"):
		p.add("access-key", c.AccessKey, "a key without a slash")
	}
	cfg.service.Credentials = []firehosetest.Credentials{c}
}
