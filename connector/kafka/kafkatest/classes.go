package kafkatest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// classes is a file with Kafka's classes as the JVM keeps them in memory, which spares
// every JVM a third of the work of its start. The first call on a machine has a broker
// write it, beside the jars. A JVM ignores the file of another one, hence the name.
//
// It only saves time: without it, brokers start more slowly.
var classes = sync.OnceValues(func() (string, error) {
	dir, err := jars()
	if err != nil {
		return "", err
	}
	version, err := exec.CommandContext(context.Background(), "java", "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("java -version: %w", err)
	}
	hash := sha256.Sum256(version)
	file := filepath.Join(dir, "classes-"+hex.EncodeToString(hash[:8])+".jsa")
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	return file, writeClasses(file)
})

// writeClasses runs a broker that writes the archive of its classes when it ends. Each call writes into a
// directory of its own and renames the archive to file, so that several processes may do this at once.
func writeClasses(file string) error {
	work, err := os.MkdirTemp(filepath.Dir(filepath.Dir(file)), "classes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	written := filepath.Join(work, "classes.jsa")
	c, err := start(context.Background(), Options{Brokers: 1, Dir: work}, "-XX:ArchiveClassesAtExit="+written)
	if err != nil {
		return err
	}
	defer c.Close()
	// The command that formats the disk has written one before, with its own few classes.
	if err := errors.Join(c.Stop(0), os.Rename(written, file)); err != nil {
		return fmt.Errorf("archive the classes of Apache Kafka: %w", err)
	}
	return nil
}
