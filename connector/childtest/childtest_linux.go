package childtest

import (
	"os/exec"
	"syscall"
)

// DieWithParent has the kernel kill the command's process when this process ends, however it
// does: a test that runs into its timeout, or is killed, runs no deferred function.
// It is called before the command starts.
func DieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
