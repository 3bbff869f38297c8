package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// platform is an operating system and an architecture, by Go's names, which are OCI's too.
type platform struct{ system, architecture string }

func (p platform) String() string { return p.system + "_" + p.architecture }

// releasePlatforms are those that binaries are built for; images are built for the ones with Linux.
var releasePlatforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "arm64"}}

const (
	bridgeName   = "kafka-firehose"
	emulatorName = "firehose-emulator"
)

// binary is a compiled command.
type binary struct {
	command  string
	platform platform
	path     string
}

// compileCommands builds the commands for all platforms below the directory, static and stripped, from modules that are on
// this machine. No path and no setting of this machine gets into the result.
func compileCommands(ctx context.Context, source sourceFacts, directory string) (binaries []binary, err error) {
	stamp := fmt.Sprintf("-s -w -X 'main.release=%s' -X 'main.revision=%s' -X 'main.committed=%s'",
		source.version, source.revision, source.committed.Format(time.RFC3339))
	for _, p := range releasePlatforms {
		out := filepath.Join(directory, p.String())
		if err := os.MkdirAll(out, 0o750); err != nil {
			return nil, fmt.Errorf("compile for %s: %w", p, err)
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags="+stamp, //nolint:gosec // no input from elsewhere
			"-o", out+string(filepath.Separator), "./cmd/"+bridgeName, "./cmd/"+emulatorName)
		cmd.Dir = source.directory
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.system, "GOARCH="+p.architecture, "GOAMD64=v1", "GOARM64=v8.0",
			"GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOTOOLCHAIN=local", "GOPROXY=off", "GOFIPS140=off")
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("compile for %s (modules that are missing come with `go mod download`): %w\n%s", p, err, text)
		}
		for _, command := range []string{bridgeName, emulatorName} {
			binaries = append(binaries, binary{command, p, filepath.Join(out, command)})
		}
	}
	return binaries, nil
}
