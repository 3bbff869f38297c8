// Command bench measures the connector on its whole way, from a Kafka to a Firehose that are
// processes of their own, and the floor beside it: a program that does only what can't be
// left out, with the same libraries. What it prints is how much more the connector costs.
package main

import (
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"kafka-firehose/cmd/bench/broker"
	"kafka-firehose/cmd/bench/floor"
	"kafka-firehose/cmd/bench/profile"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes.
const (
	exitOK      = 0
	exitOutside = 1 // something is outside its bound
	exitFailed  = 2 // it could not be measured, or flags
)

// run is the program, which starts itself again as the broker and as the floor.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	role := ""
	if len(args) > 0 {
		role = args[0]
	}
	var err error
	switch role {
	case "broker":
		err = runBroker(ctx, args[1:], stdin, stdout)
	case "floor":
		err = runFloor(ctx, args[1:])
	default:
		return measureAll(ctx, args, stdout, stderr)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(stderr, "bench %s: %v\n", role, err)
		return exitFailed
	}
	return exitOK
}

func runBroker(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	f := flag.NewFlagSet("broker", flag.ContinueOnError)
	var o broker.Options
	f.BoolVar(&o.Apache, "apache", false, "")
	f.StringVar(&o.Codec, "codec", "", "")
	f.StringVar(&o.Format, "format", "", "")
	f.IntVar(&o.Size, "size", 0, "")
	f.IntVar(&o.Partitions, "partitions", 0, "")
	f.Int64Var(&o.Bytes, "bytes", 0, "")
	f.IntVar(&o.BatchBytes, "batch", 0, "")
	f.Uint64Var(&o.Seed, "seed", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.AccessKey, o.SecretKey = accessKey, secretKey
	return broker.Run(ctx, o, in, out)
}

func runFloor(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("floor", flag.ContinueOnError)
	brokers := f.String("brokers", "", "")
	ca := f.String("ca", "", "")
	aggregate := f.Bool("aggregate", false, "")
	o := floor.Options{Topic: broker.Topic, Stream: stream, Region: region, Keys: floor.Keys{Access: accessKey, Secret: secretKey}, Values: 1}
	f.StringVar(&o.Endpoint, "endpoint", "", "")
	f.IntVar(&o.InFlight, "in-flight", 0, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.Brokers = strings.Split(*brokers, ",")
	if *aggregate {
		o.Values = 500
	}
	if *ca != "" {
		text, err := os.ReadFile(*ca)
		if err != nil {
			return err
		}
		c := certificate{pool: x509.NewCertPool()}
		c.pool.AppendCertsFromPEM(text)
		o.TLS = c.client()
	}
	profile.Serve()
	return floor.Run(ctx, o)
}

// measureAll is the command as it is for users.
func measureAll(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return exitFailed
	}
	r, err := o.measure(ctx, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return exitFailed
	}
	text := r.markdown()
	fmt.Fprint(stdout, text)
	if o.report != "" {
		if err := writeReport(o.report, text); err != nil {
			fmt.Fprintf(stderr, "bench: %v\n", err)
			return exitFailed
		}
	}
	if len(r.outside()) > 0 {
		return exitOutside
	}
	return exitOK
}

// reportEnd ends the report in its file. What follows it stays.
const reportEnd = "\n<!-- the report of cmd/bench ends -->\n"

func writeReport(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, after, _ := strings.Cut(string(old), reportEnd)
	return os.WriteFile(file, []byte(strings.TrimRight(text, "\n")+"\n"+reportEnd+after), 0o644) //nolint:gosec // it is documentation
}
