package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// source calls yield for one record after the other, until it returns false. An error is the last call.
type source func(yield func(*kgo.Record, error) bool)

// newSource is what the flags say to feed.
func newSource(w world, o options) source {
	switch o.input {
	case "":
		return sampleEvents
	case "-":
		return func(yield func(*kgo.Record, error) bool) { eachLine("standard input", w.stdin, yield) }
	}
	return func(yield func(*kgo.Record, error) bool) {
		f, err := os.Open(o.input)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close()
		eachLine(o.input, f, yield)
	}
}

// eachLine is the source of the lines of in, each without its newline; a last line that has none counts.
func eachLine(name string, in io.Reader, yield func(*kgo.Record, error) bool) {
	for r := bufio.NewReaderSize(in, 64<<10); ; {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 && !yield(&kgo.Record{Value: bytes.TrimSuffix(line, []byte{'\n'})}, nil) || errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			yield(nil, fmt.Errorf("read %s: %w", name, err))
			return
		}
	}
}

// sampleEvents makes up what a shop's web server might send: JSON objects of about 400 bytes, keyed by user,
// without end. Each has a number, so that all are different.
func sampleEvents(yield func(*kgo.Record, error) bool) {
	dice, actions := rand.New(rand.NewPCG(1, 2)), []string{"view", "search", "add_to_cart", "remove_from_cart", "checkout", "login"}
	for n, more := 1, true; more; n++ {
		user := fmt.Sprintf("user-%05d", dice.IntN(20_000))
		value := fmt.Appendf(nil, `{"id":%d,"time":%q,"user":%q,"session":"%016x","action":%q,"url":"https://shop.example/item/%d",`+
			`"referrer":"https://search.example/","status":200,"bytes":%d,"ms":%d,"address":"203.0.113.%d",`+
			`"agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"}`,
			n, time.Now().UTC().Format(time.RFC3339Nano), user, dice.Uint64(), actions[dice.IntN(len(actions))], dice.IntN(5000),
			500+dice.IntN(50_000), 3+dice.IntN(400), dice.IntN(256))
		more = yield(&kgo.Record{Key: []byte(user), Value: value}, nil)
	}
}

// feeder produces the records of a source.
type feeder struct {
	client *kgo.Client
	fed    multiset // their values
}

func openFeeder(b *broker) (*feeder, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchMaxBytes(maxBatch))
	if err != nil {
		return nil, fmt.Errorf("connect the producer: %w", err)
	}
	return &feeder{client: client}, nil
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
	send := func(r *kgo.Record, err error) bool {
		select {
		case items <- item{r, err}:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() { from(send); send(nil, io.EOF) }()
	begin := time.Now()
	var err error
	for n := int64(0); n != max && err == nil; n++ {
		if err = pace(ctx, begin, n, rate); err == nil {
			err = f.next(ctx, items, stop)
		}
	}
	// What was begun is finished, even after Ctrl-C: it counts as fed.
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

// next produces the next record; failed is called if that fails later.
func (f *feeder) next(ctx context.Context, items <-chan item, failed func(error)) error {
	select {
	case i := <-items:
		if i.err != nil {
			return i.err
		}
		f.fed.add(identify(i.record.Value)) // before the producer sees it
		// Not with ctx, which would take back what is on its way. It blocks while the producer's buffer is full.
		f.client.Produce(context.WithoutCancel(ctx), i.record, func(_ *kgo.Record, err error) {
			if err != nil {
				failed(fmt.Errorf("produce: %w", err))
			}
		})
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
