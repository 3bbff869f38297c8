package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCutReleaseNotes(t *testing.T) {
	t.Parallel()
	const changelog = "# Changelog\n\nIntroduction.\n\n## [Unreleased]\n\n### Added\n\n- next\n\n## [0.2.0] - 2026-11-29\n\n### Fixed\n\n- fault\n\n## [0.1.1]\n\n## [0.1.0] - 2026-10-01\n\n- first\n"
	for _, test := range []struct{ version, want, wantError string }{
		{"v0.2.0", "### Fixed\n\n- fault\n", ""},
		{"v0.1.0", "- first\n", ""},
		{snapshot, "### Added\n\n- next\n", ""},
		{"v0.0.0-snapshot.7", "### Added\n\n- next\n", ""},
		{"v0.1.1", "", "is empty"},
		{"v0.3.0", "", `rename "## [Unreleased]" to "## [0.3.0] - YYYY-MM-DD"`},
		{"v0.2", "", "no section"},
		{"v0.2.0-rc.1", "", "no section"},
	} {
		got, err := cutReleaseNotes(changelog, test.version)
		if got != test.want || (err == nil) != (test.wantError == "") || err != nil && !strings.Contains(err.Error(), test.wantError) {
			t.Errorf("%s: %q and %v, want %q and %q", test.version, got, err, test.want, test.wantError)
		}
	}
	if _, err := cutReleaseNotes(changelog+"\n## [0.2.0]\n\n- again\n", "v0.2.0"); err == nil || !strings.Contains(err.Error(), "2 sections") {
		t.Errorf("a section that is there twice: %v", err)
	}
}

// A release needs a version with a section, a tree without changes, and a directory without files of another one.
// TestReleaseOfChangedSources: a tree with changes is refused, and so is documentation that says that there is no release.
func TestReleaseOfChangedSources(t *testing.T) {
	t.Parallel()
	tree := t.TempDir()
	for name, text := range unreleased {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeTestFile(t, filepath.Join(tree, name), []byte("A sentence. "+text+"."))
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "a"}} {
		if _, err := askGit(t.Context(), tree, args...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readSourceFacts(t.Context(), tree, "v1.0.0"); err != nil {
		t.Errorf("a tree without changes: %v", err)
	}
	if err := refuseOldTexts(tree); err == nil || !strings.Contains(err.Error(), `README.md says "There is no release`) {
		t.Errorf("texts from before the first release: %v", err)
	}
	for name := range unreleased {
		writeTestFile(t, filepath.Join(tree, name), []byte("Released."))
	}
	if err := refuseOldTexts(tree); err != nil {
		t.Error(err)
	}
	if _, err := readSourceFacts(t.Context(), tree, "v1.0.0"); err == nil || !strings.Contains(err.Error(), "changes that are not committed") {
		t.Errorf("a tree with changes: %v", err)
	}
	if s, err := readSourceFacts(t.Context(), tree, snapshot); err != nil || !strings.HasSuffix(s.revision, " (modified)") {
		t.Errorf("a snapshot of a tree with changes: %q, %v", s.revision, err)
	}
	for name, text := range unreleased { // the texts are those of the documentation, until there is a release
		if content, err := os.ReadFile(filepath.Join(repository, name)); err != nil || !strings.Contains(string(content), text) {
			t.Errorf("%s does not say %q: %v; if there is a release now, remove the text from unreleased", name, text, err)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	writeTestFile(t, full+"/old.tar.gz", []byte("x"))
	for _, test := range []struct {
		name, want string
		options    options
	}{
		{"no section", "no section for v77.0.0", options{version: "v77.0.0", source: repository, out: t.TempDir()}},
		{"no version", "VERSION holds", options{version: "0.0.0-snapshot", source: repository, out: t.TempDir()}},
		{"files of another release", "is not empty", options{version: snapshot, source: repository, out: full}},
		{"no key", "signing key", options{version: snapshot, source: repository, out: t.TempDir(), key: full + "/none"}},
	} {
		if err := buildRelease(t.Context(), t.Output(), test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", test.name, err, test.want)
		}
	}
	if err := publishRelease(t.Context(), t.Output(), t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "RELEASE_REGISTRY") {
		t.Errorf("publishing to nowhere: %v", err)
	}
}
