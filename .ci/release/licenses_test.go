package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestAppendLicenses(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for _, file := range []string{"README.md", "license.go", "licenses"} {
		writeTestFile(t, filepath.Join(directory, file), []byte("no license\n"))
	}
	var out bytes.Buffer
	if err := appendLicenses(&out, "example.com/m v1", directory); err == nil || !strings.Contains(err.Error(), "example.com/m v1 has no license") {
		t.Errorf("a module without a license: %v", err)
	}
	for _, file := range []string{"LICENSE", "NOTICE.txt", "Licence-MIT"} {
		writeTestFile(t, filepath.Join(directory, file), []byte("text of "+file+"\n"))
	}
	if err := appendLicenses(&out, "example.com/m v1", directory); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"example.com/m v1: LICENSE\n", "text of NOTICE.txt\n", "text of Licence-MIT\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "no license") {
		t.Errorf("files that are no license are in\n%s", out.String())
	}
	if err := appendLicenses(&out, "example.com/m v1", filepath.Join(directory, "none")); err == nil {
		t.Error("a module that is not on this machine has a license")
	}
}
