package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// source is what is fed: next returns the value of one record after the other, and its key if it
// has one, and then io.EOF. The bytes are the caller's to keep.
type source interface {
	next(ctx context.Context) (key, value []byte, err error)
}

// eachLine calls visit with every line of r, without its newline; a last line that has none counts.
// The bytes are only valid during the call.
func eachLine(r io.Reader, visit func(line []byte) error) error {
	buffered := bufio.NewReaderSize(r, 256<<10)
	var long []byte // the beginning of a line that did not fit into the buffer
	for {
		part, err := buffered.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		}
		line := part
		if len(long) > 0 {
			long = append(long, part...)
			line, long = long, long[:0]
		}
		if err != nil && len(line) == 0 {
			return nil
		}
		if n := len(line) - 1; line[n] == '\n' {
			line = line[:n]
		}
		if visitErr := visit(line); visitErr != nil || err != nil {
			return visitErr
		}
	}
}

// lineSource reads ahead in a goroutine of its own: a read from standard input can't be called
// off, but waiting for it can.
type lineSource struct {
	lines chan []byte
	err   error // why lines was closed; nil at the end
}

// readLines reads the readers that open returns, so many times. The goroutine ends with them or with
// ctx, except in a read that does not return, which ends with the process.
func readLines(ctx context.Context, name string, times int, open func() (io.ReadCloser, error)) *lineSource {
	s := &lineSource{lines: make(chan []byte, 1024)}
	go func() {
		defer close(s.lines)
		for range times {
			if s.err = s.read(ctx, open); s.err != nil {
				s.err = fmt.Errorf("read %s: %w", name, s.err)
				return
			}
		}
	}()
	return s
}

func (s *lineSource) read(ctx context.Context, open func() (io.ReadCloser, error)) error {
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	var block []byte // lines are cut from it: one allocation for many
	var n int64
	return eachLine(r, func(line []byte) error {
		if n++; len(line) > maxLine {
			return fmt.Errorf("line %d has %d bytes; the sandbox takes up to %d", n, len(line), maxLine)
		}
		if cap(block)-len(block) < len(line) {
			block = make([]byte, 0, max(64<<10, len(line)))
		}
		from := len(block)
		block = append(block, line...)
		select {
		case s.lines <- block[from:len(block):len(block)]:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func (s *lineSource) next(ctx context.Context) (key, value []byte, err error) {
	select {
	case line, ok := <-s.lines:
		if !ok && s.err != nil {
			return nil, nil, s.err
		} else if !ok {
			return nil, nil, io.EOF
		}
		return nil, line, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// newSource is what the flags say to feed.
func newSource(ctx context.Context, w world, o options) source {
	switch o.input {
	case "":
		return newEvents()
	case "-":
		return readLines(ctx, "standard input", 1, func() (io.ReadCloser, error) { return io.NopCloser(w.stdin), nil })
	default:
		return readLines(ctx, o.input, o.repeat, func() (io.ReadCloser, error) { return os.Open(o.input) })
	}
}
