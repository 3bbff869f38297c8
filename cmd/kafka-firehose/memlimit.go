package main

import (
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
)

// besideBuffers is the memory of the process besides MAX_BUFFERED_BYTES: code, stacks, connections,
// metrics and room for the collector. The Go runtime does not count the pages of the program's
// file: 34 MiB of them are in memory (RssFile in /proc/self/status), and the collector passes its
// limit by some MiB while it is at work.
const (
	besideBuffers = 64 * env.MiB
	code          = 40 * env.MiB
)

// limitMemory tells the Go runtime how much memory it may take, unless GOMEMLIMIT does, and logs the
// numbers: the collector then works harder near the limit instead of the kernel ending the process.
func limitMemory(log *slog.Logger, cfg connector.Config, root fs.FS) {
	container := containerLimit(root)
	if given := os.Getenv("GOMEMLIMIT"); given == "" {
		debug.SetMemoryLimit(int64(memoryLimit(cfg.MaxBufferedBytes, container)))
	}
	limit := env.Bytes(debug.SetMemoryLimit(-1)) // asks without changing anything
	attrs := []any{"gomemlimit_bytes", int64(limit), "max_buffered_bytes", int64(cfg.MaxBufferedBytes), "container_limit_bytes", int64(container)}
	log.Info("memory", attrs...)
	if limit < cfg.MaxBufferedBytes+besideBuffers-code {
		log.Warn("memory: MAX_BUFFERED_BYTES and 64 MiB for the rest don't fit into the limit; lower it or raise the limit", attrs...)
	}
}

// memoryLimit leaves a tenth of a container's limit to what the runtime doesn't count.
func memoryLimit(buffered, container env.Bytes) env.Bytes {
	if container == 0 {
		return buffered + besideBuffers - code
	}
	return container - container/10
}

// containerLimit returns the memory limit of the process's cgroup or of one above it, whichever is
// the least, or 0 if there is none. It reads version 2 and version 1.
func containerLimit(root fs.FS) env.Bytes {
	least := env.Bytes(math.MaxInt64)
	for _, file := range limitFiles(root) {
		text, err := fs.ReadFile(root, file)
		if err != nil {
			continue
		}
		// "max", and in version 1 a number close to the largest, are no limit.
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && n < 1<<60 {
			least = min(least, env.Bytes(n))
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

// limitFiles lists where a limit of this process may stand. /proc/self/cgroup has a line
// ID:CONTROLLERS:PATH for each hierarchy; the controllers are empty in version 2. In a container the
// path may be the host's, and then only its root is mounted: each directory up to it is tried.
func limitFiles(root fs.FS) []string {
	const mount = "sys/fs/cgroup"
	files := []string{mount + "/memory.max", mount + "/memory/memory.limit_in_bytes"}
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		dir, file := mount, "memory.max"
		if strings.Contains(","+parts[1]+",", ",memory,") {
			dir, file = mount+"/memory", "memory.limit_in_bytes"
		} else if parts[1] != "" {
			continue
		}
		for at := path.Clean("/" + parts[2]); at != "/"; at = path.Dir(at) {
			files = append(files, dir+at+"/"+file)
		}
	}
	return files
}
