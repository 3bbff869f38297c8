package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// The build of a release sets these with -ldflags "-X main.release=v1.2.3 ...": its version, the revision that it
// was built from, and the time of that commit. They are empty in every other build.
var release, revision, committed string

// identity is what the binary knows of how it was built.
type identity struct{ version, revision, time string }

// buildIdentity reads the information that the build put into the binary: that of a release, or else the Go tool's. A build
// that is neither a release nor in a checkout, or has -buildvcs=false, has no revision.
func buildIdentity() identity {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return identityOf(identity{release, revision, committed}, info)
}

// identityOf prefers the members that the build of a release has set.
func identityOf(stamped identity, info *debug.BuildInfo) identity {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	id := identity{
		version:  cmp.Or(stamped.version, info.Main.Version, "(devel)"),
		revision: cmp.Or(stamped.revision, settings["vcs.revision"], "unknown"),
		time:     cmp.Or(stamped.time, settings["vcs.time"], "unknown"),
	}
	if settings["vcs.modified"] == "true" {
		id.revision += " (modified)"
	}
	return id
}

// versionText is what the command of that name prints.
func versionText() string {
	id := buildIdentity()
	return fmt.Sprintf("kafka-firehose %s\nrevision  %s\ncommitted %s\ngo        %s %s/%s\n",
		id.version, id.revision, id.time, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
