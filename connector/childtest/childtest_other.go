//go:build !linux

package childtest

import "os/exec"

// DieWithParent works on Linux alone. Elsewhere a test that is killed leaves its processes
// behind.
func DieWithParent(*exec.Cmd) {}
