// Command sandbox shows the connector at work without anything to install: one process with an
// embedded Kafka, an emulated Firehose that writes the delivered objects to disk, and the connector
// between them. All three listen on loopback ports, so that kcat, curl or the AWS CLI can join in.
//
// It feeds a file, standard input or made-up events into the topic and shows what happens. At the
// end it proves, line by line and from what is stored, that the topic and the objects hold the same;
// see proof.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"kafka-firehose/connector/firehose/firehosetest"
)

// How the process ends.
const (
	exitProved  = 0 // all that is in the topic was delivered, and nothing else
	exitFailed  = 1 // something is lost, or more than it should be, or could not be checked
	exitUsage   = 2 // nothing was started: a flag, a port, a directory
	programName = "sandbox"
)

func main() {
	forgetAWS()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	os.Exit(world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}.run(ctx, os.Args[1:]))
}

// world is what the sandbox takes from outside, so that tests can stand in for it.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// store, if set, stands between the emulated Firehose and the directory of objects. A test loses
	// and doubles records there, behind the connector's back.
	store func(record firehosetest.Stored, next func(firehosetest.Stored))
}

// run returns the exit code. When ctx ends, feeding does, and what was fed is delivered and proved.
func (w world) run(ctx context.Context, args []string) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(w.stdout, usage())
		return exitProved
	}
	s := &sandbox{world: w, o: o}
	defer s.close()
	if err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		fmt.Fprintf(w.stderr, "%s: nothing was started:\n%v\n%s -h lists the flags.\n", programName, err, programName)
		return exitUsage
	}
	s.banner()
	code := exitProved
	for {
		if err := s.round(ctx); err != nil {
			s.print("\nFAILED:\n  %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
			code = exitFailed
		}
		if !o.keepRunning || ctx.Err() != nil {
			return code
		}
		s.print("Still running, and delivering what you produce. Ctrl-C ends it, with a proof of all of it.\n")
		s.o.records, s.o.lasts = 0, 0
	}
}

// forgetAWS keeps the sandbox away from whatever account this shell is set up for: it has its own
// endpoint and credentials, and a broken profile must not keep it from starting.
func forgetAWS() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	_ = os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	_ = os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}
