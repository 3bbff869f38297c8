package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	checksumsFile = "checksums.txt"     // in the form of sha256sum
	signatureFile = "checksums.txt.sig" // as `cosign sign-blob` writes it
)

// listChecksums returns a line for each file of the directory, apart from the list itself and its signature. Images have
// digests of their own, which digests.txt names.
func listChecksums(directory string) (string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, entry := range entries {
		if entry.IsDir() || entry.Name() == checksumsFile || entry.Name() == signatureFile {
			continue
		}
		content, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(content), entry.Name())
	}
	return lines.String(), nil
}

func writeChecksums(directory string, key signingKey) error {
	list, err := listChecksums(directory)
	if err != nil {
		return fmt.Errorf("list checksums: %w", err)
	}
	if err := os.WriteFile(filepath.Join(directory, checksumsFile), []byte(list), 0o644); err != nil { //nolint:gosec // a release is public
		return err
	}
	if !key.isGiven() {
		return nil
	}
	signature, err := key.signMessage([]byte(list))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, signatureFile), []byte(signature), 0o644) //nolint:gosec // a release is public
}

// verifyDirectory verifies the signature of the checksums, every file by its checksum, and the images by their digests.
func (k publicKey) verifyDirectory(directory string) error {
	list, err := os.ReadFile(filepath.Join(directory, checksumsFile))
	if err != nil {
		return err
	}
	signature, err := os.ReadFile(filepath.Join(directory, signatureFile))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no signature: %w", err)
	}
	if err != nil {
		return err
	}
	if err := k.verifyMessage(list, string(signature)); err != nil {
		return fmt.Errorf("%s: %w", checksumsFile, err)
	}
	now, err := listChecksums(directory)
	if err != nil {
		return err
	}
	if now != string(list) {
		return fmt.Errorf("files differ from their checksums; those are:\n%sthe files have:\n%s", list, now)
	}
	return verifyLayouts(directory)
}
