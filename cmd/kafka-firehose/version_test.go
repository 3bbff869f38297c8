package main

import (
	"runtime/debug"
	"testing"
)

func TestIdentify(t *testing.T) {
	setting := func(k, v string) debug.BuildSetting { return debug.BuildSetting{Key: k, Value: v} }
	checkout := []debug.BuildSetting{setting("vcs.revision", "abc"), setting("vcs.time", "2026-01-31T00:00:00Z")}
	tests := []struct {
		name, release string
		info          debug.BuildInfo
		want          identity
	}{
		{"nothing known", "", debug.BuildInfo{}, identity{"(devel)", "unknown", "unknown"}},
		{"a checkout", "", debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}, Settings: checkout}, identity{"v0.1.0", "abc", "2026-01-31T00:00:00Z"}},
		{"a changed one", "", debug.BuildInfo{Settings: append(checkout, setting("vcs.modified", "true"))}, identity{"(devel)", "abc (modified)", "2026-01-31T00:00:00Z"}},
		{"a release", "v1.2.3", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, identity{"v1.2.3", "unknown", "unknown"}},
	}
	for _, test := range tests {
		if got := identify(test.release, &test.info); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
