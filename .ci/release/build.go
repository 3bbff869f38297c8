package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// releaseBuild is a build under way.
type releaseBuild struct {
	source   sourceFacts
	registry string
	out      string
	key      signingKey
	digests  string // text of digests.txt
}

// buildRelease builds a release into the directory, which it makes.
func buildRelease(ctx context.Context, out io.Writer, o options) error {
	notes, err := readReleaseNotes(o.source, o.version)
	if err != nil {
		return err
	}
	source, err := readSourceFacts(ctx, o.source, o.version)
	if err != nil {
		return err
	}
	if !isSnapshot(o.version) {
		if err := refuseOldTexts(o.source); err != nil {
			return err
		}
	}
	key, err := readSigningKey(o.key)
	if err != nil {
		return err
	}
	if there, err := os.ReadDir(o.out); err == nil && len(there) > 0 {
		return fmt.Errorf("%s is not empty, and files of another release must not be among those of %s", o.out, o.version)
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	b := &releaseBuild{source: source, registry: o.registry, out: o.out, key: key}
	if err := b.writeFile("RELEASE_NOTES.md", []byte(notes)); err != nil {
		return err
	}
	if err := b.buildParts(ctx); err != nil {
		return err
	}
	signed := "signed"
	if !key.isGiven() {
		signed = "NOT SIGNED, because RELEASE_KEY is not set"
	}
	fmt.Fprintf(out, "%s%s of %s in %s, %s\n", b.digests, source.version, source.revision, o.out, signed)
	return nil
}

func (b *releaseBuild) buildParts(ctx context.Context) error {
	work, err := os.MkdirTemp("", "kafka-firehose-release-")
	if err != nil {
		return err
	}
	binaries, err := compileCommands(ctx, b.source, work)
	var licenses []byte
	if err == nil {
		licenses, err = collectLicenses(ctx, b.source, binaries)
	}
	if err == nil {
		err = errors.Join(b.writeFile(licensesFile, licenses), b.writeBinaries(binaries, licenses))
	}
	var bridge v1.Hash
	for _, recipe := range imageRecipes {
		if err == nil {
			var digest v1.Hash
			if digest, err = b.writeImage(recipe, binaries); recipe.command == bridgeName {
				bridge = digest
			}
		}
	}
	if err == nil {
		err = b.writeChart(bridge)
	}
	if err == nil {
		err = b.writeFile("digests.txt", []byte(b.digests))
	}
	if err == nil {
		err = writeChecksums(b.out, b.key)
	}
	return errors.Join(err, os.RemoveAll(work))
}

// writeBinaries writes an archive and an SBOM for each binary.
func (b *releaseBuild) writeBinaries(binaries []binary, licenses []byte) error {
	license, err := os.ReadFile(filepath.Join(b.source.directory, "LICENSE"))
	if err != nil {
		return err
	}
	for _, compiled := range binaries {
		program, err := os.ReadFile(compiled.path)
		if err != nil {
			return err
		}
		archive, err := packFiles([]archiveFile{{compiled.command, 0o755, program}, {"LICENSE", 0o644, license}, {licensesFile, 0o644, licenses}}, b.source.committed)
		if err != nil {
			return err
		}
		compressed, err := compressArchive(archive)
		if err != nil {
			return err
		}
		sbom, err := describeBinary(b.source, compiled)
		if err != nil {
			return err
		}
		base := fmt.Sprintf("%s_%s_%s", compiled.command, b.source.number(), compiled.platform)
		if err := errors.Join(b.writeFile(base+".tar.gz", compressed), b.writeFile(base+".spdx.json", sbom)); err != nil {
			return err
		}
	}
	return nil
}

func (b *releaseBuild) writeImage(recipe imageRecipe, binaries []binary) (v1.Hash, error) {
	index, err := recipe.composeIndex(b.source, binaries)
	if err != nil {
		return v1.Hash{}, err
	}
	digest, err := index.Digest()
	if err != nil {
		return v1.Hash{}, err
	}
	return digest, b.writeLayout(recipe.command, digest, func(to layout.Path, tag layout.Option) error {
		return to.AppendIndex(index, tag)
	})
}

func (b *releaseBuild) writeChart(image v1.Hash) error {
	packed, err := packChart(b.source, b.registry, image)
	if err != nil {
		return err
	}
	if err := b.writeFile(fmt.Sprintf("%s-chart-%s.tgz", bridgeName, b.source.number()), packed.archive); err != nil {
		return err
	}
	artifact, err := packed.composeArtifact()
	if err != nil {
		return err
	}
	digest, err := artifact.Digest()
	if err != nil {
		return err
	}
	return b.writeLayout("charts/"+bridgeName, digest, func(to layout.Path, tag layout.Option) error {
		return to.AppendImage(artifact, tag)
	})
}

// writeLayout makes an OCI layout with a manifest, tagged with the version, and with its signature.
func (b *releaseBuild) writeLayout(published string, digest v1.Hash, add func(layout.Path, layout.Option) error) error {
	to, err := layout.Write(filepath.Join(b.out, "oci", published), empty.Index)
	if err != nil {
		return fmt.Errorf("make the layout of %s: %w", published, err)
	}
	tagged := func(tag string) layout.Option {
		return layout.WithAnnotations(map[string]string{tagAnnotation: tag})
	}
	if err := add(to, tagged(b.source.number())); err != nil {
		return fmt.Errorf("write %s: %w", published, err)
	}
	reference := path.Join(b.registry, published)
	b.digests += reference + "@" + digest.String() + "\n"
	if !b.key.isGiven() {
		return nil
	}
	signature, err := b.key.composeSignature(reference, digest)
	if err != nil {
		return err
	}
	return to.AppendImage(signature, tagged(signatureTag(digest)))
}

func (b *releaseBuild) writeFile(file string, content []byte) error {
	return os.WriteFile(filepath.Join(b.out, file), content, 0o644) //nolint:gosec // a release is public
}
