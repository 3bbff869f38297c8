package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	checksumsFile = "checksums.txt"     // in the form of sha256sum
	signatureFile = "checksums.txt.sig" // as `cosign sign-blob` writes it
)

// fileSums returns the SHA-256 of each file of the directory, apart from the list itself and its signature. Images have
// digests of their own, which digests.txt names.
func fileSums(directory string) (map[string]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, entry := range entries {
		if entry.IsDir() || entry.Name() == checksumsFile || entry.Name() == signatureFile {
			continue
		}
		content, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return nil, err
		}
		sums[entry.Name()] = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	return sums, nil
}

// listChecksums returns a line for each file, in the form of sha256sum.
func listChecksums(directory string) (string, error) {
	sums, err := fileSums(directory)
	if err != nil {
		return "", err
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&lines, "%s  %s\n", sums[name], name)
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

// verifyDirectory verifies the signature of the checksums, the files that are there by their checksums, and the images that are
// there by their digests. Files of the release may be missing, as after a download of some; one that is none of its files is an error,
// but for the key.
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
	sums, err := fileSums(directory)
	if err != nil {
		return err
	}
	delete(sums, k.nameIn(directory))
	if len(sums) == 0 {
		return fmt.Errorf("no file beside %s is there to be verified", checksumsFile)
	}
	for name, sum := range sums {
		switch listed, ok := listedSum(string(list), name); {
		case !ok:
			return fmt.Errorf("%s is not a file of the release: %s does not name it", name, checksumsFile)
		case sum != listed:
			return fmt.Errorf("%s differs from its checksum: it has %s, want %s", name, sum, listed)
		}
	}
	return verifyLayouts(directory)
}

// listedSum returns the checksum of a file in a list.
func listedSum(list, name string) (sum string, ok bool) {
	for line := range strings.Lines(list) {
		if sum, file, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  "); file == name {
			return sum, true
		}
	}
	return "", false
}
