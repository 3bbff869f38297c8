package connector_test

import (
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "kafka-firehose"

// The process carries no fake and no test flag, however they might come in.
func TestImportsOfTheProcess(t *testing.T) {
	t.Parallel()
	// go test puts its own go command first in PATH.
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../cmd/kafka-firehose").Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Logf("%s", exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module+"/connector") {
		t.Fatalf("this does not look like the imports of the process: %q", deps)
	}
	for _, dep := range deps {
		switch {
		case dep == "testing", strings.HasPrefix(dep, "testing/"),
			strings.HasSuffix(dep, "/kfake"),
			strings.HasSuffix(dep, "/firehosetest"), strings.HasSuffix(dep, "/kafkatest"), strings.HasSuffix(dep, "/proxytest"), strings.HasSuffix(dep, "/porttest"), strings.HasSuffix(dep, "/limitertest"), strings.HasSuffix(dep, "/longtest"), strings.HasSuffix(dep, "/childtest"), strings.HasSuffix(dep, "/logtest"), strings.HasSuffix(dep, "/gluetest"), strings.HasSuffix(dep, "/buckettest"), strings.HasSuffix(dep, "/iamtest"), strings.HasSuffix(dep, "/oauthtest"), strings.HasSuffix(dep, "/jsontest"),
			strings.HasPrefix(dep, "github.com/stretchr/testify"):
			t.Errorf("cmd/kafka-firehose links %s", dep)
		}
	}
}

// The picture of the packages: what each may import of this module. A package
// that isn't here has no place yet; give it one.
var mayImport = map[string][]string{
	"cmd/kafka-firehose":    {"connector", "connector/preflight/check", "connector/recovery", "connector/status", "connector/env", "connector/logging", "metrics"},
	"cmd/sandbox":           {"connector", "connector/status", "connector/batch", "connector/firehose", "connector/logging", "connector/retry", "metrics", "connector/firehose/firehosetest"},
	"cmd/chaos":             {"connector/retry", "connector/childtest", "connector/kafka/kafkatest", "connector/proxytest", "connector/firehose/firehosetest"},
	"cmd/firehose-emulator": {"connector/firehose/firehosetest"},
	"cmd/bench":             {"connector/retry", "cmd/bench/broker", "cmd/bench/floor", "cmd/bench/profile", "connector/childtest", "connector/firehose/firehosetest"},
	"cmd/bench/broker":      {"connector/kafka/kafkatest", "connector/schema/glue/gluetest"},
	"cmd/bench/floor":       {},
	"cmd/bench/limiter":     {"connector/firehose/limiter/limitertest"},
	"cmd/bench/profile":     {},

	"connector":                 {"connector/preflight", "connector/preflight/check", "connector/recovery", "connector/runtimesettings", "connector/status", "connector/kafka", "connector/kafka/auth", "connector/kafka/fetch", "connector/convert", "connector/schema", "connector/schema/glue", "connector/firehose", "connector/firehose/putbatch", "connector/awsconfig", "connector/destination", "connector/deadletter", "connector/claimcheck", "connector/batch", "connector/pool", "connector/offset", "connector/origin", "connector/retry", "connector/env", "metrics"},
	"connector/e2e":             {},
	"connector/preflight":       {"connector/preflight/check", "connector/runtimesettings", "connector/kafka", "connector/kafka/auth", "connector/convert", "connector/schema", "connector/schema/glue", "connector/firehose", "connector/firehose/putbatch", "connector/awsconfig", "connector/destination", "connector/deadletter", "connector/claimcheck", "connector/env", "connector/origin", "connector/retry", "metrics"},
	"connector/preflight/check": {},
	"connector/recovery":        {"connector/awsconfig", "connector/kafka"},
	"connector/runtimesettings": {"connector/firehose", "connector/env"},
	"connector/kafka":           {"connector/kafka/auth", "connector/kafka/fetch", "connector/awsconfig", "connector/batch", "connector/pool", "connector/offset", "connector/env", "connector/origin", "connector/retry", "metrics"},
	"connector/kafka/fetch":     {"connector/env", "connector/pool"},
	"connector/kafka/auth":      {"connector/awsconfig", "connector/certificates", "connector/env", "connector/oauthtoken"},
	"connector/convert":         {"connector/convert/avro", "connector/convert/filter", "connector/convert/jsontext", "connector/convert/mask", "connector/convert/protobuf", "connector/convert/protobufjson", "connector/convert/unwrap", "connector/batch", "connector/offset", "connector/env", "connector/convert/jsonschema"},
	"connector/schema":          {"connector/awsconfig", "connector/certificates", "connector/convert", "connector/env", "connector/logging", "connector/oauthtoken", "connector/origin", "connector/retry", "connector/schema/glue", "metrics"},
	"connector/firehose":        {"connector/firehose/limiter", "connector/firehose/putbatch", "connector/awsconfig", "connector/batch", "connector/pool", "connector/offset", "connector/env", "connector/retry", "metrics"},
	"connector/destination":     {"connector/awsconfig", "connector/env", "connector/retry", "metrics"},
	"connector/deadletter":      {"connector/batch", "connector/offset", "connector/env", "connector/retry", "metrics"},
	"connector/batch":           {"connector/offset", "connector/pool"},
	"connector/pool":            {},

	"connector/claimcheck":            {"connector/awsconfig", "connector/offset", "connector/env", "connector/retry", "metrics"},
	"connector/claimcheck/buckettest": {},
	"connector/awsconfig/iamtest":     {},

	"connector/offset":                {},
	"connector/certificates":          {"connector/env"},
	"connector/oauthtoken/oauthtest":  {},
	"connector/oauthtoken":            {"connector/certificates", "connector/env", "connector/origin", "connector/retry"},
	"connector/status":                {},
	"connector/convert/filter":        {"connector/convert/jsontext"},
	"connector/convert/avro":          {"connector/convert/jsontext"},
	"connector/convert/jsontest":      {},
	"connector/convert/jsontext":      {},
	"connector/convert/mask":          {"connector/convert/jsontext"},
	"connector/convert/unwrap":        {"connector/convert/jsontext"},
	"connector/convert/jsonschema":    {},
	"connector/convert/protobuf":      {},
	"connector/convert/protobufjson":  {"connector/convert/jsontext", "connector/convert/protobuf"},
	"connector/env":                   {},
	"connector/awsconfig":             {"connector/env", "connector/logging", "connector/origin"},
	"connector/logging":               {},
	"connector/origin":                {},
	"connector/retry":                 {},
	"connector/logging/logtest":       {},
	"connector/firehose/firehosetest": {},

	"connector/schema/glue":          {"connector/awsconfig"},
	"connector/schema/glue/gluetest": {},

	"connector/firehose/putbatch":            {"connector/awsconfig", "connector/batch", "connector/origin", "connector/pool"},
	"connector/firehose/limiter":             {},
	"connector/firehose/limiter/limitertest": {"connector/firehose/limiter"},

	"connector/kafka/kafkatest": {"connector/childtest", "connector/porttest"},
	"connector/proxytest":       {"connector/porttest"},
	"connector/porttest":        {},
	"connector/longtest":        {},
	"connector/childtest":       {},
	"metrics":                   {},
}

// Imports point down, as mayImport says: cmd, connector, the stages, batch, offset. The
// leaves know nobody. Files for other systems count too.
func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != ".." && strings.HasPrefix(d.Name(), "."), d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir(), !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"):
			return nil
		}
		pkg := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
		seen[pkg] = true
		allowed, known := mayImport[pkg]
		if !known {
			t.Errorf("package %s is not in the picture", pkg)
		}
		for _, imported := range ourImports(t, path) {
			if !slices.Contains(allowed, imported) {
				t.Errorf("%s imports %s; package %s may import %q", path, imported, pkg, allowed)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range []string{"cmd/kafka-firehose", "connector", "connector/kafka", "connector/offset", "metrics"} {
		if !seen[pkg] {
			t.Errorf("no file of package %s was found", pkg)
		}
	}
}

// ourImports are the packages of this module that the file imports.
func ourImports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var ours []string
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if path, ok := strings.CutPrefix(path, module+"/"); ok {
			ours = append(ours, path)
		}
	}
	return ours
}
