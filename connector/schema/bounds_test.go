package schema

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector/convert"
)

// heavy is a Schema of a weight.
type heavy int

func (heavy) AppendJSON(dst, _ []byte, _ convert.MessageIndex, _ int) ([]byte, error) {
	return dst, nil
}
func (h heavy) Weight() int { return int(h) }

// TestKeptByBytes: schemas that are kept are bounded by the memory that they hold, and the
// newest one is always kept.
func TestKeptByBytes(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		for id := range uint32(40) {
			w.settleFetch(byID(id), heavy(maxKeptBytes/10), nil)
			if _, err := w.LookupSchema(byID(id)); err != nil {
				t.Fatalf("%d is not kept: %v", id, err)
			}
		}
		if n := len(*w.found.Load()); n < 5 || n > 10 {
			t.Errorf("%d are kept, each of a tenth of the bytes", n)
		}
		w.settleFetch(byID(100), heavy(2*maxKeptBytes), nil)
		if _, err := w.LookupSchema(byID(100)); err != nil || len(*w.found.Load()) != 1 {
			t.Errorf("%d are kept beside one that takes all: %v", len(*w.found.Load())-1, err)
		}
		w.settleFetch(byID(101), heavy(1), nil)
		if n := len(*w.found.Load()); n != 1 || w.kept > maxKeptBytes {
			t.Errorf("%d are kept, of %d bytes", n, w.kept)
		}
	})
}

// TestOneIsCompiledAtATime: however many schemas are asked for, their compilers don't take
// their memory at the same time, be they small or large, and only some texts are held meanwhile.
func TestOneIsCompiledAtATime(t *testing.T) {
	for _, pad := range []int{0, smallSchema} {
		bubble(t, Config{}, func(w *world) {
			var compiling, most, maxAsking atomic.Int32
			compile := w.compile
			w.compile = func(d convert.SchemaDefinition) (convert.Schema, error) {
				most.Store(max(most.Load(), compiling.Add(1)))
				defer compiling.Add(-1)
				maxAsking.Store(max(maxAsking.Load(), int32(len(w.fetching))))
				time.Sleep(100 * time.Millisecond)
				return compile(d)
			}
			const n = 30
			var fetches []<-chan struct{}
			for id := 1; id <= n; id++ {
				w.fake.SeedSchema("s", id, id, sr.Schema{Schema: fmt.Sprint(id, strings.Repeat(" ", pad))})
				fetches = append(fetches, w.FetchFor(w.ctx, byID(uint32(id)), time.Now()))
			}
			for id, fetch := range fetches {
				<-fetch
				if _, err := w.LookupSchema(byID(uint32(id + 1))); err != nil {
					t.Error(err)
				}
			}
			if most.Load() != 1 || maxAsking.Load() > maxFetches || pad == 0 && maxAsking.Load() < maxFetches {
				t.Errorf("%d are compiled at a time, want 1; %d are fetched, want %d", most.Load(), maxAsking.Load(), maxFetches)
			}
		})
	}
}

// TestSmallSchemaPassesLargeOnes: a schema of usual size does not wait for large ones that take their time, and those wait for one another.
func TestSmallSchemaPassesLargeOnes(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		compile := w.compile
		w.compile = func(d convert.SchemaDefinition) (convert.Schema, error) {
			if d.TextBytes() > smallSchema {
				time.Sleep(time.Minute)
			}
			return compile(d)
		}
		const large = 2 * maxFetches
		blanks := strings.Repeat(" ", smallSchema)
		begin := time.Now()
		var fetches []<-chan struct{}
		for id := 1; id <= large; id++ {
			w.fake.SeedSchema("s", id, id, sr.Schema{Schema: fmt.Sprint(id, blanks)})
			fetches = append(fetches, w.FetchFor(w.ctx, byID(uint32(id)), time.Now()))
		}
		time.Sleep(time.Second)
		w.fake.SeedSchema("s", 99, 99, sr.Schema{Schema: "99"})
		<-w.FetchFor(w.ctx, byID(99), time.Now())
		if _, err := w.LookupSchema(byID(99)); err != nil || time.Since(begin) > 2*time.Second {
			t.Errorf("a small schema after %v: %v", time.Since(begin), err)
		}
		for _, fetch := range fetches {
			<-fetch
		}
		if took := time.Since(begin); took < large*time.Minute || took > large*time.Minute+time.Second {
			t.Errorf("%d large schemas took %v, a minute each", large, took)
		}
	})
}

// TestThrottledSmallSchemaPassesLargeOne: while the registry throttles, one schema is asked for at a time, and the next as soon as that is answered:
// a small one does not wait until a large one is compiled. An outage that begins meanwhile is not over when it is.
func TestThrottledSmallSchemaPassesLargeOne(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		compile := w.compile
		w.compile = func(d convert.SchemaDefinition) (convert.Schema, error) {
			if d.TextBytes() > smallSchema {
				time.Sleep(time.Minute)
			}
			return compile(d)
		}
		refuse := func() { w.answers(status(http.StatusTooManyRequests, "slow down")) }
		for id := range 4 {
			w.fake.SeedSchema("s", id+1, id+1, sr.Schema{Schema: fmt.Sprint(id+1, strings.Repeat(" ", smallSchema*(id%2)))})
		}
		refuse()
		<-w.FetchFor(w.ctx, byID(1), time.Now())
		w.answers(nil)
		large := w.FetchFor(w.ctx, byID(2), time.Now())
		synctest.Wait() // it is the one that will be asked for first
		begin := time.Now()
		if _, err := w.wait(byID(3), time.Minute); err != nil || time.Since(begin) > 20*time.Second {
			t.Errorf("a small schema after %v: %v", time.Since(begin), err)
		}
		refuse()
		<-w.FetchFor(w.ctx, byID(4), time.Now())
		<-large
		if _, err := w.LookupSchema(byID(2)); err != nil {
			t.Error(err)
		}
		if w.slowUntil().IsZero() {
			t.Error("the compiled schema has ended the throttling that began after its answer")
		}
	})
}

// TestReferencesTooLarge: references are not collected beyond what could be compiled.
func TestReferencesTooLarge(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		var references []sr.SchemaReference
		for i := range 20 {
			name := fmt.Sprint("r", i)
			w.fake.SeedSchema(name, 1, 100+i, sr.Schema{Schema: strings.Repeat(" ", convert.MaxSchemaBytes-100) + `"int"`})
			references = append(references, sr.SchemaReference{Name: name, Subject: name, Version: 1})
		}
		w.fake.SeedSchema("s", 1, 7, sr.Schema{Schema: `"int"`, References: references})
		_, err := w.wait(byID(7), time.Minute)
		if err == nil || !strings.Contains(err.Error(), "schema 7: its schema refers to more than 4MiB of others") {
			t.Errorf("%v", err)
		}
		if n := w.asked(); n > 6 {
			t.Errorf("%d requests, of 1 MiB each", n)
		}
	})
}
