package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// wantTamperedRefused changes a byte in each place and removes each signature.
func (r *rehearsal) wantTamperedRefused(t *testing.T) {
	t.Helper()
	refused := func(what, target, want string) {
		t.Helper()
		if err := r.verify(t, r.public, target); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", what, err, want)
		}
	}
	for file, want := range map[string]string{
		fmt.Sprintf("%s_0.0.0-snapshot_linux_amd64.tar.gz", bridgeName): "differs from its checksum",
		checksumsFile: errWrongSignature.Error(), signatureFile: "",
	} {
		restore := changeByte(t, filepath.Join(r.directory, file))
		refused("a changed byte of "+file, r.directory, want)
		restore()
	}
	blobs, err := filepath.Glob(filepath.Join(r.directory, "oci", bridgeName, "blobs", "sha256", "*"))
	if err != nil || len(blobs) < 8 {
		t.Fatalf("%d blobs, want 8 or more: %v", len(blobs), err)
	}
	for _, blob := range blobs {
		restore := changeByte(t, blob)
		refused("a changed byte of "+filepath.Base(blob), r.directory, "")
		restore()
	}
	if err := r.verify(t, r.public, r.directory); err != nil {
		t.Errorf("the release as it was: %v", err)
	}
	if err := os.Remove(filepath.Join(r.directory, signatureFile)); err != nil {
		t.Fatal(err)
	}
	refused("files that are not signed", r.directory, "there is no signature")
	r.wantForeignSignatureRefused(t, refused)
	r.removeSignature(t, r.bridgeRef)
	refused("an image that is not signed", r.bridgeRef, "there is no signature")
}

// wantForeignSignatureRefused puts the chart's signature in the place of the emulator's: it is by the right key and names
// another digest.
func (r *rehearsal) wantForeignSignatureRefused(t *testing.T, refused func(what, target, want string)) {
	t.Helper()
	chart, err := remote.Image(signatureOf(t, r.chart))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(signatureOf(t, r.emulatorRef), chart); err != nil {
		t.Fatal(err)
	}
	refused("a signature of something else", r.emulatorRef, errWrongSignature.Error())
}

func (r *rehearsal) removeSignature(t *testing.T, reference string) {
	t.Helper()
	if err := remote.Delete(signatureOf(t, reference)); err != nil {
		t.Fatal(err)
	}
}

func signatureOf(t *testing.T, reference string) name.Tag {
	t.Helper()
	digest, err := name.NewDigest(reference)
	hash, errHash := v1.NewHash(digest.DigestStr())
	if err := errors.Join(err, errHash); err != nil {
		t.Fatal(err)
	}
	return digest.Context().Tag(signatureTag(hash))
}

// changeByte changes the byte in the middle of the file, until it is restored.
func changeByte(t *testing.T, file string) (restore func()) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(content)
	changed[len(changed)/2] ^= 1
	writeTestFile(t, file, changed)
	return func() { writeTestFile(t, file, content) }
}
