package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Object is one that Firehose has delivered.
type Object struct {
	Name    string    // key, or path below the directory with slashes
	Bytes   int64     // as it is stored
	Written time.Time // when it was last written
	version string    // that the listing saw
}

// Store is where objects are.
type Store interface {
	// List calls visit for the objects that may be in the window, and maybe for others, in any order.
	List(ctx context.Context, w Window, visit func(Object) error) error
	// Empty reports whether there is no object at all.
	Empty(ctx context.Context) (bool, error)
	// Open returns the content of an object as it is stored.
	Open(ctx context.Context, o Object) (io.ReadCloser, error)
	// String is the place as it was given.
	String() string
}

// ErrStop is wrapped by errors of a store that other objects would meet as well, such as a missing permission.
var ErrStop = errors.New("no object can be read")

// Window is the time in which objects were delivered that may hold records of a range.
type Window struct {
	// From is the beginning of the range: an object that was last written before it has no record of it.
	From time.Time
	// Until is the end of the time that was allowed for the delivery: objects that begin after it are not read.
	Until time.Time
}

const (
	// clockSkew is how far the clocks of producers, of Firehose and of this machine may be apart.
	clockSkew = time.Hour
	// zoneMargin is more than any time zone is away from UTC: a stream may have its own for folders and names (CustomTimeZone).
	zoneMargin = 15 * time.Hour
)

// includesObject reports whether an object may hold records of the range.
func (w Window) includesObject(o Object) bool {
	if o.Bytes == 0 || strings.HasPrefix(path.Base(o.Name), ".") || o.Written.Before(w.From.Add(-clockSkew)) {
		return false
	}
	begun, known := timeOfName(o.Name)
	_, until := w.inNames()
	return !known || !begun.After(until)
}

// inNames is the window by the times in names and folders, which may be in another time zone.
func (w Window) inNames() (from, until time.Time) {
	return w.From.Add(-zoneMargin), w.Until.Add(zoneMargin)
}

// dateFolders are the folders of years, months and days that Firehose may write, from the outermost one, with what may
// be below each if they go down to the hour. Hours are not among them: a folder of two digits below a day may be that of a
// partition.
var dateFolders = []struct {
	layout, below       string
	years, months, days int // that a folder spans
}{{"2006/", "01/", 1, 0, 0}, {"2006/01/", "02/", 0, 1, 0}, {"2006/01/02/", "15/", 0, 0, 1}}

// skipTo returns a key behind an object that is in the folder of a day, month or year without records of the range, and no
// object of the range is between both; empty for an object that is in no such folder. The time of the object has to agree
// with the folder: digits may be those of a partition.
func (w Window) skipTo(name string) string {
	begun, known := timeOfName(name)
	if !known {
		return ""
	}
	root := strings.Index("/"+name, begun.Format("/2006/"))
	if root < 0 {
		return ""
	}
	from, until := w.inNames()
	for _, f := range dateFolders {
		folder := name[:root] + begun.Format(f.layout)
		rest, within := strings.CutPrefix(name, folder)
		if !within {
			return ""
		}
		begin, err := time.Parse(f.layout, begun.Format(f.layout))
		if err != nil {
			return ""
		}
		end := begin.AddDate(f.years, f.months, f.days)
		if end.After(from) && !begin.After(until) {
			continue // it may hold records of the range
		}
		if strings.HasPrefix(rest, begun.Format(f.below)) {
			return strings.TrimSuffix(folder, "/") + "0" // behind the slash
		}
		// 2026/01/01/ may be of partition 01, and not of a day: objects of the stream from the end of the folder's date on are not skipped.
		if stream := strings.LastIndex(name, begun.Format("-"+nameLayout+"-")); stream >= 0 {
			return name[:stream+1] + end.Format(nameLayout)
		}
		return ""
	}
	return ""
}

var (
	// Firehose names objects STREAM-VERSION-YYYY-MM-dd-HH-mm-ss-UUID under any prefix, with the time of the
	// first record in the stream's time zone, UTC by default: https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
	nameTime   = regexp.MustCompile(`-(\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)-`)
	folderTime = regexp.MustCompile(`(?:^|/)(\d{4}/\d\d/\d\d/\d\d)/`)
)

const (
	nameLayout   = "2006-01-02-15-04-05"
	folderLayout = "2006/01/02/15"
)

// timeOfName is when the first record of an object came to Firehose, by its name or else by the folder of the hour, as if both were
// in UTC.
func timeOfName(name string) (t time.Time, known bool) {
	for _, form := range []struct {
		in      string
		pattern *regexp.Regexp
		layout  string
	}{{path.Base(name), nameTime, nameLayout}, {name, folderTime, folderLayout}} {
		if found := form.pattern.FindStringSubmatch(form.in); found != nil {
			if t, err := time.Parse(form.layout, found[1]); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

// Directory is a Store in a directory, which the emulator has written or a bucket was copied to.
type Directory struct {
	place string // as it was given
	root  string // absolute, without links
}

// OpenDirectory returns the Store below a directory, which may be a link to one. The error says why it can't be one.
func OpenDirectory(place string) (*Directory, error) {
	info, err := os.Stat(place)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("directory %s does not exist; want a directory, or s3://BUCKET/PREFIX", place)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is a file; want the directory that it is in, or s3://BUCKET/PREFIX", place)
	}
	root, err := filepath.Abs(place)
	if err != nil {
		return nil, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	return &Directory{place, root}, nil
}

// String implements Store.
func (d *Directory) String() string { return d.place }

// List implements Store. Links below the directory are not followed.
func (d *Directory) List(ctx context.Context, _ Window, visit func(Object) error) error {
	return filepath.WalkDir(d.root, func(file string, entry fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was moved while the directory was read
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(d.root, file)
		if err != nil {
			return err
		}
		return visit(Object{Name: filepath.ToSlash(name), Bytes: info.Size(), Written: info.ModTime()})
	})
}

// Empty implements Store.
func (d *Directory) Empty(ctx context.Context) (bool, error) {
	empty := true
	err := d.List(ctx, Window{}, func(Object) error {
		empty = false
		return fs.SkipAll
	})
	return empty, err
}

// Open implements Store.
func (d *Directory) Open(_ context.Context, o Object) (io.ReadCloser, error) {
	return os.Open(filepath.Join(d.root, filepath.FromSlash(o.Name)))
}

// samePlace reports whether two stores are the same.
func samePlace(a, b Store) bool {
	x, isDirectory := a.(*Directory)
	y, both := b.(*Directory)
	if isDirectory && both {
		return x.root == y.root
	}
	return a.String() == b.String()
}

// prefixWithin returns the beginning of the names in outer of the objects that are below inner. If inner is elsewhere, no name begins with it.
func prefixWithin(outer, inner Store) string {
	switch o := outer.(type) {
	case *Directory:
		if i, same := inner.(*Directory); same {
			rel, _ := filepath.Rel(o.root, i.root)
			return filepath.ToSlash(rel) + "/"
		}
	case *Bucket:
		if i, same := inner.(*Bucket); same && i.bucket == o.bucket && i.prefix != o.prefix && strings.HasPrefix(i.prefix, o.prefix) {
			return i.prefix
		}
	}
	return ""
}
