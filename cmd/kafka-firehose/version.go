package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of a release, set by its build with -ldflags "-X main.release=v1.2.3".
var release string

// identity is what the binary knows of how it was built.
type identity struct{ version, revision, time string }

// build reads the information that the Go tool put into the binary. A build outside a checkout, or
// with -buildvcs=false, has no revision.
func build() identity {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return identify(release, info)
}

func identify(release string, info *debug.BuildInfo) identity {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	id := identity{
		version:  cmp.Or(release, info.Main.Version, "(devel)"),
		revision: cmp.Or(settings["vcs.revision"], "unknown"),
		time:     cmp.Or(settings["vcs.time"], "unknown"),
	}
	if settings["vcs.modified"] == "true" {
		id.revision += " (modified)"
	}
	return id
}

// version is what the command of that name prints.
func version() string {
	id := build()
	return fmt.Sprintf("kafka-firehose %s\nrevision  %s\ncommitted %s\ngo        %s %s/%s\n",
		id.version, id.revision, id.time, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
