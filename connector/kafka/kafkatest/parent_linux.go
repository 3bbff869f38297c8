package kafkatest

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the broker when this process ends, however it
// does: a test that runs into its timeout takes no deferred Close along.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
