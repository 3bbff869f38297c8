package main

import (
	"bytes"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
)

// files makes a file system of paths and their contents.
func files(contents map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for path, text := range contents {
		fs[path] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

func TestContainerLimit(t *testing.T) {
	const v2, v1 = "sys/fs/cgroup/", "sys/fs/cgroup/memory/"
	tests := []struct {
		name  string
		files map[string]string
		want  env.Bytes
	}{
		{"no cgroups", nil, 0},
		{"v2, a namespace of its own", map[string]string{"proc/self/cgroup": "0::/\n", v2 + "memory.max": "536870912\n"}, 512 << 20},
		{"v2, no limit", map[string]string{"proc/self/cgroup": "0::/\n", v2 + "memory.max": "max\n"}, 0},
		{"v2, the host's namespace", map[string]string{"proc/self/cgroup": "0::/kube/pod/c\n", v2 + "kube/pod/c/memory.max": "1073741824\n"}, 1 << 30},
		{"v2, the parent's is less", map[string]string{
			"proc/self/cgroup":           "0::/kube/pod/c\n",
			v2 + "kube/pod/c/memory.max": "max\n", v2 + "kube/pod/memory.max": "1048576\n", v2 + "kube/memory.max": "2097152",
		}, 1 << 20},
		{"v2, the host's path and only its root mounted", map[string]string{"proc/self/cgroup": "0::/kube/pod/c\n", v2 + "memory.max": "1048576\n"}, 1 << 20},
		{"v1", map[string]string{"proc/self/cgroup": "5:cpu:/\n4:memory:/docker/c\n", v1 + "memory.limit_in_bytes": "268435456\n"}, 256 << 20},
		{"v1, no limit", map[string]string{"proc/self/cgroup": "4:memory:/\n", v1 + "memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"v1, the host's namespace", map[string]string{"proc/self/cgroup": "4:hugetlb,memory:/docker/c\n", v1 + "docker/c/memory.limit_in_bytes": "1048576\n"}, 1 << 20},
		{"v1 and v2", map[string]string{"proc/self/cgroup": "4:memory:/c\n0::/c\n", v1 + "c/memory.limit_in_bytes": "2097152\n", v2 + "c/memory.max": "1048576\n"}, 1 << 20},
		{"another controller's path", map[string]string{"proc/self/cgroup": "4:cpu:/c\n", v2 + "c/memory.max": "1048576\n", v1 + "c/memory.limit_in_bytes": "1"}, 0},
		{"nonsense", map[string]string{"proc/self/cgroup": "nonsense\n::\n0::/../..\n", v2 + "memory.max": "lots"}, 0},
		{"zero", map[string]string{v2 + "memory.max": "0\n"}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := containerLimit(files(test.files)); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestLimitMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	cfg := connector.DefaultConfig()
	cfg.MaxBufferedBytes = 256 * env.MiB
	tests := []struct {
		name, given, container string
		want                   env.Bytes
		warns                  bool
	}{
		{"neither", "", "max", 280 * env.MiB, false},
		{"a container's", "", "1073741824", 966367642, false},
		{"a small container's", "", "209715200", 188743680, true},
		{"GOMEMLIMIT goes first", "1GiB", "209715200", math.MaxInt64, false}, // the runtime read it long ago
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			debug.SetMemoryLimit(math.MaxInt64)
			t.Setenv("GOMEMLIMIT", test.given)
			var out bytes.Buffer
			limitMemory(slog.New(slog.NewTextHandler(&out, nil)), cfg, files(map[string]string{"sys/fs/cgroup/memory.max": test.container}))
			if got := env.Bytes(debug.SetMemoryLimit(-1)); got != test.want {
				t.Errorf("the limit is %s, want %s", got, test.want)
			}
			if got := strings.Contains(out.String(), "level=WARN"); got != test.warns || strings.Count(out.String(), "msg=memory ") != 1 {
				t.Errorf("got\n%s", &out)
			}
		})
	}
}
