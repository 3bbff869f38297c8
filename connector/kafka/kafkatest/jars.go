package kafkatest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// A release is the jars of an Apache Kafka, and the configuration of its logging.
type release struct {
	pom, sums, logging []byte
	loggingFile        string
	loggingProperty    string // of Java, which names the file
}

//go:embed pom.xml jars.sha256 log4j2.properties older
var files embed.FS

const (
	// ReleaseVariable is the environment variable that chooses the release: Newest, which is the
	// default, or Older.
	ReleaseVariable = "APACHE_KAFKA_RELEASE"
	// Newest is the release of pom.xml.
	Newest = "newest"
	// Older is the release of older/pom.xml, the last one before 4.0.
	Older = "3.9"
)

// Release is the one that brokers are started of.
func Release() string {
	if name := os.Getenv(ReleaseVariable); name != "" {
		return name
	}
	return Newest
}

// chosen is the release that the environment names.
func chosen() (r release, err error) {
	dir := ""
	switch name := Release(); name {
	case Newest:
		r.loggingFile, r.loggingProperty = "log4j2.properties", "log4j2.configurationFile"
	case Older:
		dir, r.loggingFile, r.loggingProperty = "older/", "log4j.properties", "log4j.configuration"
	default:
		return r, fmt.Errorf("%s is %q; want %s or %s", ReleaseVariable, name, Newest, Older)
	}
	for name, into := range map[string]*[]byte{"pom.xml": &r.pom, "jars.sha256": &r.sums, r.loggingFile: &r.logging} {
		if *into, err = files.ReadFile(dir + name); err != nil {
			return r, err
		}
	}
	return r, nil
}

// jars is the directory of the jars and the brokers' logging configuration. The
// first call on a machine fetches them.
var jars = sync.OnceValues(func() (string, error) {
	r, err := chosen()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache directory for Apache Kafka: %w", err)
	}
	hash := sha256.Sum256(bytes.Join([][]byte{r.pom, r.sums, r.logging}, nil))
	dir := filepath.Join(cache, "kafka-firehose", "kafka-"+hex.EncodeToString(hash[:8]))
	if _, err := os.Stat(dir); err != nil {
		if err := r.fetch(dir); err != nil {
			return "", fmt.Errorf("fetch Apache Kafka: %w", err)
		}
	}
	return dir, nil
})

// fetch has Maven fill a directory beside dir, which becomes dir when all of it is
// there and is what jars.sha256 says. Two processes that do this at once don't meet:
// the second one to finish finds that it is done.
func (r release) fetch(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "fetching-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), r.pom, 0o600); err != nil {
		return err
	}
	into := filepath.Join(work, "jars")
	maven := exec.CommandContext(context.Background(), "mvn", "-B", "-q", "-f", filepath.Join(work, "pom.xml"), "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+into)
	if out, err := maven.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn dependency:copy-dependencies: %w: %s", err, bytes.TrimSpace(out))
	}
	if err := verify(into, r.sums); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(into, r.loggingFile), r.logging, 0o600); err != nil {
		return err
	}
	if err := os.Rename(into, dir); err != nil && !errors.Is(err, os.ErrExist) {
		if _, there := os.Stat(dir); there != nil {
			return err
		}
	}
	return nil
}

// verify compares the files of a directory with a list of their hashes, in the
// form of sha256sum.
func verify(dir string, list []byte) error {
	want := map[string]string{} // :: file -> hash
	for line := range strings.Lines(string(list)) {
		hash, file, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			return fmt.Errorf("jars.sha256: %q is not a hash and a file", line)
		}
		want[file] = hash
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		got, err := hashOf(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		if want[f.Name()] != got {
			return fmt.Errorf("%s has the hash %s, want %q: jars.sha256 names another file", f.Name(), got, want[f.Name()])
		}
		delete(want, f.Name())
	}
	if len(want) > 0 {
		return fmt.Errorf("jars that did not come: %s", strings.Join(slices.Sorted(maps.Keys(want)), ", "))
	}
	return nil
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
