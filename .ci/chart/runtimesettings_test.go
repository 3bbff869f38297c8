package chart

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRuntimeSettingsRestartNothing: the workload is the same whatever the runtime settings say. A difference would
// replace the pods.
func TestRuntimeSettingsRestartNothing(t *testing.T) {
	t.Parallel()
	helm, err := exec.LookPath("helm")
	if err != nil {
		t.Skip("no helm in PATH; .ci/run chart has one")
	}
	render := func(args ...string) string {
		args = append([]string{"template", "r", directory, "--values", filepath.Join(directory, "ci", "deployment-values.yaml"), "--show-only", "templates/workload.yaml"}, args...)
		out, err := exec.CommandContext(t.Context(), helm, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("helm %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if render() != render("--set", "runtimeSettings.paused_topics={orders},runtimeSettings.log_level=debug") {
		t.Error("runtimeSettings change the workload")
	}
	if render() == render("--set", "config.KAFKA_CLIENT_ID=x") {
		t.Error("a setting of config does not change the workload; this test sees nothing")
	}
}
