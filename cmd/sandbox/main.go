// Command sandbox shows the connector at work without anything to install: one process with an
// embedded Kafka, an emulated Firehose that writes the delivered objects to disk, and the connector
// between them. All three listen on loopback ports, so that kcat, curl or the AWS CLI can join in.
//
// It feeds a file, standard input or sample events into the topic and prints its progress. At the
// end it reads the topic and the objects back and proves, line by line, that they are equal; see
// compareLines.
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

// The exit codes.
const (
	exitProved  = 0 // all lines of the topic were delivered, and no others
	exitFailed  = 1 // a line is lost, was delivered twice without a reason, or could not be checked
	exitUsage   = 2 // a flag, a port or a directory can't be used; nothing was started
	programName = "sandbox"
)

func main() {
	forgetAWS()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	os.Exit(world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}.run(ctx, os.Args[1:]))
}

// world holds the streams of the process. Tests replace them.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// store, if set, is called for each record that the emulated Firehose has stored, instead of next, which
	// writes it to the objects. A test loses and duplicates records there.
	store func(record firehosetest.Stored, next func(firehosetest.Stored))
}

// run returns the exit code. The end of ctx ends the feeding; the records that were fed are still delivered and proved.
func (w world) run(ctx context.Context, args []string) int {
	o, err := parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(w.stdout, usageText())
		return exitProved
	}
	s := &sandbox{world: w, o: o}
	defer s.closeAll()
	if err == nil {
		err = s.openAll()
	}
	if err != nil {
		fmt.Fprintf(w.stderr, "%s: nothing was started:\n%v\n%s -h lists the flags.\n", programName, err, programName)
		return exitUsage
	}
	s.printBanner()
	code := exitProved
	for {
		if err := s.runRound(ctx); err != nil {
			s.printf("\nFAILED:\n  %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
			code = exitFailed
		}
		if !o.keepRunning || ctx.Err() != nil {
			return code
		}
		s.printf("Still running, and delivering what you produce. Ctrl-C ends it, with a proof of all of it.\n")
		s.o.records, s.o.lasts = 0, 0
	}
}

// forgetAWS removes the AWS settings of the shell: the sandbox has its own endpoint and
// credentials, and a broken profile must not prevent its start.
func forgetAWS() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			_ = os.Unsetenv(name)
		}
	}
	_ = os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	_ = os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
}
