package connector_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
)

// chartSettings is the file by which the chart checks its config.
type chartSettings struct {
	Kinds    map[string]string       `json:"kinds"` // regular expressions of the values of each kind
	Settings map[string]chartSetting `json:"settings"`
	Meant    map[string]string       `json:"meant"` // names of other programs
}

type chartSetting struct {
	settingRule

	Pattern string `json:"pattern,omitempty"` // regular expression of the value, where the kind is not enough
	Path    bool   `json:"path,omitempty"`    // it may hold the path of a file instead
	Foreign bool   `json:"foreign,omitempty"` // a library of the process reads it
}

// valuePattern describes a setting that has a decoder or a rule of its own. It may accept a value that the
// program refuses, and never refuses one that the program accepts.
type valuePattern struct {
	expression, want string
	good, bad        []string
	with             []string // other settings that it needs, as NAME=value
}

const (
	brokerEntry = `\s*(\[[^\]/@\s]+\]|[^/@\s:\[\],]+):0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])\s*`
	topicName   = `[a-zA-Z0-9._-]{1,249}`
	urlEntry    = `\s*https?://[^\s@,]+\s*`
)

func valuePatterns() map[string]valuePattern {
	const arn = "arn:aws:iam::123456789012:role/a"
	role := func(with ...string) valuePattern {
		return valuePattern{
			`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+$`, "want the ARN of a role such as arn:aws:iam::123456789012:role/name",
			[]string{arn, "arn:aws-us-gov:iam::123456789012:role/a/b"},
			[]string{"reader", "arn:aws:iam::1234:role/a"},
			with,
		}
	}
	external := func(with ...string) valuePattern {
		return valuePattern{
			`^[\w+=,.@:/-]{2,1000}[\w+=,.@:/-]{0,224}$`, "want 2 to 1224 of a-z A-Z 0-9 _ + = , . @ : / -",
			[]string{"00123", "a/b@c"},
			[]string{"x", "a b"},
			with,
		}
	}
	session := func(with ...string) valuePattern {
		return valuePattern{
			`^[\w+=,.@-]{2,64}$`, "want 2 to 64 of a-z A-Z 0-9 _ + = , . @ -",
			[]string{"ab", "kafka-firehose@orders"},
			[]string{"x", "a b", "a/b", strings.Repeat("s", 65)},
			with,
		}
	}
	const msk, tls = "KAFKA_SASL_MECHANISM=AWS_MSK_IAM", "KAFKA_TLS_ENABLED=true"
	return map[string]valuePattern{
		"KAFKA_BROKERS": {
			"^" + brokerEntry + "(," + brokerEntry + ")*$", "want host:port, comma separated",
			[]string{"a:1", "a:65535", "a:9092, b:09094", "[::1]:9092", "b-1.x.kafka.eu-west-1.amazonaws.com:9094"},
			[]string{"kafka", "a:0", "a:65536", "a:9092,", "a:9092,,b:9092", "http://a:9092", "::1:9092", "u@a:9092", "a b:9092", "a:9092;b:9092"},
			nil,
		},
		"KAFKA_TOPICS": {
			`^\s*` + topicName + `\s*(,\s*` + topicName + `\s*)*$`, "want names of topics, comma separated, each 1 to 249 of a-z A-Z 0-9 . _ -",
			[]string{"orders", "a.b, c_d-E"},
			[]string{"orders,", "a b", "a;b", "a/b", strings.Repeat("x", 250)},
			nil,
		},
		"DEAD_LETTER_TOPIC": {
			"^" + topicName + "$", "want the name of a topic, 1 to 249 of a-z A-Z 0-9 . _ -",
			[]string{"dead"},
			[]string{"a b", "a,b"},
			[]string{"BAD_RECORD_POLICY=dead-letter"},
		},
		"CLAIM_CHECK_URL": {
			`^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[a-zA-Z0-9!_.*'()=/-]*)?$`, "want s3://BUCKET/PREFIX",
			[]string{"s3://large", "s3://large-values/kafka/v=1/"},
			[]string{"large", "s3://", "gs://large/a", "s3://Large", `s3://large/"`},
			[]string{"BAD_RECORD_POLICY=claim-check"},
		},
		"KAFKA_AUTO_OFFSET_RESET": {
			`^(earliest|latest|none|[0-9]{4}-[0-9]{2}-[0-9]{2}T.+)$`, "want earliest, latest, none or an RFC 3339 time with its zone",
			[]string{"latest", "2026-01-31T00:00:00Z", "2026-01-31T00:00:00.5+01:00"},
			[]string{"newest", "2026-01-31", "Latest"},
			nil,
		},
		"FIREHOSE_STREAM": {
			`^[a-zA-Z0-9_.-]{1,64}$`, "want the name of a delivery stream, 1 to 64 of a-z A-Z 0-9 _ . -, not its ARN",
			[]string{"orders", "A.b-c_1"},
			[]string{"arn:aws:firehose:eu-west-1:123456789012:deliverystream/orders", "a b", strings.Repeat("x", 65)},
			nil,
		},
		"LOG_LEVEL": {
			`^(?i:debug|info|warn|error)([+-][0-9]+)?$`, "want debug, info, warn or error",
			[]string{"debug", "INFO", "warn+1"},
			[]string{"loud", "warning", "trace"},
			nil,
		},
		"SCHEMA_REGISTRY_URL": {
			"^" + urlEntry + "(," + urlEntry + ")*$", "want http://host:port or https://host, with a path if the registry is not at the root",
			[]string{"http://r:8081", "https://r/a,https://s"},
			[]string{"r:8081", "ftp://r"},
			[]string{"RECORD_FORMAT=avro"},
		},
		"KAFKA_SASL_OAUTH_ENDPOINT": {
			"^" + urlEntry + "$", "want a URL such as https://login.example.com/oauth2/token, without a user in it",
			[]string{"https://login/token"},
			[]string{"login:443"},
			[]string{"KAFKA_SASL_MECHANISM=OAUTHBEARER", "KAFKA_SASL_OAUTH_CLIENT_ID=c", "KAFKA_SASL_OAUTH_CLIENT_SECRET=s"},
		},
		"SCHEMA_REGISTRY_OAUTH_ENDPOINT": {
			"^" + urlEntry + "$", "want a URL such as https://login.example.com/oauth2/token, without a user in it",
			[]string{"https://login/token"},
			[]string{"login:443"},
			[]string{"RECORD_FORMAT=avro", "SCHEMA_REGISTRY_URL=http://r:8081", "SCHEMA_REGISTRY_OAUTH_CLIENT_ID=c", "SCHEMA_REGISTRY_OAUTH_CLIENT_SECRET=s"},
		},
		"KAFKA_SASL_AWS_REGION": {
			`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`, "want a region such as eu-west-1",
			[]string{"eu-west-1", "us-gov-east-1"},
			[]string{"Ireland", "eu"},
			[]string{msk, tls},
		},
		"FIREHOSE_ROLE_ARN":               role(),
		"FIREHOSE_ROLE_EXTERNAL_ID":       external("FIREHOSE_ROLE_ARN=" + arn),
		"KAFKA_SASL_AWS_ROLE_ARN":         role(msk, tls),
		"KAFKA_SASL_AWS_ROLE_EXTERNAL_ID": external(msk, tls, "KAFKA_SASL_AWS_ROLE_ARN="+arn),

		"FIREHOSE_ROLE_SESSION_NAME":        session("FIREHOSE_ROLE_ARN=" + arn),
		"KAFKA_SASL_AWS_ROLE_SESSION_NAME":  session(msk, tls, "KAFKA_SASL_AWS_ROLE_ARN="+arn),
		"SCHEMA_REGISTRY_ROLE_SESSION_NAME": session("RECORD_FORMAT=avro", "SCHEMA_REGISTRY_TYPE=glue", "SCHEMA_REGISTRY_ROLE_ARN="+arn),
	}
}

// kindPatterns are the patterns of the kinds.
func kindPatterns() map[string]string {
	return map[string]string{
		"switch":   `^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$`,
		"number":   `^(0|-?[1-9][0-9]{0,17})$`,
		"size":     `^[0-9]{1,18}([KMG]iB?)?$`,
		"duration": `^[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`,
	}
}

// foreignSettings are the variables that Go and the SDK of AWS read.
func foreignSettings(t *testing.T) map[string]chartSetting {
	t.Helper()
	all := map[string]chartSetting{}
	add := func(kind string, names ...string) {
		for _, name := range names {
			all[name] = chartSetting{settingRule: settingRule{Name: name, Kind: kind}, Foreign: true}
		}
	}
	add("any", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK", "TZ")
	add("file", "SSL_CERT_FILE")
	add("text", "SSL_CERT_DIR", "AWS_ENDPOINT_URL_FIREHOSE", "AWS_ENDPOINT_URL_STS")
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/config").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "env_config.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`= +"(AWS_[A-Z0-9_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(names) < 30 {
		t.Fatalf("found %d variables of the SDK, want 30 or more", len(names))
	}
	for _, m := range names {
		switch name := m[1]; {
		case strings.HasSuffix(name, "_FILE") || name == "AWS_CA_BUNDLE":
			add("file", name)
		case regexp.MustCompile(`SECRET|_TOKEN$|^AWS_ACCESS_KEY$`).MatchString(name):
			add("secret", name)
		case regexp.MustCompile(`DISABLE|ENABLE|_USE_|IGNORE|_ATTEMPTS$|_BYTES$|RESTRICT`).MatchString(name):
			add("any", name)
		default:
			add("text", name)
		}
	}
	region := all["AWS_REGION"]
	region.Pattern, region.Want = `^[a-z0-9]+(-[a-z0-9]+)*$`, "want a region such as eu-west-1" // the SDK takes any name of a host

	all["AWS_REGION"] = region
	return all
}

// The chart's list of settings, with their rules, is the program's.
func TestChartSettings(t *testing.T) {
	c := chartSettings{Kinds: kindPatterns(), Settings: foreignSettings(t), Meant: connector.MeantSettings()}
	special := valuePatterns()
	for _, r := range listRules(new(connector.Config)) {
		s := chartSetting{settingRule: r, Path: r.Kind == "file" || r.Name == "FIREHOSE_STREAM_OPTIONS"}
		if p, ok := special[r.Name]; ok {
			s.Pattern, s.Want = p.expression, p.want
			delete(special, r.Name)
		}
		c.Settings[r.Name] = s
	}
	if len(special) > 0 {
		t.Errorf("there are patterns for %d settings that there aren't: %v", len(special), special)
	}
	for name, s := range c.Settings {
		if s.Path = s.Path || s.Kind == "file"; s.Path {
			c.Settings[name] = s
		}
	}
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(c); err != nil {
		t.Fatal(err)
	}
	const file = "../helm/kafka-firehose/files/settings.json"
	if *update {
		if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("%s differs from the program; run: make chart-generated\n%s", file, diff)
	}
}

// faulty reports whether the program finds fault with the value of the setting.
func faulty(t *testing.T, name, value string, with ...string) bool {
	t.Helper()
	environment := map[string]string{name: value}
	for _, variable := range with {
		name, value, _ := strings.Cut(variable, "=")
		environment[name] = value
	}
	setEnvironment(t, environment)
	_, _, err := connector.LoadEnvironment()
	return slices.ContainsFunc(env.FaultsOf(err), func(f *env.Fault) bool { return f.Variable == name })
}

// The patterns accept and refuse the same samples as the program.
func TestChartPatternsAgree(t *testing.T) {
	for name, p := range valuePatterns() {
		expression := regexp.MustCompile(p.expression)
		for _, value := range p.good {
			if !expression.MatchString(value) || faulty(t, name, value, p.with...) {
				t.Errorf("%s=%q: the pattern accepts it: %v, the program: %v; want both", name, value, expression.MatchString(value), !faulty(t, name, value, p.with...))
			}
		}
		for _, value := range p.bad {
			if expression.MatchString(value) || !faulty(t, name, value, p.with...) {
				t.Errorf("%s=%q: the pattern accepts it: %v, the program: %v; want neither", name, value, expression.MatchString(value), !faulty(t, name, value, p.with...))
			}
		}
	}
	samples := map[string][]string{
		"switch":   {"true", "False", "T", "0", "yes", "on", "TrUe", "2"},
		"number":   {"0", "1", "500000", "-1", "010", "+1", "1_000", "1.0", "1e3", "0x10", " 1"},
		"size":     {"0", "16777216", "256MiB", "256Mi", "1GiB", "256M", "256MB", "256 MiB", "1.5GiB", "1e9", "-1", "256mib", "1TiB"},
		"duration": {"0", "1s", "1m30s", "1.5h", ".5s", "1.s", "500ms", "10", "1d", "1 s", "s", "1s1", "-1s", "+1s", ""},
	}
	for kind, setting := range map[string]string{"switch": "RECORD_ENVELOPE", "number": "KAFKA_MAX_UNCOMMITTED_RECORDS", "size": "FIREHOSE_MAX_BYTES_PER_SECOND", "duration": "FIREHOSE_BATCH_LINGER"} {
		expression, read := regexp.MustCompile(kindPatterns()[kind]), 0
		for _, value := range samples[kind] {
			var c connector.Config
			setEnvironment(t, map[string]string{setting: value})
			unreadable := slices.ContainsFunc(env.FaultsOf(env.Load(&c)), func(f *env.Fault) bool { return f.Variable == setting })
			if matches := expression.MatchString(value); value != "" && matches == unreadable {
				t.Errorf("%s %q: the pattern accepts it: %v, the program can't read it: %v", kind, value, matches, unreadable)
			} else if matches {
				read++
			}
		}
		if read < 3 {
			t.Errorf("%s: %d good samples, want 3 or more", kind, read)
		}
	}
}

// Nothing that the chart refuses for its limits is accepted by the program.
func TestChartLimitsAgree(t *testing.T) {
	limited := 0
	for _, r := range listRules(new(connector.Config)) {
		var beyond []string
		show := func(n int64) string {
			if r.Kind == "duration" {
				return time.Duration(n).String()
			}
			return strconv.FormatInt(n, 10)
		}
		if r.Low != nil {
			beyond = append(beyond, show(*r.Low-1))
		}
		if r.High != nil {
			beyond = append(beyond, show(*r.High+1))
		}
		if r.Words != nil {
			beyond = append(beyond, "x")
		}
		for _, value := range beyond {
			if limited++; !faulty(t, r.Name, value, "RECORD_COMPRESSION=gzip", "RECORD_AGGREGATE=true") && !faulty(t, r.Name, value) {
				t.Errorf("the program accepts %s=%s, the chart does not", r.Name, value)
			}
		}
	}
	if limited < 30 {
		t.Errorf("%d limits were tried, want 30 or more", limited)
	}
}
