package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readReleaseNotes returns the section of the version in the changelog of the source.
func readReleaseNotes(source, version string) (string, error) {
	if err := validateVersion(version); err != nil {
		return "", err
	}
	changelog, err := os.ReadFile(filepath.Join(source, "CHANGELOG.md"))
	if err != nil {
		return "", fmt.Errorf("read the release notes: %w", err)
	}
	return cutReleaseNotes(string(changelog), version)
}

// cutReleaseNotes returns the section of the version, without its heading. A snapshot has the section Unreleased. A section
// that is missing, empty or there twice is an error: a release without notes is not made.
func cutReleaseNotes(changelog, version string) (string, error) {
	title := strings.TrimPrefix(version, "v")
	if isSnapshot(version) {
		title = "Unreleased"
	}
	var sections []string
	for part := range strings.SplitSeq("\n"+changelog, "\n## ") {
		heading, text, _ := strings.Cut(part, "\n")
		if heading == "["+title+"]" || strings.HasPrefix(heading, "["+title+"] - ") {
			sections = append(sections, strings.TrimSpace(text))
		}
	}
	switch {
	case len(sections) == 0:
		return "", fmt.Errorf("CHANGELOG.md has no section for %s: rename \"## [Unreleased]\" to \"## [%s] - YYYY-MM-DD\" and begin a new Unreleased", version, title)
	case len(sections) > 1:
		return "", fmt.Errorf("CHANGELOG.md has %d sections for %s, want one", len(sections), version)
	case sections[0] == "":
		return "", fmt.Errorf("the section for %s in CHANGELOG.md is empty", version)
	}
	return sections[0] + "\n", nil
}
