package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The chart as a dependency of another, which switches it by a condition and leaves values empty.
func TestAsDependency(t *testing.T) {
	t.Parallel()
	helm, err := exec.LookPath("helm")
	if err != nil {
		t.Skip("no helm in PATH; .ci/run chart has one")
	}
	parent := t.TempDir()
	if err := os.CopyFS(filepath.Join(parent, "charts", "kafka-firehose"), os.DirFS(directory)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"Chart.yaml": "{apiVersion: v2, name: parent, version: 0.1.0, dependencies: [{name: kafka-firehose, version: '*', condition: kafka-firehose.enabled}]}",
		"values.yaml": `
global: {imageRegistry: mirror.example.com, another: {chart: 1}}
kafka-firehose:
  enabled: true
  podLabels:
  keda:
  probes: {startup: }
  config: {KAFKA_BROKERS: "a:9092", KAFKA_TOPICS: a, KAFKA_GROUP_ID: a, FIREHOSE_STREAM: a, AWS_REGION: eu-west-1, KAFKA_CLIENT_ID: }
  image: {repository: bridge, tag: }
`,
		"empty.yaml": "{global: {imagePullSecrets: }, kafka-firehose: {commonLabels: , test: , resources: , preflight: , secretEnv: }}",
	} {
		if err := os.WriteFile(filepath.Join(parent, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args []string
		want int // Deployments
	}{{nil, 1}, {[]string{"--values", filepath.Join(parent, "empty.yaml")}, 1}, {[]string{"--set", "kafka-firehose.enabled=false"}, 0}} {
		out, err := exec.CommandContext(t.Context(), helm, append([]string{"template", "r", parent}, test.args...)...).CombinedOutput()
		if n := strings.Count(string(out), "\nkind: Deployment\n"); err != nil || n != test.want {
			t.Errorf("helm template %q: %v, %d Deployments, want %d:\n%s", test.args, err, n, test.want, out)
		}
		if test.want > 0 && !strings.Contains(string(out), `image: "mirror.example.com/bridge:`) {
			t.Errorf("helm template %q: the image is not from the registry of all charts", test.args)
		}
	}
}
