//go:build unix

package cachetest

import (
	"os/exec"
	"syscall"
)

// asNobody takes root's rights from the process that cmd will be.
func asNobody(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}
