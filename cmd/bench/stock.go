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

// ownProtocol is the line of connector/firehose/client.go that has the connector write
// bodies itself.
var ownProtocol = regexp.MustCompile(`(?m)^\s*o\.Protocol = protocol\{.*\}$`)

// stockOverlay has the go command build the connector without that line, and so with the
// serializer of the SDK: everything else is the same program.
func stockOverlay(ctx context.Context, dir string) (file string, err error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "kafka-firehose/connector/firehose").Output()
	if err != nil {
		return "", fmt.Errorf("find the source: %w", err)
	}
	client := filepath.Join(strings.TrimSpace(string(out)), "client.go")
	text, err := os.ReadFile(client)
	if err != nil {
		return "", err
	}
	if n := len(ownProtocol.FindAll(text, -1)); n != 1 {
		return "", fmt.Errorf("%s has %d lines that match %q, want one: say there how the SDK's own serializer is had", client, n, ownProtocol)
	}
	without := filepath.Join(dir, "client.go")
	if err := os.WriteFile(without, ownProtocol.ReplaceAll(text, nil), 0o600); err != nil { //nolint:gosec // a file of ours, in a directory of ours
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {client: without}})
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, overlay, 0o600)
}
