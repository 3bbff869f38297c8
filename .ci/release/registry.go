package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// tagAnnotation is OCI's annotation for the tag of a manifest in a layout.
const tagAnnotation = "org.opencontainers.image.ref.name"

// publishedPaths are the OCI layouts of a release, which are also the paths of their images below the registry. Helm takes the
// last part of the path for the chart's name.
var publishedPaths = []string{bridgeName, emulatorName, "charts/" + bridgeName}

func registryOptions(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
}

// publishRelease pushes every image of the directory, signatures first: an image is never there without its signature.
func publishRelease(ctx context.Context, out io.Writer, directory, registry string) error {
	if registry == "" {
		return errors.New("RELEASE_REGISTRY is not set; it accepts where images and chart live, such as registry.example.com/team")
	}
	for _, p := range publishedPaths {
		index, err := layout.ImageIndexFromPath(filepath.Join(directory, "oci", p))
		if err != nil {
			return fmt.Errorf("open the layout of %s: %w", p, err)
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			return fmt.Errorf("read the layout of %s: %w", p, err)
		}
		for i := range manifest.Manifests {
			descriptor := manifest.Manifests[len(manifest.Manifests)-1-i] // the signature was written last
			tag, err := name.NewTag(path.Join(registry, p) + ":" + descriptor.Annotations[tagAnnotation])
			if err != nil {
				return fmt.Errorf("RELEASE_REGISTRY holds %q: %w", registry, err)
			}
			if err := pushManifest(ctx, index, descriptor, tag); err != nil {
				return fmt.Errorf("push %s: %w", tag, err)
			}
			fmt.Fprintf(out, "pushed %s@%s\n", tag, descriptor.Digest)
		}
	}
	return nil
}

func pushManifest(ctx context.Context, index v1.ImageIndex, descriptor v1.Descriptor, tag name.Tag) error {
	if descriptor.MediaType.IsIndex() {
		inner, err := index.ImageIndex(descriptor.Digest)
		if err != nil {
			return err
		}
		return remote.WriteIndex(tag, inner, registryOptions(ctx)...)
	}
	image, err := index.Image(descriptor.Digest)
	if err != nil {
		return err
	}
	return remote.Write(tag, image, registryOptions(ctx)...)
}

// verifyReference verifies the signature of an image or a chart in a registry, and then each byte that it consists of.
func (k publicKey) verifyReference(ctx context.Context, reference string) error {
	digest, err := name.NewDigest(reference)
	if err != nil {
		return err
	}
	hash, err := v1.NewHash(digest.DigestStr())
	if err != nil {
		return err
	}
	signature, err := remote.Image(digest.Context().Tag(signatureTag(hash)), registryOptions(ctx)...)
	if err != nil {
		return fmt.Errorf("there is no signature: %w", err)
	}
	if err := k.verifySignature(signature, hash); err != nil {
		return err
	}
	return validateContent(ctx, digest)
}

// validateContent pulls all that belongs to the digest and compares it with the digests that lead to it.
func validateContent(ctx context.Context, digest name.Digest) error {
	descriptor, err := remote.Get(digest, registryOptions(ctx)...)
	if err != nil {
		return err
	}
	if descriptor.MediaType.IsIndex() {
		index, err := descriptor.ImageIndex()
		if err != nil {
			return err
		}
		return validate.Index(index)
	}
	image, err := descriptor.Image()
	if err != nil {
		return err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	if _, err := image.RawConfigFile(); err != nil {
		return err
	}
	for _, l := range manifest.Layers {
		if _, err := readLayer(image, l.Digest); err != nil {
			return err
		}
	}
	return nil
}

// readLayer reads a layer as it is stored. A registry's client compares what it reads with the digest.
func readLayer(image v1.Image, digest v1.Hash) ([]byte, error) {
	layer, err := image.LayerByDigest(digest)
	if err != nil {
		return nil, err
	}
	content, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}
