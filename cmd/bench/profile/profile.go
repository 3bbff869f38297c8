// Package profile has a program write a CPU profile of the time between two signals.
package profile

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// Variable names the file that the profile goes to. Without it nothing is profiled.
const Variable = "BENCH_PROFILE"

// What begins the profile, and what ends it. The file is there once all of it is in it.
const (
	Begin = syscall.SIGUSR1
	End   = syscall.SIGUSR2
)

// Serve does what the signals say, as often as they come, in the background. The
// program ends where it can't: a run without the profile that was asked for is none.
func Serve() {
	file := os.Getenv(Variable)
	if file == "" {
		return
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, Begin, End)
	go func() {
		for {
			if err := once(file, signals); err != nil {
				fmt.Fprintf(os.Stderr, "profile: %v\n", err)
				os.Exit(2)
			}
		}
	}()
}

func once(file string, signals <-chan os.Signal) error {
	for s := range signals {
		if s == Begin {
			break
		}
	}
	part := file + ".part"
	out, err := os.Create(part) //nolint:gosec // the file is the bench's
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	for s := range signals {
		if s == End {
			break
		}
	}
	pprof.StopCPUProfile()
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(part, file) //nolint:gosec // likewise
}
