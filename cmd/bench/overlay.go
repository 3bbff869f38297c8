package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// ownProtocol is the line of connector/firehose/putbatch/protocol.go that has the connector write
// bodies itself.
var ownProtocol = regexp.MustCompile(`(?m)^\s*o\.Protocol = batchProtocol\{.*\}$`)

// profiling is one more file of the connector, which is in no build but ours.
const profiling = `package main

import "kafka-firehose/cmd/bench/profile"

func init() { profile.Serve() }
`

// overlay has the go command build what m is, and returns the file that says so: the
// connector as it is; for the stock SDK without the line above, and so with the SDK's
// serializer, while everything else is the same program; and with profiles, if those are
// wanted.
func (b *bench) overlay(ctx context.Context, m mover) (file string, err error) {
	replace := map[string]string{}
	if b.profile != "" {
		main, err := sourceDir(ctx, "kafka-firehose/cmd/kafka-firehose")
		if err != nil {
			return "", err
		}
		if replace[filepath.Join(main, "bench_profile.go")], err = b.source("bench_profile.go", []byte(profiling)); err != nil {
			return "", err
		}
	}
	if m == moverStock {
		own, without, err := stockProtocol(ctx)
		if err != nil {
			return "", err
		}
		if replace[own], err = b.source("protocol.go", without); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	return b.source(m.file()+".json", text)
}

// stockProtocol is the source of the protocol, and what it would be without its own protocol.
func stockProtocol(ctx context.Context) (file string, without []byte, err error) {
	dir, err := sourceDir(ctx, "kafka-firehose/connector/firehose/putbatch")
	if err != nil {
		return "", nil, err
	}
	file = filepath.Join(dir, "protocol.go")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", nil, err
	}
	if n := len(ownProtocol.FindAll(text, -1)); n != 1 {
		return "", nil, fmt.Errorf("%s has %d lines that match %q, want one: say there how the SDK's own serializer is had", file, n, ownProtocol)
	}
	return file, ownProtocol.ReplaceAll(text, nil), nil
}

// sourceDir is the directory that a package is in.
func sourceDir(ctx context.Context, pkg string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", pkg).Output()
	if err != nil {
		return "", fmt.Errorf("find the source of %s: %w", pkg, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// source writes a file for the go command, and returns its path.
func (b *bench) source(name string, text []byte) (file string, err error) {
	file = filepath.Join(b.dir, name)
	return file, os.WriteFile(file, text, 0o600)
}
