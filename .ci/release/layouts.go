package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// verifyLayouts verifies that the OCI layouts of a directory hold what the list of digests names, and every blob by its digest.
func verifyLayouts(directory string) error {
	if _, err := os.Stat(filepath.Join(directory, "oci")); errors.Is(err, os.ErrNotExist) {
		return nil // the files of a release are also kept without its images
	}
	list, err := os.ReadFile(filepath.Join(directory, "digests.txt"))
	if err != nil {
		return err
	}
	for _, p := range publishedPaths {
		to, err := layout.FromPath(filepath.Join(directory, "oci", p))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := verifyLayout(to, p, string(list)); err != nil {
			return fmt.Errorf("layout of %s: %w", p, err)
		}
	}
	return nil
}

func verifyLayout(to layout.Path, published, digests string) error {
	index, err := to.ImageIndex()
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	// A line is the published path, with the registry in front of it if there is one, and the digest.
	named := func(line string) bool {
		return strings.HasSuffix("/"+line, "/"+published+"@"+manifest.Manifests[0].Digest.String())
	}
	if len(manifest.Manifests) == 0 || !slices.ContainsFunc(strings.Fields(digests), named) {
		return errors.New("its first manifest is not the one in digests.txt")
	}
	for _, descriptor := range manifest.Manifests {
		if _, err := to.Bytes(descriptor.Digest); err != nil {
			return err
		}
	}
	return verifyBlobs(string(to))
}

// verifyBlobs compares every blob with its name.
func verifyBlobs(directory string) error {
	files, err := filepath.Glob(filepath.Join(directory, "blobs", "sha256", "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		digest, _, err := v1.SHA256(bytes.NewReader(content))
		if err != nil {
			return err
		}
		if digest.Hex != filepath.Base(file) {
			return fmt.Errorf("the blob %s has the digest %s", filepath.Base(file), digest.Hex)
		}
	}
	return nil
}
