//go:build !linux

package kafkatest

import "os/exec"

// dieWithParent is Linux's alone. Elsewhere a test that is killed leaves its brokers
// behind.
func dieWithParent(*exec.Cmd) {}
