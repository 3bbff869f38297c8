package env

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ReadFile returns the content of a file that a setting names. A file larger than limit is an error. The error does
// not repeat the path, because a Fault shows it.
func ReadFile(path string, limit Bytes) ([]byte, error) {
	content, err := readAtMost(path, limit)
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return content, err
}

func readAtMost(path string, limit Bytes) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err == nil && len(content) > int(limit) {
		return nil, fmt.Errorf("the file is larger than %s", limit)
	}
	return content, err
}
