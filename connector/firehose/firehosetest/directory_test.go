package firehosetest_test

import (
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/firehose/firehosetest"
)

// objects reads a directory: name, with its UUID made short, to content.
func objects(t *testing.T, root string) map[string]string {
	t.Helper()
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	out := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		var r io.Reader = f
		if strings.HasSuffix(path, ".gz") {
			if r, err = gzip.NewReader(f); err != nil {
				return err
			}
		}
		b, err := io.ReadAll(r)
		name, _ := filepath.Rel(root, path)
		out[id.ReplaceAllString(filepath.ToSlash(name), "UUID")] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDirectory delivers by size, by time and at the end, as a service's sink.
func TestDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := filepath.Join(t.TempDir(), "new")
		d, err := firehosetest.NewDirectory(root, firehosetest.DirectoryOptions{BufferBytes: 10, BufferInterval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		s := newService(func(o *firehosetest.Options) {
			o.OnStored = d.Store
			o.Streams = append(o.Streams, firehosetest.Stream{Name: "clicks"})
		})
		want := make(map[string]string)
		check := func() {
			t.Helper()
			if diff := cmp.Diff(want, objects(t, root)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		}
		do(t, s, put(text("one", "two\n", "")...))
		check() // 7 bytes: nothing yet
		time.Sleep(30 * time.Second)
		do(t, s, put(text("three", "four")...))
		want["2000/01/01/00/orders-1-2000-01-01-00-00-00-UUID"] = "onetwo\nthree"
		check() // by size; "four" waits
		do(t, s, call{body: putBody("clicks", []byte("c"))})
		time.Sleep(59 * time.Second)
		check()
		time.Sleep(time.Second)
		synctest.Wait()
		want["2000/01/01/00/orders-1-2000-01-01-00-00-30-UUID"] = "four"
		want["2000/01/01/00/clicks-1-2000-01-01-00-00-30-UUID"] = "c"
		check() // by time
		time.Sleep(time.Hour)
		do(t, s, put(text("five")...))
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		want["2000/01/01/01/orders-1-2000-01-01-01-01-30-UUID"] = "five"
		check() // at the end
		do(t, s, put(text("late")...))
		if err := d.Close(); err == nil || !strings.Contains(err.Error(), "after the directory was closed") {
			t.Errorf("got %v", err)
		}
	})
}

func TestDirectoryGZIP(t *testing.T) {
	root := t.TempDir()
	d, err := firehosetest.NewDirectory(root, firehosetest.DirectoryOptions{GZIP: true})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 31, 23, 0, 0, 0, time.FixedZone("", -7*3600)) // the next day in UTC
	d.Store(firehosetest.Stored{Stream: "s", Data: []byte("a\n"), Time: at})
	d.Store(firehosetest.Stored{Stream: "s", Data: []byte("b"), Time: at.Add(time.Hour)})
	if err := d.Flush(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"2026/02/01/06/s-1-2026-02-01-06-00-00-UUID.gz": "a\nb"}, objects(t, root)); diff != "" {
		t.Error(diff)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestDirectoryErrors has a tree that cannot be written.
func TestDirectoryErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := firehosetest.NewDirectory(filepath.Join(file, "x"), firehosetest.DirectoryOptions{}); err == nil {
		t.Error("a directory under a file")
	}
	for _, o := range []firehosetest.DirectoryOptions{{BufferBytes: -1}, {BufferInterval: -1}} {
		if _, err := firehosetest.NewDirectory(t.TempDir(), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	root := t.TempDir()
	var told []error
	d, err := firehosetest.NewDirectory(root, firehosetest.DirectoryOptions{BufferBytes: 1, OnError: func(err error) { told = append(told, err) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "2026"), nil, 0o600); err != nil { // in the way of the tree
		t.Fatal(err)
	}
	d.Store(firehosetest.Stored{Stream: "s", Data: []byte("a"), Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err := d.Close(); err == nil || len(told) != 1 || !strings.Contains(err.Error(), "deliver 1 bytes of stream s") {
		t.Errorf("got %v, told %v", err, told)
	}
}
