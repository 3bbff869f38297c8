package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
)

// identity stands for the content of a line: 128 bits of two independently seeded hashes. That two
// different lines of a run share one is less likely than a wrong bit in memory.
type identity [2]uint64

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func identify(line []byte) identity {
	return identity{maphash.Bytes(seeds[0], line), maphash.Bytes(seeds[1], line)}
}

// journal holds the identity of each line that was fed, taken where the line comes in and before
// the producer sees it. It is on disk, 16 bytes a line, because standard input can't be read twice
// and memory has to suffice for any number of lines.
type journal struct {
	file *os.File
	out  *bufio.Writer
}

func newJournal(dir string) (*journal, error) {
	f, err := os.Create(filepath.Join(dir, ".fed"))
	if err != nil {
		return nil, fmt.Errorf("make the journal of what is fed: %w", err)
	}
	return &journal{f, bufio.NewWriterSize(f, 64<<10)}, nil
}

func (j *journal) add(line []byte) error {
	id := identify(line)
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], id[0])
	binary.LittleEndian.PutUint64(b[8:], id[1])
	if _, err := j.out.Write(b[:]); err != nil {
		return fmt.Errorf("note what is fed: %w", err)
	}
	return nil
}

// each visits what was added, which has to be over. Lines have no content here.
func (j *journal) each(_ context.Context, visit visitor) error {
	if err := j.out.Flush(); err != nil {
		return fmt.Errorf("note what is fed: %w", err)
	}
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReaderSize(j.file, 64<<10)
	var b [16]byte
	for n := int64(1); ; n++ {
		if _, err := io.ReadFull(in, b[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the journal of what was fed: %w", err)
		}
		id := identity{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
		visit(id, sighting{place: "fed", at: n})
	}
}

// close removes the journal, which means nothing to another process.
func (j *journal) close() error { return errors.Join(j.file.Close(), os.Remove(j.file.Name())) }
