// Command release builds everything that a release of kafka-firehose consists of, publishes it to a registry of
// images, and verifies what a registry or a directory holds.
//
//	release build -version v0.2.0 -out dist    binaries, images, chart, SBOMs, notes, checksums, signatures
//	release publish -from dist                 pushes images, chart and their signatures
//	release verify -key cosign.pub dist        checks the files of a directory
//	release verify -key cosign.pub NAME@DIGEST checks an image or a chart in a registry
//	release notes -version v0.2.0              prints the section of the changelog
//
// RELEASE_REGISTRY says where images and chart live, such as registry.example.com/team; there is no default. RELEASE_KEY
// is the file of a private key that `cosign generate-key-pair` or openssl has made, COSIGN_PASSWORD its password.
//
// Two builds of one commit with one version of Go and one key are the same byte by byte.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := runCommand(ctx, os.Stdout, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// options are the flags of all commands.
type options struct {
	version, source, out, from, registry, key string
}

func runCommand(ctx context.Context, out io.Writer, args []string) error {
	const commands = "build, publish, verify or notes"
	if len(args) == 0 {
		return errors.New("want a command: " + commands)
	}
	var o options
	flags := flag.NewFlagSet("release "+args[0], flag.ContinueOnError)
	flags.StringVar(&o.version, "version", os.Getenv("VERSION"), "`version` of the release, such as v0.2.0; v0.0.0-snapshot has the notes of Unreleased")
	flags.StringVar(&o.source, "source", ".", "`directory` of the repository")
	flags.StringVar(&o.out, "out", "dist", "`directory` to build into; it must be new or empty")
	flags.StringVar(&o.from, "from", "dist", "`directory` that was built")
	flags.StringVar(&o.registry, "registry", os.Getenv("RELEASE_REGISTRY"), "registry and `path` of images and chart")
	flags.StringVar(&o.key, "key", os.Getenv("RELEASE_KEY"), "PEM `file` of the private key to sign with, or of the public key to verify with")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if args[0] != "verify" && flags.NArg() > 0 {
		return fmt.Errorf("%s takes no arguments, got %q", args[0], flags.Args())
	}
	switch args[0] {
	case "build":
		return buildRelease(ctx, out, o)
	case "publish":
		return publishRelease(ctx, out, o.from, o.registry)
	case "verify":
		return verifyTargets(ctx, out, o.key, flags.Args())
	case "notes":
		notes, err := readReleaseNotes(o.source, o.version)
		fmt.Fprint(out, notes)
		return err
	}
	return fmt.Errorf("unknown command %q; want %s", args[0], commands)
}

// verifyTargets verifies directories, and images or charts given by digest.
func verifyTargets(ctx context.Context, out io.Writer, keyFile string, targets []string) error {
	if len(targets) == 0 {
		return errors.New("verify wants directories, or names of images and charts with their digest")
	}
	key, err := readPublicKey(keyFile)
	if err != nil {
		return err
	}
	for _, target := range targets {
		if strings.Contains(target, "@sha256:") {
			err = key.verifyReference(ctx, target)
		} else {
			err = key.verifyDirectory(target)
		}
		if err != nil {
			return fmt.Errorf("verify %s: %w", target, err)
		}
		fmt.Fprintln(out, "verified", target)
	}
	return nil
}
