package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

const licensesFile = "THIRD_PARTY_LICENSES.txt"

// licenseNames are the files of a module that those who pass it on have to pass on, too.
var licenseNames = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([._-].*)?$`)

// collectLicenses returns the licenses and notices of every module that is linked into one of the binaries, and of Go itself.
// A module without a license is an error: nobody may pass it on.
func collectLicenses(ctx context.Context, source sourceFacts, binaries []binary) ([]byte, error) {
	modules := map[string]bool{}
	for _, b := range binaries {
		info, err := buildinfo.ReadFile(b.path)
		if err != nil {
			return nil, fmt.Errorf("read the modules of %s: %w", b.path, err)
		}
		for _, module := range info.Deps {
			modules[module.Path] = true
		}
	}
	directories, err := findModules(ctx, source, modules)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBufferString("The programs of this release contain code of others. Their licenses and notices follow.\n")
	if err := appendLicenses(out, "Go "+runtime.Version(), goRoot(ctx)); err != nil {
		return nil, err
	}
	for _, line := range directories {
		module, directory, _ := strings.Cut(line, "\t")
		if err := appendLicenses(out, module, directory); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

func goRoot(ctx context.Context) string {
	out, _ := exec.CommandContext(ctx, "go", "env", "GOROOT").Output() // appendLicenses finds no license if this fails
	return strings.TrimSpace(string(out))
}

// findModules returns a line for each module: its name and version, a tab, and the directory that it was downloaded to.
func findModules(ctx context.Context, source sourceFacts, modules map[string]bool) ([]string, error) {
	args := []string{"list", "-m", "-f", "{{.Path}} {{.Version}}\t{{.Dir}}"}
	for module := range modules {
		args = append(args, module)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = source.directory
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("find the modules: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return lines, nil
}

func appendLicenses(out *bytes.Buffer, module, directory string) error {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return fmt.Errorf("look for the license of %s: %w", module, err)
	}
	found := false
	for _, entry := range entries {
		if entry.IsDir() || !licenseNames.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%[1]s\n%[2]s: %[3]s\n%[1]s\n\n%[4]s\n", strings.Repeat("=", 80), module, entry.Name(), bytes.TrimSpace(text))
		found = true
	}
	if !found {
		return errors.New(module + " has no license in " + directory)
	}
	return nil
}
