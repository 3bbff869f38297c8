package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// Helm's media types.
const (
	chartConfigType  = types.MediaType("application/vnd.cncf.helm.config.v1+json")
	chartArchiveType = types.MediaType("application/vnd.cncf.helm.chart.content.v1.tar+gzip")
)

// packedChart is the chart as Helm downloads it.
type packedChart struct {
	archive  []byte
	metadata *chart.Metadata
}

// packChart packs the chart as `helm package` does, with the version of the release, and the image's repository and digest as
// its default values, and says in its README how it is installed from there. Without a registry the repository stays a value that the
// user has to give.
func packChart(source sourceFacts, registry string, image v1.Hash) (packedChart, error) {
	loaded, err := loader.LoadDir(filepath.Join(source.directory, "helm", bridgeName)) // leaves out the files in .helmignore
	if err != nil {
		return packedChart{}, fmt.Errorf("load the chart: %w", err)
	}
	edits := map[string][]string{
		"Chart.yaml": {
			"\nversion: " + loaded.Metadata.Version + "\n", "\nversion: " + source.number() + "\n",
			"\nappVersion: " + loaded.Metadata.AppVersion + "\n", "\nappVersion: " + source.number() + "\n",
		},
		"values.yaml": {"\n  digest: \"\"\n", "\n  digest: " + image.String() + "\n"},
	}
	edits["Chart.yaml"] = append(edits["Chart.yaml"], "image-digest: \"\"\n", "image-digest: "+image.String()+"\n")
	if registry != "" {
		repository := path.Join(registry, bridgeName)
		edits["values.yaml"] = append(edits["values.yaml"], "\n  repository: \"\"\n", "\n  repository: "+repository+"\n",
			"of the image that you built with `deploy/Dockerfile`, without tag and digest. Required.", "of the image, without tag and digest.")
		edits["README.md"] = []string{
			"There is no public image: build one with `deploy/Dockerfile` and push it to a registry of yours. Then", "The image is `" + repository + "`, by its digest.",
			"helm install orders helm/kafka-firehose -n", "helm install orders oci://" + path.Join(registry, "charts", bridgeName) + " --version " + source.number() + " -n",
			"image:\n  repository: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/kafka-firehose\n", "",
			"| image.repository | string | `\"\"` | Registry and name of the image that you built with `deploy/Dockerfile`, without tag and digest. Required. |",
			"| image.repository | string | `\"" + repository + "\"` | Registry and name of the image, without tag and digest. |",
		}
	}
	var files []archiveFile
	for _, raw := range loaded.Raw {
		content, err := replaceOnce(string(raw.Data), edits[raw.Name])
		if err != nil {
			return packedChart{}, fmt.Errorf("edit %s of the chart: %w", raw.Name, err)
		}
		files = append(files, archiveFile{bridgeName + "/" + raw.Name, 0o644, []byte(content)})
	}
	// Helm reads Chart.yaml first.
	slices.SortFunc(files, func(a, b archiveFile) int {
		return cmp.Or(strings.Count(a.name, "/")-strings.Count(b.name, "/"), cmp.Compare(a.name, b.name))
	})
	archive, err := packFiles(files, source.committed)
	if err != nil {
		return packedChart{}, err
	}
	compressed, err := compressArchive(archive)
	if err != nil {
		return packedChart{}, err
	}
	packed, err := loader.LoadArchive(bytes.NewReader(compressed))
	if err != nil {
		return packedChart{}, fmt.Errorf("load the packed chart: %w", err)
	}
	return packedChart{compressed, packed.Metadata}, nil
}

// replaceOnce replaces pairs of an old and a new text. An old text that isn't there exactly once is an error: the file has
// changed and this program has not.
func replaceOnce(text string, pairs []string) (string, error) {
	for pair := range slices.Chunk(pairs, 2) {
		if n := strings.Count(text, pair[0]); n != 1 {
			return "", fmt.Errorf("%q is there %d times, want once", pair[0], n)
		}
		text = strings.Replace(text, pair[0], pair[1], 1)
	}
	return text, nil
}

// composeArtifact returns the chart in the form that `helm push` gives it in a registry.
func (c packedChart) composeArtifact() (v1.Image, error) {
	config, err := json.Marshal(c.metadata)
	if err != nil {
		return nil, fmt.Errorf("write the chart's metadata: %w", err)
	}
	layer := static.NewLayer(c.archive, chartArchiveType)
	describe := func(l v1.Layer) v1.Descriptor {
		d, _ := partial.Descriptor(l) // a static layer knows its digest and size
		return *d
	}
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: describe(static.NewLayer(config, chartConfigType)),
		Layers: []v1.Descriptor{describe(layer)},
		Annotations: map[string]string{
			"org.opencontainers.image.title":       c.metadata.Name,
			"org.opencontainers.image.version":     c.metadata.Version,
			"org.opencontainers.image.description": c.metadata.Description,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("write the chart's manifest: %w", err)
	}
	return partial.CompressedToImage(artifact{config, manifest, layer})
}

// artifact is an OCI artifact with a config of its own type and one layer.
type artifact struct {
	config, manifest []byte
	layer            v1.Layer
}

func (a artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (a artifact) RawConfigFile() ([]byte, error)      { return a.config, nil }
func (a artifact) RawManifest() ([]byte, error)        { return a.manifest, nil }
func (a artifact) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	if own, _ := a.layer.Digest(); own != digest {
		return nil, fmt.Errorf("the artifact has no layer %s", digest)
	}
	return a.layer, nil
}
