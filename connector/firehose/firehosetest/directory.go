package firehosetest

import (
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// DirectoryOptions say how a [Directory] delivers.
type DirectoryOptions struct {
	// BufferBytes delivers an object once it holds this many bytes, before
	// compression. Default 5 MiB, the real destination's.
	BufferBytes int
	// BufferInterval delivers an object this long after its first record. Default
	// 5 minutes, the real destination's.
	BufferInterval time.Duration
	// GZIP compresses objects and adds .gz to their names.
	GZIP bool
	// OnError, if set, is called for each object that could not be written. Its
	// records are lost: the put was answered long ago.
	OnError func(error)
}

// Directory delivers records as an S3 destination does, into a directory on
// disk: buffered by size and time, concatenated with nothing added between or
// after them, in objects named by the UTC time of their first record:
//
//	YYYY/MM/dd/HH/STREAM-1-YYYY-MM-dd-HH-mm-ss-UUID
//
// An object appears under its name only when it is complete. Buffered records
// are in memory until then.
//
// Use its Store as [Options.OnStored].
type Directory struct {
	root string
	opt  DirectoryOptions

	mu     sync.Mutex
	open   map[string]*object // :: stream -> the object that is filling
	errs   []error
	closed bool
}

// object is one that is filling. [Directory.mu] guards it.
type object struct {
	stream string
	data   []byte
	first  time.Time   // of its first record
	timer  *time.Timer // delivers it when the interval is over
}

// NewDirectory returns a Directory under root, which is made if it is not there.
func NewDirectory(root string, o DirectoryOptions) (*Directory, error) {
	if o.BufferBytes < 0 {
		return nil, fmt.Errorf("BufferBytes is %d; it must be 1 or more, or 0 for 5 MiB", o.BufferBytes)
	}
	if o.BufferInterval < 0 {
		return nil, fmt.Errorf("BufferInterval is %v; it must be above 0, or 0 for 5 minutes", o.BufferInterval)
	}
	if o.BufferBytes == 0 {
		o.BufferBytes = 5 << 20
	}
	if o.BufferInterval == 0 {
		o.BufferInterval = 5 * time.Minute
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory for delivered objects: %w", err)
	}
	return &Directory{root: root, opt: o, open: make(map[string]*object)}, nil
}

// Store takes one record. It writes an object now and then; records that come
// after Close are an error.
func (d *Directory) Store(r Stored) {
	if err := d.store(r); err != nil && d.opt.OnError != nil {
		d.opt.OnError(err)
	}
}

func (d *Directory) store(r Stored) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return d.failed(errors.New("a record came after the directory was closed"))
	}
	o := d.open[r.Stream]
	if o == nil {
		o = &object{stream: r.Stream, first: r.Time}
		o.timer = time.AfterFunc(d.opt.BufferInterval, func() { d.due(o) })
		d.open[r.Stream] = o
	}
	o.data = append(o.data, r.Data...)
	if len(o.data) < d.opt.BufferBytes {
		return nil
	}
	return d.deliver(o)
}

// due delivers an object whose interval is over. If its size was reached at the
// same moment, Store has delivered it before the timer got the lock.
func (d *Directory) due(o *object) {
	d.mu.Lock()
	var err error
	if d.open[o.stream] == o {
		err = d.deliver(o)
	}
	d.mu.Unlock()
	if err != nil && d.opt.OnError != nil {
		d.opt.OnError(err)
	}
}

// Flush delivers everything that is buffered.
func (d *Directory) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, o := range d.open {
		errs = append(errs, d.deliver(o))
	}
	return errors.Join(errs...)
}

// Close flushes, takes no more records, and returns all errors there have been.
func (d *Directory) Close() error {
	_ = d.Flush() // errs has its error too
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return errors.Join(d.errs...)
}

// failed remembers an error for Close. The caller holds mu.
func (d *Directory) failed(err error) error {
	const most = 100 // a full disk would otherwise fill memory as well
	if err != nil && len(d.errs) < most {
		d.errs = append(d.errs, err)
	}
	return err
}

// deliver writes an object and forgets it. The caller holds mu.
func (d *Directory) deliver(o *object) error {
	o.timer.Stop()
	delete(d.open, o.stream)
	if err := d.write(o); err != nil {
		return d.failed(fmt.Errorf("deliver %d bytes of stream %s: %w", len(o.data), o.stream, err))
	}
	return nil
}

// write writes the object beside the tree and then moves it in, so that no
// reader of the tree sees half of one.
func (d *Directory) write(o *object) (err error) {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	at := o.first.UTC()
	name := filepath.Join(d.root, at.Format("2006/01/02/15"), o.stream+"-1-"+at.Format("2006-01-02-15-04-05")+"-"+uuid(id))
	if d.opt.GZIP {
		name += ".gz"
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(d.root, ".incomplete-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := errors.Join(d.fill(f, o.data), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// fill writes an object's content.
func (d *Directory) fill(f *os.File, data []byte) error {
	if !d.opt.GZIP {
		_, err := f.Write(data)
		return err
	}
	z := gzip.NewWriter(f)
	_, err := z.Write(data)
	return errors.Join(err, z.Close())
}
