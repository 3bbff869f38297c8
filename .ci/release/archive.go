package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"time"
)

// archiveFile is a file of an archive.
type archiveFile struct {
	name    string
	mode    int64
	content []byte
}

// packFiles returns a tar archive with the files in the order given. Every entry belongs to root and has the same time, so the
// archive depends on the files alone.
func packFiles(files []archiveFile, modified time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, file := range files {
		header := tar.Header{Typeflag: tar.TypeReg, Name: file.name, Mode: file.mode, Size: int64(len(file.content)), ModTime: modified, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(&header); err != nil {
			return nil, fmt.Errorf("pack %s: %w", file.name, err)
		}
		if _, err := w.Write(file.content); err != nil {
			return nil, fmt.Errorf("pack %s: %w", file.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack files: %w", err)
	}
	return out.Bytes(), nil
}

// compressArchive compresses with gzip, without a name or a time in its header.
func compressArchive(archive []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(archive); err != nil {
		return nil, fmt.Errorf("compress an archive: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress an archive: %w", err)
	}
	return out.Bytes(), nil
}
