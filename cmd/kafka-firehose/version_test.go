package main

import (
	"runtime/debug"
	"testing"
)

func TestIdentify(t *testing.T) {
	setting := func(k, v string) debug.BuildSetting { return debug.BuildSetting{Key: k, Value: v} }
	checkout := []debug.BuildSetting{setting("vcs.revision", "abc"), setting("vcs.time", "2026-01-31T00:00:00Z")}
	tests := []struct {
		name    string
		stamped identity
		info    debug.BuildInfo
		want    identity
	}{
		{"nothing known", identity{}, debug.BuildInfo{}, identity{"(devel)", "unknown", "unknown"}},
		{"a checkout", identity{}, debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}, Settings: checkout}, identity{"v0.1.0", "abc", "2026-01-31T00:00:00Z"}},
		{"a changed one", identity{}, debug.BuildInfo{Settings: append(checkout, setting("vcs.modified", "true"))}, identity{"(devel)", "abc (modified)", "2026-01-31T00:00:00Z"}},
		{"a version alone", identity{version: "v1.2.3"}, debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, identity{"v1.2.3", "unknown", "unknown"}},
		{"a release", identity{"v1.2.3", "def", "2026-02-01T00:00:00Z"}, debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}, Settings: checkout}, identity{"v1.2.3", "def", "2026-02-01T00:00:00Z"}},
	}
	for _, test := range tests {
		if got := identityOf(test.stamped, &test.info); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
