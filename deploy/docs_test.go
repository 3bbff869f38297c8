package deploy_test

import (
	"flag"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// documents returns the Markdown files of the project, as paths from this directory.
func documents(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." && d.Name() != ".github":
			return filepath.SkipDir
		case strings.HasSuffix(file, ".md"):
			files = append(files, filepath.ToSlash(file))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found the documents %q; there are more", files)
	}
	return files
}

var (
	fenced    = regexp.MustCompile("(?ms)^```.*?^```|^    .*?$")
	inlined   = regexp.MustCompile("`[^`\n]*`")
	heading   = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`)
	linkText  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the names under which the headings of a document can be linked, by GitHub's rules.
func anchors(text string) (names []string) {
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		title := linkText.ReplaceAllString(h[1], "$1")
		name := strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
		names = append(names, name)
	}
	return names
}

// A link to a file or a heading that moved helps no reader.
func TestLinks(t *testing.T) {
	t.Parallel()
	known := map[string][]string{} // :: document -> anchors
	for _, file := range documents(t) {
		known[file] = anchors(read(t, file))
	}
	links := 0
	for file := range known {
		text := inlined.ReplaceAllString(fenced.ReplaceAllString(read(t, file), ""), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			target, anchor, _ := strings.Cut(m[1], "#")
			to := file
			if target != "" {
				to = path.Join(path.Dir(file), target)
			}
			if _, err := os.Stat(filepath.FromSlash(to)); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(known[to], anchor) {
				t.Errorf("%s links to %s: %s has no heading for that, only %q", file, m[1], to, known[to])
			}
		}
	}
	if links < 100 {
		t.Errorf("found %d links; there are more", links)
	}
}

var update = flag.Bool("update", false, "write llms.txt from the index of the documentation")

// llms returns the index of the documentation for programs that read it, in the form of llms.txt, with paths from the top.
func llms(t *testing.T) string {
	t.Helper()
	_, about, _ := strings.Cut(read(t, "../README.md"), "\n\n")
	about, _, _ = strings.Cut(about, "\n")
	_, index, _ := strings.Cut(read(t, "docs/README.md"), "\n## ")
	index = strings.NewReplacer("\n* [", "\n- [", "](", "](deploy/docs/").Replace(index)
	return "# kafka-firehose\n\n> " + about + "\n\n## Overview\n\n- [README](README.md): what it is, and when you don't need it\n- [METRICS](METRICS.md): every metric\n" +
		"- [runbooks](deploy/runbooks): a page for each alert\n- [CHANGELOG](CHANGELOG.md): what changed\n- [CONTRIBUTING](CONTRIBUTING.md): the code, and how to work on it\n\n## " + index
}

//go:generate go test . -run TestLLMs -update

// llms.txt is the index of the documentation, which has every page.
func TestLLMs(t *testing.T) {
	t.Parallel()
	want := llms(t)
	if *update {
		write(t, "../llms.txt", want)
	}
	if diff := cmp.Diff(want, read(t, "../llms.txt")); diff != "" {
		t.Errorf("go test ./deploy -run TestLLMs -update\n%s", diff)
	}
	for _, m := range link.FindAllStringSubmatch(want, -1) {
		if _, err := os.Stat(filepath.FromSlash("../" + m[1])); err != nil {
			t.Error(err)
		}
	}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); name != "README.md" && !strings.Contains(want, "](deploy/docs/"+name+")") {
			t.Errorf("docs/README.md has no line for %s", name)
		}
	}
}

// The figures of the README's first page are those of the last measurement.
func TestReadmeFigure(t *testing.T) {
	t.Parallel()
	least, most := 9.0, 0.0
	ratios := all(`(?m)^\| [\d.]+ K?i?B \| \w+ \| \w+ \| \d+ \| [\d.]+ \| [\d.]+ \| ([\d.]+) \(`, read(t, "docs/performance.md"))
	for _, text := range ratios {
		ratio, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		least, most = min(least, ratio), max(most, ratio)
	}
	want := fmt.Sprintf("%.2f to %.1f times the CPU", least, most)
	if len(ratios) < 20 || !strings.Contains(read(t, "../README.md"), want) {
		t.Errorf("%d measurements; README.md doesn't have %q", len(ratios), want)
	}
	kept := all(`(?m)^\| 5 % of requests fail, one kind[^|]* \| [^|]+ \| goodput (\d+)`, read(t, "docs/performance.md"))
	if len(kept) == 0 || !strings.Contains(read(t, "../README.md"), "at least "+slices.Min(kept)+" % of its rate") {
		t.Errorf("with failing requests it keeps %q %% of its rate; README.md has another figure", kept)
	}
}

// The README says which versions are supported, and which were run: those of the chart, of the modules and of the brokers' jars.
func TestReadmeVersions(t *testing.T) {
	t.Parallel()
	_, supported, _ := strings.Cut(read(t, "../README.md"), "\n## Supported\n")
	for of, version := range map[string]struct{ file, version, want string }{
		"Kubernetes":     {"../helm/kafka-firehose/Chart.yaml", `(?m)^kubeVersion: ">=(\d+\.\d+)\.`, "| Kubernetes | %s and newer |"},
		"the API server": {"../.ci/cluster/go.mod", `k8s\.io/kubernetes v(\d+\.\d+)\.`, "the API server of %s,"},
		"Go":             {"../go.mod", `(?m)^go (\d+\.\d+)\.`, "| %s and newer | on Linux"},
		"Apache Kafka":   {"../connector/kafka/kafkatest/pom.xml", `<version>(\d+\.\d+)\.\d+</version>`, "Apache Kafka %s and "},
		"an older one":   {"../connector/kafka/kafkatest/jars.go", `Older = "([\d.]+)"`, " and %s as processes"},
	} {
		found := all(version.version, read(t, version.file))
		if len(found) == 0 {
			t.Errorf("%s has no version of %s", version.file, of)
		} else if want := fmt.Sprintf(version.want, found[0]); !strings.Contains(supported, want) {
			t.Errorf("README.md doesn't have %q", want)
		}
	}
}

// An image that is built as the documents say names its revision: its build sees no repository.
func TestImageCommands(t *testing.T) {
	t.Parallel()
	builds := 0
	for _, file := range documents(t) {
		for _, build := range all("(docker build [^`\n]+)", read(t, file)) {
			builds++
			for _, argument := range []string{"REVISION=$(git rev-parse HEAD)", "COMMITTED=$(git log -1 --format=%cI)"} {
				if !strings.Contains(build, "--build-arg "+argument) {
					t.Errorf("%s: %s has no --build-arg %s", file, build, argument)
				}
			}
		}
	}
	if builds < 2 {
		t.Errorf("found %d commands", builds)
	}
}

// The key of kms_key_arn is the stream's key, and not only one that the bridge may use.
func TestTerraformKey(t *testing.T) {
	t.Parallel()
	module := strings.Join(strings.Fields(read(t, "terraform/main.tf")), " ")
	for _, want := range []string{
		`key_type = var.kms_key_arn == "" ? "AWS_OWNED_CMK" : "CUSTOMER_MANAGED_CMK" key_arn = var.kms_key_arn == "" ? null : var.kms_key_arn`,
		`actions = ["kms:GenerateDataKey", "kms:Decrypt"] resources = [var.kms_key_arn]`,
	} {
		if !strings.Contains(module, want) {
			t.Errorf("terraform/main.tf doesn't have %s", want)
		}
	}
}

// The commands of the quickstart set the variables of the Terraform module that have no default, and no others.
func TestQuickstartVariables(t *testing.T) {
	t.Parallel()
	var required []string
	for _, variable := range strings.Split(read(t, "terraform/variables.tf"), "variable ")[1:] {
		if !strings.Contains(variable, "default ") {
			required = append(required, all(`^"(\w+)"`, variable)...)
		}
	}
	commands := all("(?m)^ +(terraform .* -var .*)$", read(t, "docs/quickstart-aws.md"))
	if len(commands) != 2 {
		t.Fatalf("found the commands %q, want apply and destroy", commands)
	}
	for _, command := range commands {
		if diff := cmp.Diff(required, all(`-var (\w+)=`, command)); diff != "" {
			t.Errorf("%s\n%s", command, diff)
		}
	}
}

// The prefix of the objects is the same in the Terraform module, in the first look at an object, and in the table of Athena.
func TestPrefixInDocuments(t *testing.T) {
	t.Parallel()
	prefix := all(`(?m)^ +prefix += "(\w+/)!\{timestamp:yyyy/MM/dd/HH\}/"$`, read(t, "terraform/main.tf"))
	if len(prefix) != 1 {
		t.Fatalf("found the prefixes %q", prefix)
	}
	for page, want := range map[string]string{
		"docs/quickstart-aws.md": "aws s3 ls --recursive s3://$BUCKET/" + prefix[0],
		"docs/records.md":        "LOCATION 's3://BUCKET/" + prefix[0] + "'",
	} {
		if !strings.Contains(read(t, page), want) {
			t.Errorf("%s has no %s", page, want)
		}
	}
}

// A setting that a page names, and that does not exist, would be set in vain.
func TestSettingsInDocuments(t *testing.T) {
	t.Parallel()
	known := all("(?m)^\\| `([A-Z0-9_]+)` \\|", read(t, "docs/settings.md"))
	if len(known) < 80 {
		t.Fatalf("found the settings %q; there are more", known)
	}
	for _, file := range documents(t) {
		if strings.HasPrefix(file, "../.") {
			continue
		}
		for _, name := range all("`((?:KAFKA|FIREHOSE|RECORD|SCHEMA_REGISTRY|DEAD_LETTER|DESTINATION|CLAIM_CHECK|RUNTIME|BAD_RECORD|MAX_BUFFERED|LOG|HTTP|SHUTDOWN|METRICS)_[A-Z0-9_]*[A-Z0-9])(?:=[^`]*)?`", read(t, file)) {
			if !slices.Contains(known, name) && name != "KAFKA_STORAGE_ERROR" { // which is an error of Kafka
				t.Errorf("%s: there is no setting %s", file, name)
			}
		}
	}
}

// The table of places names files and functions that exist.
func TestPlaces(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(read(t, "../CONTRIBUTING.md"), "\n## Where do I change ...\n")
	rows := 0
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		if len(cells) != 5 || !strings.Contains(cells[2], ".go`") {
			continue
		}
		rows++
		var text strings.Builder
		dir := ""
		for _, file := range all("`([^`]+)`", cells[2]) {
			if strings.Contains(file, "/") {
				dir = path.Dir(file)
			}
			text.WriteString(read(t, path.Join("..", dir, path.Base(file))))
		}
		for _, name := range all("`([^`]+)`", cells[3]) {
			receiver, function, method := strings.Cut(name, ".")
			if !method {
				receiver, function = "", name
			}
			declared := regexp.MustCompile(`(?m)^func (\(\w+ \*?` + receiver + `\w*\) )?` + function + `\(`)
			if !declared.MatchString(text.String()) {
				t.Errorf("%s has no function %s", strings.TrimSpace(cells[2]), name)
			}
		}
	}
	if rows < 20 {
		t.Errorf("found %d rows; there are more", rows)
	}
}

// TestStatusPictures: the page on the status page has pictures under load and in an outage, wide and on a phone, each as
// wide as its name says, and make page-pictures draws these.
func TestStatusPictures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("docs/status/*.png")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		name := filepath.Base(file)
		parts := strings.Split(strings.TrimSuffix(name, ".png"), "-") // the scene, the width and the colours
		picture, err := png.DecodeConfig(strings.NewReader(read(t, file)))
		if err != nil || len(parts) != 3 || strconv.Itoa(picture.Width) != parts[1] {
			t.Errorf("%s is %d pixels wide (%v), want SCENE-WIDTH-COLOURS.png", file, picture.Width, err)
			continue
		}
		seen[parts[0]+"-"+parts[1]] = true
		if !strings.Contains(read(t, "docs/status.md"), "(status/"+name+")") || !strings.Contains(read(t, "../Makefile"), name) {
			t.Errorf("%s is not in docs/status.md, or make page-pictures does not draw it", name)
		}
	}
	for _, want := range []string{"load-400", "load-1600", "outage-400", "outage-1600"} {
		if !seen[want] {
			t.Errorf("there is no picture %s", want)
		}
	}
}
