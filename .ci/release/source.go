package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// sourceFacts are the facts about the sources that the results carry.
type sourceFacts struct {
	directory string
	version   string // with its v, as in the tag
	revision  string
	committed time.Time // time of the commit, or SOURCE_DATE_EPOCH; every time in the results is this one
}

// number is the version without its v: the tag of images, the version of the chart, and part of file names.
func (s sourceFacts) number() string { return strings.TrimPrefix(s.version, "v") }

// isSnapshot reports whether the version is that of a rehearsal.
func isSnapshot(version string) bool {
	return strings.HasPrefix(semver.Prerelease(version), "-snapshot")
}

func validateVersion(version string) error {
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return fmt.Errorf("VERSION holds %q; it accepts a semantic version such as v0.2.0", version)
	}
	return nil
}

// readSourceFacts asks Git for revision and time. A tree with changes that are not committed is refused for a release, because
// its revision would be wrong, and is marked for a snapshot.
func readSourceFacts(ctx context.Context, directory, version string) (sourceFacts, error) {
	s := sourceFacts{directory: directory, version: version}
	var err error
	if s.revision, err = askGit(ctx, directory, "rev-parse", "HEAD"); err != nil {
		return sourceFacts{}, err
	}
	changes, err := askGit(ctx, directory, "status", "--porcelain")
	if err != nil {
		return sourceFacts{}, err
	}
	if changes != "" && !isSnapshot(version) {
		return sourceFacts{}, fmt.Errorf("the tree has changes that are not committed, so %s would name a wrong revision: commit or remove them\n%s", version, changes)
	}
	if changes != "" {
		s.revision += " (modified)"
	}
	seconds, err := askGit(ctx, directory, "log", "-1", "--format=%ct")
	if err != nil {
		return sourceFacts{}, err
	}
	seconds = cmp.Or(os.Getenv("SOURCE_DATE_EPOCH"), seconds)
	epoch, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return sourceFacts{}, fmt.Errorf("SOURCE_DATE_EPOCH holds %q; it accepts seconds since 1970", seconds)
	}
	s.committed = time.Unix(epoch, 0).UTC()
	return s, nil
}

// unreleased are the texts of the documentation that are true before the first release alone.
var unreleased = map[string]string{
	"README.md": "There is no release and no public image yet", "deploy/docs/faq.md": "There is no release yet",
}

// refuseOldTexts returns an error if the documentation says that there is no release.
func refuseOldTexts(directory string) error {
	for _, name := range slices.Sorted(maps.Keys(unreleased)) {
		text, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			return err
		}
		if strings.Contains(string(text), unreleased[name]) {
			return fmt.Errorf("%s says %q: say where this one is, and commit that", name, unreleased[name])
		}
	}
	return nil
}

// askGit returns what Git prints. A checkout may belong to another user: in CI it often does.
func askGit(ctx context.Context, directory string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "safe.directory=*"}, args...)...) //nolint:gosec // the arguments are constants of this program
	cmd.Dir = directory
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
