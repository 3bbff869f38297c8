package main

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// The layouts of a release verify with a registry in the list of digests and without one, and not with another image in them.
func TestVerifyLayouts(t *testing.T) {
	t.Parallel()
	for _, registry := range []string{"", "registry.example.com/team"} {
		b := &releaseBuild{source: sourceFacts{version: snapshot}, registry: registry, out: t.TempDir()}
		for _, p := range publishedPaths {
			image, err := random.Image(100, 1)
			if err != nil {
				t.Fatal(err)
			}
			digest, err := image.Digest()
			if err != nil {
				t.Fatal(err)
			}
			if err := b.writeLayout(p, digest, func(to layout.Path, tag layout.Option) error { return to.AppendImage(image, tag) }); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.writeFile("digests.txt", []byte(b.digests)); err != nil {
			t.Fatal(err)
		}
		if err := verifyLayouts(b.out); err != nil {
			t.Errorf("with the registry %q: %v", registry, err)
		}
		if err := b.writeFile("digests.txt", []byte("kafka-firehose@sha256:00\n")); err != nil {
			t.Fatal(err)
		}
		if err := verifyLayouts(b.out); err == nil {
			t.Errorf("with the registry %q: images verify by digests of others", registry)
		}
	}
}
