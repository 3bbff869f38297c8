package certificates

import (
	"crypto/tls"
	"log/slog"
	"sync"
	"time"
)

// WatchedFiles are files that are read for each new connection, which is seldom, so that a
// renewed certificate is used without a restart. A renewal does not replace all files
// at one instant: while a pair's halves don't belong together, or a file is
// missing, the files that were read before stay in use.
type WatchedFiles struct {
	files  Files
	log    *slog.Logger
	expiry func(time.Time)

	mu      sync.Mutex
	read    fileTexts   // the files as read last, valid or not
	current *tls.Config // from the last that was good
}

// WatchFiles reads the files for the first time. Its error is that of Files.LoadTLS. Expiry is
// told when the client's certificate ends, each time that there is another.
func WatchFiles(files Files, log *slog.Logger, expiry func(time.Time)) (*WatchedFiles, error) {
	w := &WatchedFiles{files: files, log: log, expiry: expiry, read: files.readFiles()}
	current, until, err := w.read.parseTLS()
	if err != nil {
		return nil, err
	}
	w.useConfig(current, until)
	return w, nil
}

// CurrentConfig returns the settings of a new connection, without a server's name. They are for
// all to read and the same until the files change: Clone them before changing any.
func (w *WatchedFiles) CurrentConfig() *tls.Config {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.files.readFiles(); !now.equalTexts(w.read) {
		w.read = now
		current, until, err := now.parseTLS()
		if err != nil {
			w.log.Warn("the TLS files have changed and can't be used; going on with what was read before", "error", err)
		} else {
			w.log.Info("the TLS files have changed: new connections use them", "certificate_expires", until)
			w.useConfig(current, until)
		}
	}
	return w.current
}

func (w *WatchedFiles) useConfig(current *tls.Config, until time.Time) {
	w.current = current
	if !until.IsZero() {
		w.expiry(until)
	}
}
