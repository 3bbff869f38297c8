package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// imageRecipe is the content of an image beside its binary. It repeats deploy/Dockerfile; a test compares them.
type imageRecipe struct {
	command     string
	description string
	port        string
	authorities bool // public certificate authorities, for clients of AWS
}

var imageRecipes = []imageRecipe{
	{bridgeName, "A bridge from Kafka topics to Amazon Data Firehose", "8080/tcp", true},
	{emulatorName, "An emulated Amazon Data Firehose for tests", "4573/tcp", false},
}

const (
	authoritiesFile = "etc/ssl/certs/ca-certificates.crt"
	imageUser       = "65532:65532"
)

// composeIndex returns the image of the recipe for each of the binaries that is of Linux.
func (r imageRecipe) composeIndex(source sourceFacts, binaries []binary) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range binaries {
		if b.command != r.command || b.platform.system != "linux" {
			continue
		}
		image, err := r.composeImage(source, b)
		if err != nil {
			return nil, fmt.Errorf("compose the image of %s for %s: %w", r.command, b.platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: b.platform.system, Architecture: b.platform.architecture},
		}})
	}
	annotated, ok := mutate.Annotations(index, r.labels(source)).(v1.ImageIndex)
	if !ok {
		return nil, fmt.Errorf("the index of %s is none after it was annotated", r.command)
	}
	return annotated, nil
}

func (r imageRecipe) labels(source sourceFacts) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       r.command,
		"org.opencontainers.image.description": r.description,
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     source.number(),
		"org.opencontainers.image.revision":    source.revision,
		"org.opencontainers.image.created":     source.committed.Format(time.RFC3339),
	}
}

func (r imageRecipe) composeImage(source sourceFacts, b binary) (v1.Image, error) {
	program, err := os.ReadFile(b.path)
	if err != nil {
		return nil, err
	}
	files := [][]archiveFile{{{r.command, 0o755, program}}}
	if r.authorities { // first, since it changes least
		files = [][]archiveFile{{{authoritiesFile, 0o644, encodeAuthorities()}}, files[0]}
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, layerFiles := range files {
		image, err = appendLayer(image, source, layerFiles)
		if err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = b.platform.system, b.platform.architecture
	config.Created = v1.Time{Time: source.committed}
	config.Config = v1.Config{
		User: imageUser, Entrypoint: []string{"/" + r.command}, Labels: maps.Clone(r.labels(source)),
		ExposedPorts: map[string]struct{}{r.port: {}},
	}
	return mutate.ConfigFile(image, config)
}

func appendLayer(image v1.Image, source sourceFacts, files []archiveFile) (v1.Image, error) {
	archive, err := packFiles(files, source.committed)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
		Created: v1.Time{Time: source.committed}, CreatedBy: "kafka-firehose release", Comment: "/" + files[0].name,
	}})
}

// encodeAuthorities returns Mozilla's certificate authorities in PEM, at the version of go.mod, so that images don't depend
// on the machine. Limits that Mozilla sets for some of them have no form in PEM, here as in every distribution.
func encodeAuthorities() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
	}
	return out.Bytes()
}
