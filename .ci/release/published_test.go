package main

import (
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// runImage runs the binary of the image that was pulled by digest, and compares the image with deploy/Dockerfile.
func (r *rehearsal) runImage(t *testing.T) {
	t.Helper()
	for _, p := range releasePlatforms[:2] {
		image := pullImage(t, r.bridgeRef, p)
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		wantDockerfile(t, config, bridgeName)
		directory, files := unpackImage(t, image)
		slices.Sort(files)
		if want := []string{authoritiesFile, bridgeName}; !slices.Equal(files, want) {
			t.Errorf("the image for %s holds %q, want %q", p, files, want)
		}
		if p == thisPlatform() {
			wantVersion(t, filepath.Join(directory, bridgeName), config.Config.Labels["org.opencontainers.image.revision"])
		}
	}
	emulator := pullImage(t, r.emulatorRef, thisPlatform())
	config, err := emulator.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	wantDockerfile(t, config, emulatorName)
	directory, _ := unpackImage(t, emulator)
	if out, err := exec.CommandContext(t.Context(), filepath.Join(directory, emulatorName), "-h").CombinedOutput(); err != nil {
		t.Errorf("the emulator of the image: %v\n%s", err, out)
	}
}

// wantDockerfile fails unless the image is configured as the stage of deploy/Dockerfile says.
func wantDockerfile(t *testing.T, config *v1.ConfigFile, stage string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "deploy", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, _ := strings.Cut(string(text), "FROM scratch AS "+stage+"\n")
	recipe, _, _ = strings.Cut(recipe, "\nFROM ")
	port := slices.Sorted(maps.Keys(config.Config.ExposedPorts))[0]
	for _, line := range []string{
		"USER " + config.Config.User, `ENTRYPOINT ["` + strings.Join(config.Config.Entrypoint, `", "`) + `"]`, "EXPOSE " + strings.TrimSuffix(port, "/tcp"),
	} {
		if !strings.Contains(recipe, line+"\n") {
			t.Errorf("the image of %s says %s, and deploy/Dockerfile doesn't", stage, line)
		}
	}
	for _, label := range regexp.MustCompile(`(org\.opencontainers\.image\.\w+)=`).FindAllStringSubmatch(recipe, -1) {
		if config.Config.Labels[label[1]] == "" {
			t.Errorf("the image of %s has no label %s", stage, label[1])
		}
	}
	if config.Created.IsZero() {
		t.Errorf("the image of %s has no time", stage)
	}
}

// wantVersion runs the binary.
func wantVersion(t *testing.T, file, revision string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), file, "version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(out), "kafka-firehose "+snapshot+"\nrevision  "+revision+"\ncommitted 2") || len(revision) < 40 {
		t.Errorf("version prints\n%swant %s, the revision %q and a time", out, snapshot, revision)
	}
}

// runArchive unpacks the archive for this machine and runs the binary.
func (r *rehearsal) runArchive(t *testing.T) {
	t.Helper()
	archive, err := os.ReadFile(filepath.Join(r.directory, fmt.Sprintf("%s_0.0.0-snapshot_%s.tar.gz", bridgeName, thisPlatform())))
	if err != nil {
		t.Fatal(err)
	}
	content, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	files := unpackFiles(t, content, directory)
	if want := []string{bridgeName, "LICENSE", licensesFile}; !slices.Equal(files, want) {
		t.Errorf("the archive holds %q, want %q", files, want)
	}
	revision, err := askGit(t.Context(), repository, "rev-parse", "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if changes, _ := askGit(t.Context(), repository, "status", "--porcelain"); changes != "" {
		revision += " (modified)"
	}
	wantVersion(t, filepath.Join(directory, bridgeName), revision)
	licenses, err := os.ReadFile(filepath.Join(directory, licensesFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nGo go1.", "\ngithub.com/twmb/franz-go v", "\ngithub.com/aws/aws-sdk-go-v2 v", ": NOTICE.txt\n"} {
		if !bytes.Contains(licenses, []byte(want)) {
			t.Errorf("%s has no %q", licensesFile, want)
		}
	}
	info, err := buildinfo.ReadFile(filepath.Join(directory, bridgeName))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range info.Settings {
		if s.Key == "CGO_ENABLED" && s.Value != "0" {
			t.Error("the binary is not static")
		}
	}
}

// wantModules compares each SBOM with go.mod: the modules of the product that are not for tests.
func (r *rehearsal) wantModules(t *testing.T) {
	t.Helper()
	sboms, err := filepath.Glob(filepath.Join(r.directory, "*.spdx.json"))
	if err != nil || len(sboms) != 6 {
		t.Fatalf("%d SBOMs, want 6: %v", len(sboms), err)
	}
	for _, file := range sboms {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		modules, err := readModules(text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		want := []string{emulatorName, "stdlib"}
		if strings.HasPrefix(filepath.Base(file), bridgeName) {
			want = []string{bridgeName, "stdlib", "github.com/twmb/franz-go", "github.com/aws/aws-sdk-go-v2/service/firehose", "github.com/prometheus/client_golang"}
		}
		for _, module := range want {
			if modules[module] == "" {
				t.Errorf("%s doesn't name %s", filepath.Base(file), module)
			}
		}
		t.Logf("%s: %d packages", filepath.Base(file), len(modules))
	}
}

// renderChart pulls the chart with Helm and renders it with nothing but the required settings. RELEASED_CHART gets the chart, for
// the test that installs it on an API server.
func (r *rehearsal) renderChart(t *testing.T) {
	t.Helper()
	name, digest, _ := strings.Cut(r.chart, "@")
	to := t.TempDir()
	runHelm(t, "pull", "oci://"+name+"@"+digest, "--plain-http", "--destination", to)
	pulled, err := filepath.Glob(filepath.Join(to, "*.tgz"))
	if err != nil || len(pulled) != 1 {
		t.Fatalf("helm pull made the files %q: %v", pulled, err)
	}
	rendered := runHelm(t, "template", "r", pulled[0], "--set", "config.KAFKA_BROKERS=kafka:9092,config.KAFKA_TOPICS=orders,config.KAFKA_GROUP_ID=g,config.FIREHOSE_STREAM=orders,config.AWS_REGION=eu-west-1")
	for _, want := range []string{`image: "` + r.bridgeRef + `"`, "helm.sh/chart: kafka-firehose-0.0.0-snapshot\n"} {
		if !strings.Contains(rendered, want) {
			t.Errorf("the chart doesn't render %s", want)
		}
	}
	r.wantChartTexts(t, pulled[0])
	if file := os.Getenv("RELEASED_CHART"); file != "" {
		content, err := os.ReadFile(pulled[0])
		if err != nil {
			t.Fatal(err)
		}
		writeTestFile(t, file, content)
	}
}

// wantChartTexts fails unless the chart says where it and its image are, and takes a tag in the place of the digest.
func (r *rehearsal) wantChartTexts(t *testing.T, archive string) {
	t.Helper()
	settings := "config.KAFKA_BROKERS=kafka:9092,config.KAFKA_TOPICS=orders,config.KAFKA_GROUP_ID=g,config.FIREHOSE_STREAM=orders,config.AWS_REGION=eu-west-1"
	image, _, _ := strings.Cut(r.bridgeRef, "@")
	if tagged := runHelm(t, "template", "r", archive, "--set", settings+",image.tag=v9"); !strings.Contains(tagged, `image: "`+image+`:v9"`) {
		t.Error("a tag does not replace the digest of the release")
	}
	readme := runHelm(t, "show", "readme", archive)
	for _, want := range []string{"helm install orders oci://" + r.address + "/charts/kafka-firehose --version 0.0.0-snapshot -n", "The image is `" + image + "`, by its digest."} {
		if !strings.Contains(readme, want) {
			t.Errorf("the chart's README does not say %q", want)
		}
	}
	if strings.Contains(readme, "There is no public image") || strings.Contains(runHelm(t, "show", "values", archive), "that you built") {
		t.Error("the chart says that there is no image")
	}
}

func runHelm(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "helm", args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
