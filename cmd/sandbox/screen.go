package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"kafka-firehose/connector/logging"
)

// screen is the terminal, or what is instead of one. Lines that are drawn stand at its end and are
// replaced by the next ones; what is printed meanwhile goes above them.
type screen struct {
	out, errs io.Writer
	terminal  bool

	mu    sync.Mutex
	drawn []string // that stand there now
}

func newScreen(w world) *screen {
	return &screen{out: w.stdout, errs: w.stderr, terminal: w.terminal}
}

const (
	goUp  = "\x1b[%dA\r" // so many lines up, to the beginning
	blank = "\x1b[J"     // all from here on
)

// draw replaces the lines; without a terminal it prints them, for whoever reads the log.
func (s *screen) draw(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	fmt.Fprintln(s.out, strings.Join(lines, "\n"))
	if s.terminal {
		s.drawn = lines
	}
}

// erase removes what is drawn. The caller holds mu.
func (s *screen) erase() {
	if len(s.drawn) > 0 {
		fmt.Fprintf(s.out, goUp+blank, len(s.drawn))
	}
	s.drawn = nil
}

// print prints text that stays, below what is drawn, which stays too.
func (s *screen) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawn = nil
	fmt.Fprint(s.out, text)
}

// warn prints text on standard error, above what is drawn.
func (s *screen) warn(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.drawn
	s.erase()
	fmt.Fprint(s.errs, text)
	if len(lines) > 0 {
		fmt.Fprintln(s.out, strings.Join(lines, "\n"))
		s.drawn = lines
	}
}

// Write lets a logger warn.
func (s *screen) Write(p []byte) (int, error) {
	s.warn(string(p))
	return len(p), nil
}

// openLog makes the connector's logger: everything into a file, and warnings, or with verbose
// everything, onto the screen.
func openLog(path string, s *screen, verbose bool) (*slog.Logger, *os.File, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, nil, fmt.Errorf("make the connector's log: %w", err)
	}
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	onScreen := slog.NewTextHandler(s, &slog.HandlerOptions{Level: level, ReplaceAttr: noTime})
	inFile := slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(slog.NewMultiHandler(inFile, logging.LimitRepeats(onScreen, 10*time.Second))), f, nil
}
