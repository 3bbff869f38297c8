package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// pullImage pulls the image of the reference for a platform.
func pullImage(t *testing.T, reference string, p platform) v1.Image {
	t.Helper()
	digest, err := name.NewDigest(reference)
	if err != nil {
		t.Fatal(err)
	}
	image, err := remote.Image(digest, append(registryOptions(t.Context()), remote.WithPlatform(v1.Platform{OS: p.system, Architecture: p.architecture}))...)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// unpackImage returns the files of the image below a directory.
func unpackImage(t *testing.T, image v1.Image) (directory string, files []string) {
	t.Helper()
	directory = t.TempDir()
	content := mutate.Extract(image)
	defer content.Close()
	return directory, unpackFiles(t, content, directory)
}

func unpackFiles(t *testing.T, archive io.Reader, directory string) (files []string) {
	t.Helper()
	reader := tar.NewReader(archive)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(directory, filepath.FromSlash(header.Name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, header.FileInfo().Mode()); err != nil {
			t.Fatal(err)
		}
		files = append(files, header.Name)
	}
}
