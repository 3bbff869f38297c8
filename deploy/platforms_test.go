package deploy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// settingNames are the names of all settings, as the chart knows them.
func settingNames(t *testing.T) []string {
	t.Helper()
	names := all(`"([A-Z]+_[A-Z_]+)": ?\{`, read(t, "../helm/kafka-firehose/files/settings.json"))
	if len(names) < 60 {
		t.Fatalf("found the settings %q; there are more", names)
	}
	return append(names, "AWS_REGION")
}

func wantSettings(t *testing.T, where string, names []string) {
	t.Helper()
	known := settingNames(t)
	for _, name := range names {
		if !slices.Contains(known, name) {
			t.Errorf("%s: there is no setting %s", where, name)
		}
	}
	if len(names) == 0 {
		t.Errorf("%s names no setting", where)
	}
}

// lookTool finds the path of a program, or skips the test.
func lookTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("no " + name + " here")
	}
	return path
}

// runTool runs the program without a network of its own accord, and returns what it prints.
func runTool(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull, "SYSTEMD_COLORS=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// The container of the task definition is evaluated by Terraform itself. The rest of that module needs the provider, which is
// not to be had everywhere: its form alone is checked.
func TestTaskDefinition(t *testing.T) {
	t.Parallel()
	terraform := lookTool(t, "terraform")
	for _, directory := range []string{"ecs", "terraform"} {
		if out, err := runTool(t, "", terraform, "fmt", "-check", "-recursive", "-diff", directory); err != nil {
			t.Errorf("terraform fmt -recursive deploy/%s\n%s", directory, out)
		}
	}
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "main.tf"), []byte(read(t, "ecs/container/main.tf")), 0o600); err != nil {
		t.Fatal(err)
	}
	image := "r.example.com/kafka-firehose@sha256:" + strings.Repeat("0a", 32)
	values := func(image, settings string) []string {
		return []string{"-no-color", "-var=image=" + image, "-var=settings=" + settings, "-var=secrets={KAFKA_SASL_PASSWORD=\"arn:p\"}", "-var=region=eu-west-1", "-var=log_group=g"}
	}
	const settings = `{KAFKA_BROKERS="b:9092",KAFKA_GROUP_ID="g",KAFKA_TOPICS="orders"}`
	out, err := runTool(t, "jsonencode(local.definition)", terraform, append([]string{"-chdir=" + directory, "console"}, values(image, settings)...)...)
	if err != nil {
		t.Fatalf("terraform console: %v\n%s", err, out)
	}
	wantContainer(t, image, out)
	const secret, parameter = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf", "arn:aws:ssm:eu-west-1:123456789012:parameter/kafka"
	arguments := append([]string{"-chdir=" + directory, "console"}, values(image, settings)...)
	arguments = append(arguments, fmt.Sprintf("-var=secrets={A=%q,B=%q,C=%q}", secret, secret+":password::", parameter))
	out, err = runTool(t, "jsonencode(local.secret_arns)", terraform, arguments...)
	if want := strconv.Quote(fmt.Sprintf("[%q,%q]", secret, parameter)); err != nil || !strings.Contains(out, want) {
		t.Errorf("the role of ECS reads %s, want %s: %v", out, want, err)
	}
	for refusal, held := range map[string][]string{
		"must end in @sha256":        values("r.example.com/kafka-firehose:1", settings),
		"need KAFKA_BROKERS":         values(image, `{KAFKA_GROUP_ID="g"}`),
		"secrets and tokens belong":  values(image, `{KAFKA_BROKERS="b:9092",KAFKA_GROUP_ID="g",KAFKA_SASL_PASSWORD="p"}`),
		"may take 10 to 115 seconds": append(values(image, settings), "-var=drain_seconds=116"),
	} {
		out, err := runTool(t, "", terraform, append([]string{"-chdir=" + directory, "plan", "-input=false", "-lock=false"}, held...)...)
		if err == nil || !strings.Contains(strings.Join(strings.Fields(out), " "), refusal) {
			t.Errorf("terraform plan: %v, want an error with %q\n%s", err, refusal, out)
		}
	}
}

// The example of the documentation sets variables that the module has, all that have no default, and settings.
func TestTaskDefinitionExample(t *testing.T) {
	t.Parallel()
	_, example, _ := strings.Cut(read(t, "docs/platforms.md"), "```hcl\n")
	example, _, _ = strings.Cut(example, "```")
	variables := strings.Split(read(t, "ecs/variables.tf"), "variable ")[1:]
	var names []string
	for _, variable := range variables {
		name := all(`^"(\w+)"`, variable)[0]
		names = append(names, name, "source")
		if !strings.Contains(variable, "default ") && len(all(`(?m)^  (`+name+`) +=`, example)) != 1 {
			t.Errorf("the example in docs/platforms.md doesn't set %s, which has no default", name)
		}
	}
	for _, name := range all(`(?m)^  (\w+) +=`, example) {
		if !slices.Contains(names, name) {
			t.Errorf("deploy/ecs has no variable %s", name)
		}
	}
	wantSettings(t, "docs/platforms.md", all(`(?m)^    (\w+) +=`, example))
}

// wantContainer fails unless the printed container has the image, a check of its health, and time to drain.
func wantContainer(t *testing.T, image, printed string) {
	t.Helper()
	type pair struct{ Name, Value string }
	var text string
	var container struct {
		Image, User            string
		StopTimeout            int
		ReadonlyRootFilesystem bool
		HealthCheck            struct{ Command []string }
		Environment, Secrets   []pair
	}
	if err := json.Unmarshal([]byte(printed), &text); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	if err := json.Unmarshal([]byte(text), &container); err != nil {
		t.Fatal(err)
	}
	if container.Image != image || container.User != "65532:65532" || !container.ReadonlyRootFilesystem {
		t.Errorf("the container is %+v, want the image as its user on a root that is read-only", container)
	}
	if got := strings.Join(container.HealthCheck.Command, " "); got != "CMD /kafka-firehose healthcheck" {
		t.Errorf("its health is checked by %s", got)
	}
	environment := map[string]string{}
	var names []string
	for _, p := range append(container.Environment, container.Secrets...) {
		environment[p.Name] = p.Value
		if p.Name != "HTTP_ADDR" && p.Name != "SHUTDOWN_TIMEOUT" { // the chart sets these itself
			names = append(names, p.Name)
		}
	}
	wantSettings(t, "the container", names)
	wantTimeToDrain(t, "the container", environment["SHUTDOWN_TIMEOUT"], time.Duration(container.StopTimeout)*time.Second)
}

// wantTimeToDrain fails unless the process has five seconds more than its drain until it is killed.
func wantTimeToDrain(t *testing.T, where, drain string, kill time.Duration) {
	t.Helper()
	if timeout, err := time.ParseDuration(drain); err != nil || kill < timeout+5*time.Second || kill > 2*time.Minute {
		t.Errorf("%s drains for %q and is killed after %v, want five seconds more, and two minutes at most", where, drain, kill)
	}
}

// The unit is read by systemd itself, and its exposure rated: 0 is none, 100 everything.
func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	analyze := lookTool(t, "systemd-analyze")
	unit := read(t, "systemd/kafka-firehose.service")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kafka-firehose.service")
	// The program has to be there, and here is another one.
	if err := os.WriteFile(file, []byte(strings.Replace(unit, "ExecStart=/usr/local/bin/kafka-firehose\n", "ExecStart="+program+"\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := runTool(t, "", analyze, "verify", file); err != nil || strings.Contains(out, file) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if out, err := runTool(t, "", analyze, "security", "--offline=true", "--no-pager", "--threshold=15", file); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
	stop, err := strconv.Atoi(all(`(?m)^TimeoutStopSec=(\d+)$`, unit)[0])
	if err != nil {
		t.Fatal(err)
	}
	wantTimeToDrain(t, "the unit", "25s", time.Duration(stop)*time.Second) // the default, which environment doesn't change
	environment := read(t, "systemd/environment")
	names := all(`(?m)^([A-Z_]+)=`, environment)
	names = slices.DeleteFunc(names, func(name string) bool { return name == "HTTP_ADDR" })
	wantSettings(t, "systemd/environment", names)
	if !strings.Contains(unit, "RestartPreventExitStatus=2\n") || strings.Contains(environment, "SHUTDOWN_TIMEOUT") {
		t.Error("the unit restarts although its settings are wrong, or environment changes the time of the drain")
	}
	if !strings.Contains(unit, "\nEnvironment=GOTRACEBACK=crash\n") || !strings.Contains(unit, "\nLimitCORE=0\n") {
		t.Error("the unit does not restart after a crash, which ends with exit code 2 unless Go aborts, or leaves its memory on the disk")
	}
}

// The production file is checked by compose's schema in .ci/run workflows; here by the rules of the others.
func TestProductionCompose(t *testing.T) {
	t.Parallel()
	compose := read(t, "compose.production.yaml")
	grace, err := time.ParseDuration(all(`stop_grace_period: (\w+)`, compose)[0])
	if err != nil {
		t.Fatal(err)
	}
	wantTimeToDrain(t, "compose.production.yaml", all(`SHUTDOWN_TIMEOUT: (\w+)`, compose)[0], grace)
	wantSettings(t, "compose.production.yaml", all(`(?m)^ +(?:# )?((?:KAFKA|FIREHOSE|RECORD)_[A-Z_]+): `, compose))
	if strings.Contains(read(t, "systemd/environment"), "KAFKA_SASL_") || len(all(`(?m)^ +(KAFKA_SASL_\w+): `, compose)) > 0 {
		t.Error("compose.production.yaml or systemd/environment logs in to Kafka: the service refuses a password without its mechanism")
	}
	for _, want := range []string{"read_only: true", "cap_drop: [ALL]", "no-new-privileges:true", "/kafka-firehose@${DIGEST:?", "[CMD, /kafka-firehose, healthcheck]", "mem_limit: "} {
		if !strings.Contains(compose, want) {
			t.Errorf("compose.production.yaml has no %s", want)
		}
	}
}

// Actions are pinned by the digest of a commit, with the version beside it, and a workflow has no permission that a job
// doesn't ask for.
func TestWorkflowsArePinned(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d workflows, want two or more: %v", len(files), err)
	}
	pinned := regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for _, file := range files {
		text := read(t, file)
		for _, use := range all(`(?m)\buses: (.+)$`, text) {
			if !pinned.MatchString(use) && !strings.HasPrefix(use, "./") {
				t.Errorf("%s uses %s, want OWNER/NAME@COMMIT # vX.Y.Z", file, use)
			}
		}
		if !strings.Contains(text, "\npermissions: {}\n") || strings.Contains(text, "pull_request_target") {
			t.Errorf("%s has permissions for all of its jobs, or runs code of others with them", file)
		}
		if n, m := strings.Count(text, "actions/checkout@"), strings.Count(text, "persist-credentials: false"); n != m {
			t.Errorf("%s checks out %d times, and leaves the token behind in %d", file, n, n-m)
		}
	}
}
