package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kafka-firehose/cmd/bench/profile"
	"kafka-firehose/connector/retry"
)

// profiled are the variables that have the mover of s write a profile.
func (b *bench) profiled(s setup) []string {
	if b.profile == "" {
		return nil
	}
	return []string{profile.Variable + "=" + b.profileOf(s)}
}

// profileOf is the file for the profile of s.
func (b *bench) profileOf(s setup) string {
	name := strings.NewReplacer(", ", "_", " ", "-").Replace(string(s.mover) + ", " + s.String())
	return filepath.Join(b.profile, name+".pprof")
}

// maxProfile is how long it may take to write a profile.
const maxProfile = 10 * time.Second

// beginProfile begins the profile of p, if there is to be one. ended ends it, and returns
// when it is written.
func (b *bench) beginProfile(s setup, p *process) (ended func(context.Context) error, err error) {
	if b.profile == "" {
		return func(context.Context) error { return nil }, nil
	}
	file := b.profileOf(s)
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(file); err != nil { // of an earlier run
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := p.cmd.Process.Signal(profile.End); err != nil {
			return err
		}
		for end := time.Now().Add(maxProfile); ; _ = retry.Sleep(ctx, look) {
			if _, err := os.Stat(file); err == nil {
				return nil
			}
			if time.Now().After(end) || ctx.Err() != nil {
				return fmt.Errorf("the %s wrote no profile", s.mover)
			}
		}
	}, p.cmd.Process.Signal(profile.Begin)
}
