package kafka

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p partition
		var seen []float64
		delay := prometheus.ObserverFunc(func(s float64) { seen = append(seen, s) })
		want := func(when string, seconds ...float64) {
			t.Helper()
			if !slices.Equal(seen, seconds) {
				t.Errorf("%s: delays of %v s, want %v s", when, seen, seconds)
			}
		}
		poll := func(offset int64, created time.Time) {
			p.sampleDelay(&kgo.Record{Offset: offset, Timestamp: created}, time.Now())
		}

		poll(10, time.Now().Add(-time.Minute))
		poll(20, time.Now()) // within the second: not followed
		time.Sleep(sampleEvery)
		poll(30, time.Now())
		p.observeDelay(10, delay) // the commit names the next offset to read
		want("before the commit has passed any")
		time.Sleep(time.Second)
		p.observeDelay(11, delay)
		want("behind the first", 62)
		time.Sleep(time.Second)
		p.observeDelay(31, delay)
		want("behind both", 62, 2)
		p.observeDelay(31, delay)
		want("a second time", 62, 2)
		poll(32, time.Now()) // a second after the last one, which is committed
		poll(33, time.Now())
		p.observeDelay(33, delay)
		want("a second later", 62, 2, 0)
		poll(34, time.Now()) // within the second, although nothing is awaited
		p.observeDelay(35, delay)
		want("within a second of one that is committed", 62, 2, 0)
		time.Sleep(time.Second)

		poll(40, time.UnixMilli(-1))             // none was set
		poll(50, time.Now().Add(10*time.Second)) // by a clock ahead of ours; nothing else is awaited
		p.observeDelay(100, delay)
		want("without a timestamp, and from the future", 62, 2, 0, 0)
	})
}
