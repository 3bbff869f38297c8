package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// source calls yield for one record after the other, until it returns false.
type source func(yield func(*kgo.Record) bool) error

// newSource is what the flags say to feed.
func newSource(w world, o options) source {
	if o.input == "" {
		return sampleEvents
	}
	return func(yield func(*kgo.Record) bool) error {
		name, in := "standard input", w.stdin
		if o.input != "-" {
			f, err := os.Open(o.input)
			if err != nil {
				return err
			}
			defer f.Close()
			name, in = o.input, f
		}
		if err := eachLine(in, func(line []byte) bool { return yield(&kgo.Record{Value: bytes.Clone(line)}) }); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		return nil
	}
}

// eachLine calls visit with every line of r, without its newline, until it returns false; a last line that has none counts.
// The bytes are only valid during the call.
func eachLine(r io.Reader, visit func(line []byte) bool) error {
	lines, n := bufio.NewScanner(r), 1
	lines.Buffer(nil, maxLine+1)
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) { // bufio.ScanLines drops carriage returns
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1, data[:i], nil
		}
		if atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	for ; lines.Scan(); n++ {
		if !visit(lines.Bytes()) {
			return nil
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is too long; the sandbox takes up to %d bytes", n, maxLine)
	}
	return lines.Err()
}

var (
	actions = []string{"view", "view", "view", "view", "search", "search", "add_to_cart", "remove_from_cart", "checkout", "login"}
	agents  = []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
	}
)

// sampleEvents makes up what a shop's web server might send: JSON objects of about 400 bytes, keyed by user,
// without end. Each has a number, so that all are different.
func sampleEvents(yield func(*kgo.Record) bool) error {
	dice := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[dice.IntN(len(from))] }
	for n := 1; ; n++ {
		user := fmt.Sprintf("user-%05d", dice.IntN(20_000))
		value := fmt.Appendf(nil, `{"id":%d,"time":%q,"user":%q,"session":"%016x","action":%q,"url":"https://shop.example/item/%d",`+
			`"referrer":"https://search.example/","status":200,"bytes":%d,"ms":%d,"address":"203.0.113.%d","agent":%q}`,
			n, time.Now().UTC().Format(time.RFC3339Nano), user, dice.Uint64(), pick(actions), dice.IntN(5000),
			500+dice.IntN(50_000), 3+dice.IntN(400), dice.IntN(256), pick(agents))
		if !yield(&kgo.Record{Key: []byte(user), Value: value}) {
			return nil
		}
	}
}

// feeder produces the records of a source. It notes the identity of each value in a journal before the producer sees
// it: on disk, because standard input can't be read twice and memory has to suffice for any number of lines.
type feeder struct {
	client *kgo.Client
	file   *os.File
	out    *bufio.Writer
}

func openFeeder(b *broker, dir string) (*feeder, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(b.addr),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchMaxBytes(maxBatch),
	)
	if err != nil {
		return nil, fmt.Errorf("connect the producer: %w", err)
	}
	file, err := os.Create(filepath.Join(dir, ".fed"))
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("make the journal of what is fed: %w", err)
	}
	return &feeder{client, file, bufio.NewWriter(file)}, nil
}

// close removes the journal, which means nothing to another process.
func (f *feeder) close() {
	f.client.Close()
	_ = errors.Join(f.file.Close(), os.Remove(f.file.Name()))
}

// item is a record, or the error after the last one, io.EOF if there is no other.
type item struct {
	record *kgo.Record
	err    error
}

// feed produces until the source ends, max records are fed (-1 is no end), or ctx ends, which is
// no error. When it returns, all that it fed is in the topic.
func (f *feeder) feed(ctx context.Context, from source, max int64, rate int) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// The source has a goroutine of its own: a read from standard input can't be called off, but waiting for it can.
	items := make(chan item, 100)
	send := func(i item) bool {
		select {
		case items <- i:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		err := from(func(r *kgo.Record) bool { return send(item{record: r}) })
		send(item{err: cmp.Or(err, io.EOF)})
	}()
	begin := time.Now()
	var err error
	for n := int64(0); n != max && err == nil; n++ {
		if err = pace(ctx, begin, n, rate); err == nil {
			err = f.next(ctx, items, stop)
		}
	}
	// What was begun is finished, even after Ctrl-C: it is in the journal.
	if err := f.client.Flush(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for _, err := range []error{err, context.Cause(ctx)} { // the cause may be of a record that failed since
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}

// next notes and produces the next record; failed is called if that fails later.
func (f *feeder) next(ctx context.Context, items <-chan item, failed func(error)) error {
	var i item
	select {
	case i = <-items:
	case <-ctx.Done():
		return ctx.Err()
	}
	if i.err != nil {
		return i.err
	}
	if err := f.note(i.record.Value); err != nil {
		return err
	}
	// Not with ctx, which would take back what is on its way. It blocks while the producer's buffer is full.
	f.client.Produce(context.WithoutCancel(ctx), i.record, func(_ *kgo.Record, err error) {
		if err != nil {
			failed(fmt.Errorf("produce: %w", err))
		}
	})
	return nil
}

func (f *feeder) note(value []byte) error {
	id := identify(value)
	if _, err := f.out.Write(id[:]); err != nil {
		return fmt.Errorf("note what is fed: %w", err)
	}
	return nil
}

// pace waits until record n is due. Short waits are saved up: a timer for each record would be slower
// than the records.
func pace(ctx context.Context, begin time.Time, n int64, rate int) error {
	if rate == 0 {
		return nil
	}
	ahead := time.Duration(float64(n)/float64(rate)*float64(time.Second)) - time.Since(begin)
	if ahead < 5*time.Millisecond {
		return nil
	}
	select {
	case <-time.After(ahead):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// each visits what was fed, which has to be over. Lines have no content here.
func (f *feeder) each(_ context.Context, visit visitor) error {
	if err := f.out.Flush(); err != nil {
		return fmt.Errorf("note what is fed: %w", err)
	}
	// The file is read beside the writer's position: more may be fed later.
	in := bufio.NewReader(io.NewSectionReader(f.file, 0, math.MaxInt64))
	for n := int64(1); ; n++ {
		var id identity
		if _, err := io.ReadFull(in, id[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the journal of what was fed: %w", err)
		}
		visit(id, sighting{place: "fed", at: n})
	}
}
