// Command schemas writes JSON schemas of what the Helm chart renders into a directory, for kubeconform:
// those of Kubernetes and of the custom resources that the chart knows. They come out of Go modules of
// pinned versions and hashes, and are stricter than the originals: an unknown field is an error.
//
// The definitions of the custom resources go, as they are, into DIRECTORY/definitions, for an API server.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// source is a module and the files in it that hold the schemas.
type source struct {
	module, version, sum string
	files                string // a pattern
	read                 func(file []byte) (map[string]any, error)
}

// sources are not in go.mod because no package of theirs is imported.
var sources = []source{
	{"k8s.io/kubernetes", "v1.37.2", "h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE=", "api/openapi-spec/swagger.json", swagger},
	{"github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=", "config/crd/bases/keda.sh_scaledobjects.yaml", customResource},
	{"github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=", "config/crd/bases/keda.sh_triggerauthentications.yaml", customResource},
	{"github.com/prometheus-operator/prometheus-operator", "v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=", "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml", customResource},
	{"github.com/prometheus-operator/prometheus-operator", "v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=", "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml", customResource},
	{"github.com/prometheus-operator/prometheus-operator", "v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=", "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml", customResource},
}

const definitions = "definitions"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: schemas DIRECTORY")
		os.Exit(2)
	}
	if err := write(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

// write writes a file KIND-GROUP-VERSION.json for each kind, which is where kubeconform looks.
func write(ctx context.Context, dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, definitions), 0o755); err != nil {
		return err
	}
	for _, s := range sources {
		module, err := s.download(ctx)
		if err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(module, filepath.FromSlash(s.files)))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("%s has no %s: %w", s.module, s.files, errors.Join(err, os.ErrNotExist))
		}
		for _, file := range files {
			if err := s.convert(file, dir); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

func (s source) convert(file, dir string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	schemas, err := s.read(text)
	if err != nil {
		return err
	}
	if filepath.Ext(file) == ".yaml" {
		if err := os.WriteFile(filepath.Join(dir, definitions, filepath.Base(file)), text, 0o644); err != nil { //nolint:gosec // a cache, not a secret
			return err
		}
	}
	for name, schema := range schemas {
		text, err := json.Marshal(schema)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil { //nolint:gosec // a cache, not a secret
			return err
		}
	}
	return nil
}

// download returns the directory of the module, after comparing its hash.
func (s source) download(ctx context.Context) (dir string, err error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", s.module+"@"+s.version) //nolint:gosec // of the list above
	cmd.Dir = os.TempDir()                                                                    // outside of any module
	out, err := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if bad := json.Unmarshal(out, &got); bad != nil {
		return "", errors.Join(err, bad)
	}
	if got.Error != "" || got.Sum != s.sum {
		return "", fmt.Errorf("%s@%s has the hash %q, want %q: %s", s.module, s.version, got.Sum, s.sum, got.Error)
	}
	return got.Dir, err
}

// fileName is where kubeconform looks for a kind, with {{.ResourceKind}}{{.KindSuffix}}.json.
func fileName(kind, group, version string) string {
	name := strings.ToLower(kind)
	if group != "" {
		first, _, _ := strings.Cut(group, ".")
		name += "-" + first
	}
	return name + "-" + strings.ToLower(version) + ".json"
}
