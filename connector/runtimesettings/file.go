package runtimesettings

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"kafka-firehose/connector/env"
)

// Variable is the setting that names the file.
const Variable = "RUNTIME_SETTINGS_FILE"

// maxFile bounds the file. It is the maximum of a ConfigMap.
const maxFile = env.MiB

// readFile refuses everything but a regular file: to open a pipe would wait for a writer. Links are followed, so a
// directory of a ConfigMap, whose files are links that Kubernetes swaps, is read like any other.
func readFile(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	return env.ReadFile(path, maxFile)
}

func unreadableFile(err error) string {
	return fmt.Sprintf("the file can't be read: %v; want the path of a JSON file", err)
}

// File is a file that is read again and again. A content that can't be used, or a file that is missing, leaves
// the settings of the last good content in use. It belongs to one goroutine.
type File struct {
	path     string
	content  []byte // that was read last, good or not
	read     bool   // content is that of the file now, not one from before the file was missing
	settings Settings
	fault    error
}

// Open reads the file at path. The error is a fault of Variable: there are no
// good settings to go back to.
func Open(path string) (*File, error) {
	f := &File{path: path}
	f.RefreshSettings()
	if f.fault != nil {
		return nil, f.fault
	}
	return f, nil
}

// RefreshSettings reads the file. It reports whether there are new settings. The content is compared, and not its time of
// change: a link that is swapped may bring an older one.
func (f *File) RefreshSettings() (changed bool) {
	text, err := readFile(f.path)
	switch {
	case err != nil:
		f.read, f.fault = false, env.HoldsFault(Variable, f.path, unreadableFile(err))
		return false
	case f.read && bytes.Equal(text, f.content):
		return false
	}
	f.content, f.read = text, true
	settings, err := ParseSettings(text)
	if err != nil {
		f.fault = env.HoldsFault(Variable, f.path, err.Error())
		return false
	}
	f.settings, f.fault = settings, nil
	return true
}

// Settings are those of the last good content.
func (f *File) Settings() Settings { return f.settings }

// Err is why the file can't be used now, nil while it can.
func (f *File) Err() error { return f.fault }
