package connector_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
)

// theLeast is an environment with which nothing is wrong.
var theLeast = map[string]string{"KAFKA_BROKERS": "a:9092", "KAFKA_TOPICS": "orders", "KAFKA_GROUP_ID": "bridge", "FIREHOSE_STREAM": "stream", "AWS_REGION": "us-east-1"}

// setEnvironment makes the least and more the whole environment, as far as it is looked at: a
// variable that is set but empty counts as unset.
func setEnvironment(t *testing.T, more map[string]string) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		t.Setenv(name, "")
	}
	all := maps.Clone(theLeast)
	maps.Copy(all, more)
	for name, value := range all {
		t.Setenv(name, value)
	}
}

// loadLines loads the environment and returns its warnings, and the lines of its report.
func loadLines(t *testing.T) (warnings, faults []string) {
	t.Helper()
	_, warnings, err := connector.LoadEnvironment()
	if err != nil {
		faults = strings.Split(err.Error(), "\n")
	}
	return warnings, faults
}

func TestLoadEnvironment(t *testing.T) {
	setEnvironment(t, map[string]string{
		"FIREHOSE_ROUTES": "orders=s,/a{1,2}/=t", "MAX_BUFFERED_BYTES": "1Gi", "LOG_LEVEL": "debug", "RECORD_DELIMITER": `\r\n`,
		"KAFKA_AUTO_OFFSET_RESET": "latest", "KAFKA_SESSION_TIMEOUT": "",
	})
	got, warnings, err := connector.LoadEnvironment()
	if err != nil || warnings != nil {
		t.Fatal(err, warnings)
	}
	want := configForValidate()
	want.Firehose.Routes = decodeRoutes(t, "orders=s,/a{1,2}/=t")
	want.MaxBufferedBytes, want.LogLevel, want.Record.Delimiter, want.Kafka.AutoOffsetReset.Mode = 1<<30, -4, "\r\n", "latest"
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b interface{ String() string }) bool { return a.String() == b.String() })); diff != "" {
		t.Error(diff)
	}
}

func TestLoadEnvironmentReportsEverything(t *testing.T) {
	setEnvironment(t, map[string]string{
		"SHUTDOWN_TIMEOUT": "soon", "KAFKA_BROKERS": "", "KAFKA_COMMIT_INTERVAL": "1", "KAFKA_SASL_PASSWORD": "hunter2",
		"FIREHOSE_ROUTES": "a", "FIREHOSE_STREAM": "", "RECORD_FORMAT": "thrift", "BAD_RECORD_POLICY": "dead-letter",
		"DEAD_LETTER_TOPIC": "__dead", "KAFKA_SESSION_TIMEOUT": "5s", "HTTP_ADDR": "x", "KAFKA_TOPIC": "a",
	})
	warnings, got := loadLines(t)
	want := []string{
		`KAFKA_BROKERS is not set: want host:port, comma separated`,
		`KAFKA_REVOKE_DRAIN_TIMEOUT holds "10s": want 0s or more, and less than KAFKA_SESSION_TIMEOUT (5s) and KAFKA_REBALANCE_TIMEOUT (1m0s)`,
		`KAFKA_COMMIT_INTERVAL holds "1": want a duration such as 500ms, 10s or 2m`,
		`KAFKA_SASL_PASSWORD holds a secret: without KAFKA_SASL_MECHANISM it has no effect; want that set to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512`,
		// And nothing about FIREHOSE_STREAM: whether it is needed depends on the routes.
		`FIREHOSE_ROUTES holds "a": entry 1 has no "="; want topic=stream or /regex/=stream, comma separated`,
		`RECORD_FORMAT holds "thrift": want raw, json, avro, protobuf or json-schema`,
		`DEAD_LETTER_TOPIC holds "__dead": want the name of a topic, 1 to 249 of a-z A-Z 0-9 . _ -, not one of Kafka's own that begin with __`,
		`HTTP_ADDR holds "x": want host:port, or :port for all addresses`,
		`SHUTDOWN_TIMEOUT holds "soon": want a duration such as 500ms, 10s or 2m`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"KAFKA_TOPIC is not a setting and has no effect; did you mean KAFKA_TOPICS?"}, warnings); diff != "" {
		t.Error(diff)
	}
}

func TestLoadEnvironmentRefusesWhatIsNotSupportedYet(t *testing.T) {
	for _, name := range []string{
		"KAFKA_TLS_KEY_PASSWORD", "KAFKA_TLS_KEY_PASSWORD_FILE",
	} {
		t.Run(name, func(t *testing.T) {
			const secret = "hunter2-hunter2"
			setEnvironment(t, map[string]string{name: secret})
			warnings, got := loadLines(t)
			if len(got) != 1 || !strings.HasPrefix(got[0], name+": ") || !strings.HasSuffix(got[0], " is not supported yet by this version; unset it") {
				t.Errorf("got %q", got)
			}
			if strings.Contains(strings.Join(append(got, warnings...), "\n"), secret) {
				t.Errorf("the value is shown: %q %q", got, warnings)
			}
			setEnvironment(t, map[string]string{name: ""})
			if warnings, got := loadLines(t); got != nil || warnings != nil {
				t.Errorf("set but empty: %q %q", got, warnings)
			}
		})
	}
}

// A slip in the name of a setting that secures the connection must not open it.
func TestLoadEnvironmentIsStrictAboutSecurity(t *testing.T) {
	for name, want := range map[string]string{
		"KAFKA_TLS_ENABLE": "did you mean KAFKA_TLS_ENABLED?", "KAFKA_TLS_CAFILE": "did you mean KAFKA_TLS_CA_FILE?", "KAFKA_TLS_TRUSTSTORE": "unset it",
		"KAFKA_SASL_USERNAM": "did you mean KAFKA_SASL_USERNAME?", "KAFKA_SASL_PASSWORD_FIL": "did you mean KAFKA_SASL_PASSWORD_FILE?",
		"KAFKA_SASL_JAAS_CONFIG": "did you mean KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD?", "KAFKA_SASL_KERBEROS_SERVICE_NAME": "unset it",
	} {
		const secret = "hunter2-hunter2"
		setEnvironment(t, map[string]string{name: secret})
		warnings, got := loadLines(t)
		if diff := cmp.Diff([]string{name + " is not a setting; " + want}, got); diff != "" || warnings != nil {
			t.Errorf("%s %q", diff, warnings)
		}
	}
}

// Secrets are planted in every variable that takes one, and in files, with each mechanism; nothing
// that is printed of the configuration has one in it, whatever else is wrong.
func TestSecretsAreNotShown(t *testing.T) {
	const secret = "hunter2-hunter2"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var planted []string
	for _, v := range env.ListVariables(new(connector.Config)) {
		if env.IsHidden(v.Name) && !strings.HasSuffix(v.Name, "_FILE") {
			planted = append(planted, v.Name)
		}
	}
	if len(planted) < 3 {
		t.Fatalf("only %q hold secrets", planted)
	}
	for _, mechanism := range []string{"", "PLAIN", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM", "GSSAPI"} {
		for _, suffix := range []string{"", "_FILE"} {
			more := map[string]string{"KAFKA_SASL_MECHANISM": mechanism}
			for _, name := range planted {
				more[name+suffix] = map[string]string{"": secret, "_FILE": file}[suffix]
			}
			setEnvironment(t, more)
			cfg, warnings, err := connector.LoadEnvironment()
			var out bytes.Buffer
			fmt.Fprintf(&out, "%v\n%+v\n%#v\n%v\n%v\n%s", cfg, cfg, cfg, warnings, err, connector.ConfigMarkdown())
			if err := connector.ConfigUsage(&out); err != nil {
				t.Fatal(err)
			}
			slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "config", cfg)
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s%s: a secret comes out:\n%s", mechanism, suffix, &out)
			}
			if suffix == "" && mechanism == "SCRAM-SHA-512" {
				if got, err := cfg.Kafka.SASL.Password.ReadValue(); got != secret || err != nil {
					t.Errorf("the password is %q, %v", got, err)
				}
			}
		}
	}
}

// What TLS is made of is looked at before anything starts, and what is not safe is said.
// TestLoadEnvironmentProxy: net/http ignores a proxy whose address it can't parse, and goes past it. Its password is not shown.
func TestLoadEnvironmentProxy(t *testing.T) {
	for name, value := range map[string]string{"HTTPS_PROXY": "http://corpuser:pl%anted@127.0.0.1:3128", "http_proxy": "http://corpuser:pl#anted@127.0.0.1:3128"} {
		setEnvironment(t, map[string]string{name: value})
		_, faults := loadLines(t)
		if len(faults) != 1 || !strings.HasPrefix(faults[0], name+" holds \"***@127.0.0.1:3128\": want http://HOST:PORT") {
			t.Errorf("%s: %q", name, faults)
		}
	}
	setEnvironment(t, map[string]string{"HTTPS_PROXY": "http://corpuser:pl%25anted@127.0.0.1:3128", "HTTP_PROXY": "127.0.0.1:3128"})
	if _, faults := loadLines(t); faults != nil {
		t.Errorf("%q", faults)
	}
}

// TestLoadEnvironmentSession: the token service would refuse the name, and nothing of its answer names the variable.
func TestLoadEnvironmentSession(t *testing.T) {
	const want = `: want 2 to 64 of a-z A-Z 0-9 _ + = , . @ -`
	for value, ok := range map[string]bool{
		"ab": true, "job_1+=,.@-Z": true, strings.Repeat("s", 64): true,
		"a": false, "a b": false, "a/b": false, "a:b": false, "zoë": false, strings.Repeat("s", 65): false,
	} {
		setEnvironment(t, map[string]string{"AWS_ROLE_SESSION_NAME": value})
		_, faults := loadLines(t)
		if ok && faults != nil || !ok && (len(faults) != 1 || faults[0] != fmt.Sprintf("AWS_ROLE_SESSION_NAME holds %q%s", value, want)) {
			t.Errorf("%q: %q", value, faults)
		}
	}
}

func TestLoadEnvironmentTLS(t *testing.T) {
	setEnvironment(t, map[string]string{"KAFKA_TLS_ENABLED": "true", "KAFKA_TLS_CA_FILE": "/nowhere/ca.pem", "KAFKA_TLS_KEY_FILE": "key.pem"})
	_, got := loadLines(t)
	want := []string{
		`KAFKA_TLS_CA_FILE holds "/nowhere/ca.pem": no such file or directory`,
		`KAFKA_TLS_CERT_FILE is not set: want the certificate of the key in KAFKA_TLS_KEY_FILE`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	setEnvironment(t, map[string]string{"KAFKA_TLS_ENABLED": "true", "KAFKA_TLS_INSECURE_SKIP_VERIFY": "true"})
	warnings, got := loadLines(t)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "certificates are NOT checked") || got != nil {
		t.Errorf("%q %q", warnings, got)
	}
}

func TestLoadEnvironmentWarns(t *testing.T) {
	const meant = "%s is not a setting and has no effect; did you mean %s?"
	for name, want := range map[string]string{
		"KAFKA_BROKER": "KAFKA_BROKERS", "KAFKA_GROUPID": "KAFKA_GROUP_ID", "FIREHOSE_STREAM_NAME": "FIREHOSE_STREAM",
		"RECORD_DELIMETER": "RECORD_DELIMITER", "BAD_RECORDS_POLICY": "BAD_RECORD_POLICY", "SHUTDOWN_TIMOUT": "SHUTDOWN_TIMEOUT",
		"KAFKA_MAX_BUFFERED_BYTES": "MAX_BUFFERED_BYTES", "kafka_topics": "KAFKA_TOPICS", "KAFKA_SALS_PASSWORD": "KAFKA_SASL_PASSWORD",
		"DEAD_LETTERS_TOPIC": "DEAD_LETTER_TOPIC", "KAFKA_BOOTSTRAP_SERVERS": "KAFKA_BROKERS",
		"KAFKA_SECURITY_PROTOCOL": "KAFKA_TLS_ENABLED or KAFKA_SASL_MECHANISM", "KAFKA_BROKERS_PORT": "KAFKA_BROKERS",
	} {
		setEnvironment(t, map[string]string{name: "some value"})
		warnings, faults := loadLines(t)
		text := strings.NewReplacer("%s is", name+" is", "%s?", want+"?").Replace(meant)
		if diff := cmp.Diff([]string{text}, warnings); diff != "" || faults != nil {
			t.Errorf("%s: %s %q", name, diff, faults)
		}
	}
	for name, value := range map[string]string{"AWS_MAX_ATTEMPTS": "3", "AWS_RETRY_MODE": "standard"} {
		setEnvironment(t, map[string]string{name: value})
		if warnings, faults := loadLines(t); len(warnings) != 1 || !strings.HasPrefix(warnings[0], name+" has no effect here: ") || faults != nil {
			t.Errorf("%s: %q %q", name, warnings, faults)
		}
	}
	setEnvironment(t, map[string]string{"FIREHOSE_ROUTES": "order=s,dead=s", "BAD_RECORD_POLICY": "dead-letter", "DEAD_LETTER_TOPIC": "dead"})
	warnings, _ := loadLines(t)
	if diff := cmp.Diff(warnings, []string{
		`FIREHOSE_ROUTES sends topic "order" to "s", but KAFKA_TOPICS doesn't name it`,
		`FIREHOSE_ROUTES sends topic "dead" to "s", but it is the DEAD_LETTER_TOPIC, which is never read`,
	}); diff != "" {
		t.Error(diff)
	}
}

// A Service that has the name of a prefix or of a setting is no reason to warn, still less to fail.
func TestLoadEnvironmentKnowsServicesOfKubernetes(t *testing.T) {
	injected := map[string]string{}
	for _, service := range []string{"KAFKA", "KAFKA_BROKERS", "KAFKA_TOPIC", "KAFKA_TLS", "KAFKA_SASL", "SCHEMA_REGISTRY", "FIREHOSE", "FIREHOSE_STREAM", "RECORD", "DEAD_LETTER", "RECORD_SCHEMA"} {
		maps.Copy(injected, map[string]string{
			service + "_SERVICE_HOST":                "10.0.0.1",
			service + "_SERVICE_PORT":                "9092",
			service + "_SERVICE_PORT_TCP_CLIENT":     "9092",
			service + "_PORT":                        "tcp://10.0.0.1:9092",
			service + "_PORT_9092_TCP":               "tcp://10.0.0.1:9092",
			service + "_PORT_9092_TCP_PROTO":         "tcp",
			service + "_PORT_9092_TCP_PORT":          "9092",
			service + "_PORT_9092_TCP_ADDR":          "10.0.0.1",
			service + "_HEADLESS_SERVICE_HOST":       "None",
			service + "_HEADLESS_PORT_9092_TCP_ADDR": "None",
		})
	}
	setEnvironment(t, injected)
	if warnings, faults := loadLines(t); warnings != nil || faults != nil {
		t.Errorf("warnings %q\nfaults %q", warnings, faults)
	}
}

// What other programs of the same container read is none of our business.
func TestLoadEnvironmentLeavesOthersAlone(t *testing.T) {
	others := map[string]string{}
	for _, name := range []string{
		"PATH", "HOME", "HOSTNAME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "GOMEMLIMIT", "GOMAXPROCS", "TZ", "LANG", "LC_ALL",
		"AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_ROLE_ARN",
		"KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_HOME", "KAFKA_VERSION", "KAFKA_JMX_PORT", "KAFKA_ADVERTISED_LISTENERS",
		"OTEL_SERVICE_NAME", "RUST_LOG", "MYAPP_LOG_LEVEL", "POD_NAME", "LOG_DIR", "TOPICS", "GROUP_ID", "SERVER_HTTP_ADDR",
	} {
		others[name] = "x"
	}
	setEnvironment(t, others)
	if warnings, faults := loadLines(t); warnings != nil || faults != nil {
		t.Errorf("warnings %q\nfaults %q", warnings, faults)
	}
}

// TestLoadEnvironmentOfAWS: what the SDK reads by itself is part of the report, with all other faults.
func TestLoadEnvironmentOfAWS(t *testing.T) {
	for _, tt := range []struct {
		set  map[string]string
		want []string
	}{
		{map[string]string{"AWS_REGION": ""}, []string{"AWS_REGION is not set: want the region"}},
		{map[string]string{"AWS_REGION": "", "KAFKA_GROUP_ID": ""}, []string{"KAFKA_GROUP_ID is not set", "AWS_REGION is not set"}},
		{map[string]string{"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"}, nil},
		{map[string]string{"AWS_REGION": "", "FIREHOSE_STREAM_OPTIONS": `{"stream": {"region": "eu-west-3"}}`}, nil},
		{map[string]string{"AWS_PROFILE": "gone"}, []string{`AWS_PROFILE holds "gone": no file of the AWS configuration has this profile`}},
		{map[string]string{"RECORD_FORMAT": "avro", "SCHEMA_REGISTRY_TYPE": "glue", "AWS_REGION": "", "LOG_LEVEL": "loud", "FIREHOSE_STREAM_OPTIONS": `{"stream": {"region": "eu-west-3"}}`}, []string{`LOG_LEVEL holds "loud"`, "AWS_REGION is not set: want the region of AWS Glue, or SCHEMA_REGISTRY_REGION"}},
		{map[string]string{"RECORD_FORMAT": "avro", "SCHEMA_REGISTRY_TYPE": "glue", "AWS_REGION": "", "SCHEMA_REGISTRY_REGION": "eu-west-3", "FIREHOSE_STREAM_OPTIONS": `{"stream": {"region": "eu-west-3"}}`}, nil},
		{map[string]string{"RECORD_FORMAT": "avro", "SCHEMA_REGISTRY_TYPE": "glue", "AWS_PROFILE": "gone"}, []string{`AWS_PROFILE holds "gone"`}},
		{map[string]string{"AWS_RETRY_MODE": "often"}, []string{`AWS_RETRY_MODE holds "often": the AWS SDK can't use it`}},
		{map[string]string{"AWS_USE_FIPS_ENDPOINT": "perhaps"}, []string{`AWS_USE_FIPS_ENDPOINT holds "perhaps": the AWS SDK can't use it`}},
		{map[string]string{"AWS_ENDPOINT_URL_FIREHOSE": "vpce-0ee.example"}, []string{`AWS_ENDPOINT_URL_FIREHOSE holds "vpce-0ee.example": want the address of Firehose with http:// or https://`}},
		{map[string]string{"AWS_ENDPOINT_URL_FIREHOSE": "https://vpce.example", "AWS_USE_FIPS_ENDPOINT": "true"}, []string{`AWS_USE_FIPS_ENDPOINT holds "true": the SDK has no FIPS endpoint`}},
		{map[string]string{"AWS_ENDPOINT_URL_FIREHOSE": "https://vpce.example"}, nil},
	} {
		setEnvironment(t, tt.set)
		_, faults := loadLines(t)
		ok := len(faults) == len(tt.want)
		for i := range min(len(faults), len(tt.want)) {
			ok = ok && strings.HasPrefix(faults[i], tt.want[i])
		}
		if !ok {
			t.Errorf("%q: %q, want %q", tt.set, faults, tt.want)
		}
	}
}

// Whatever the variables hold, loading doesn't panic, each fault is one line that begins with its
// variable, and no secret comes out.
func FuzzLoadEnvironment(f *testing.F) {
	var names []string
	for _, v := range env.ListVariables(new(connector.Config)) {
		names = append(names, v.Name)
	}
	names = append(names, "KAFKA_TOPIC", "DEAD_LETTER_TOPIC", "KAFKA_PORT", "AWS_RETRY_MODE")
	// Values for all variables, from a given one on, each ended by a unit separator.
	const end = "\x1f"
	f.Add(uint8(0), strings.Repeat("x"+end, len(names)))
	f.Add(uint8(0), strings.Repeat("-1"+end, len(names)))
	f.Add(uint8(0), strings.Repeat("\n"+end, len(names)))
	f.Add(uint8(1), "a,b,__c"+end+"["+end+"g"+end+"i"+end+"consumer"+end+"2026-01-31T00:00:00Z"+end)
	f.Add(uint8(16), `/a{1,2}/=s,b=t,/[/=u,,c`+end+"501"+end+"9999999999GiB"+end)
	f.Add(uint8(27), "avro"+end+`\x0`+end+"true"+end+"\xff"+end+"٣"+end)
	f.Fuzz(func(t *testing.T, from uint8, values string) {
		const secret = "correct-horse-battery-staple"
		more := map[string]string{
			"KAFKA_SASL_PASSWORD": secret, "KAFKA_SASL_JAAS_CONFIG": secret, "SCHEMA_REGISTRY_URL": "http://u:" + secret + "@h", "KAFKA_TLS_KEY_PASSWORD_FILE": secret,
			"KAFKA_SALS_TOKEN": secret, "FIREHOSE_TOKEN": secret, "KAFKA_BROKERS": "a:1,SASL://u:" + secret + ",x@b:2",
		}
		for i, value := range strings.Split(values, end) {
			name := names[(int(from)+i)%len(names)]
			if name != "KAFKA_BROKERS" && !strings.Contains(value, "\x00") {
				more[name] = value
			}
		}
		setEnvironment(t, more)
		_, warnings, err := connector.LoadEnvironment()
		if err == nil {
			t.Fatal("variables that are not supported are accepted")
		}
		for _, fault := range env.FaultsOf(err) {
			text := fault.Error()
			if fault.Variable == "" || !strings.HasPrefix(text, fault.Variable) || strings.ContainsAny(text, "\n\r\x1b") {
				t.Errorf("%q names %q", text, fault.Variable)
			}
		}
		for _, line := range append(warnings, err.Error()) {
			if strings.Contains(line, secret) {
				t.Errorf("a secret comes out: %s", line)
			}
		}
	})
}

// TestPlanHidesSecrets: the line at the start names what is set, and no secret.
func TestPlanHidesSecrets(t *testing.T) {
	secret := regexp.MustCompile("PASSWORD|SECRET|TOKEN|HEADERS|EXTERNAL_ID")
	secrets := 0
	for _, v := range env.ListVariables(new(connector.Config)) {
		value := "shown"
		if secret.MatchString(v.Name) {
			value, secrets = "s3cr3t", secrets+1
		}
		t.Setenv(v.Name, value)
	}
	t.Setenv("SCHEMA_REGISTRY_URL", "https://s3cr3t:s3cr3t@registry.example.com")
	plan := fmt.Sprint(connector.DefaultConfig().PlannedSettings())
	if strings.Contains(plan, "s3cr3t") || strings.Count(plan, "***") < secrets || secrets < 5 {
		t.Errorf("a plan with %d secrets: %s", secrets, plan)
	}
	if !strings.Contains(plan, "registry.example.com") || !strings.Contains(plan, "KAFKA_CLIENT_RACK=shown") {
		t.Errorf("the plan does not name what is set: %s", plan)
	}
}
