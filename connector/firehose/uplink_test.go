package firehose

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/retry"
)

// link is a way to the service that all requests share: so many bytes a second, in
// turns, and a limit to what passes in one request. Zero is without a limit.
type link struct {
	to    *world
	turn  chan struct{} // holds one
	speed atomic.Int64
	most  atomic.Int64
	cut   atomic.Int64 // requests that did not arrive
}

func newLink(speed, most int64) *link {
	l := &link{turn: make(chan struct{}, 1)}
	l.speed.Store(speed)
	l.most.Store(most)
	return l
}

// Do implements aws.HTTPClient.
func (l *link) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = l.carry(r.Context(), int64(len(body)))
	}
	if err != nil {
		l.cut.Add(1)
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return l.to.svc.Do(r)
}

func (l *link) carry(ctx context.Context, size int64) error {
	if most := l.most.Load(); most > 0 && size > most {
		return io.ErrUnexpectedEOF
	}
	const piece = 16 << 10
	for ; size > 0 && l.speed.Load() > 0; size -= piece {
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		err := retry.Sleep(ctx, time.Duration(min(size, piece))*time.Second/time.Duration(l.speed.Load()))
		<-l.turn
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// TestAnswersThatDontCome: full requests never get an answer, because of what lies
// between us and the service. All is delivered nevertheless, with few attempts that
// come to nothing, and at full size again when the trouble is over.
func TestAnswersThatDontCome(t *testing.T) {
	const batches, records, size, most = 8, 500, 790, 400_000 // a tenth of a full request, to be quick
	for name, c := range map[string]struct {
		speed, most int64 // of the link
		answer      time.Duration
		within      time.Duration
		cut         int64 // most requests that may not arrive
	}{
		// 530 KB of base64 take 53 s, and a request has 12; all of it takes 7 minutes.
		"slow link":                          {speed: 10_000, within: 20 * time.Minute, cut: 100},
		"very slow link":                     {speed: 1000, within: 150 * time.Minute, cut: 40},
		"something that ends large requests": {most: 30_000, within: 5 * time.Minute, cut: 80},
		"answers later than the timeout":     {answer: 15 * time.Second, within: 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := settings()
			cfg.BatchMaxBytes = most
			virtual(t, firehosetest.Options{Latency: func(int) time.Duration { return c.answer }}, cfg, func(w *world) {
				l := newLink(c.speed, c.most)
				w = w.over(l, cfg)
				ctx, cancel := context.WithTimeout(w.t.Context(), c.within)
				defer cancel()
				for range batches {
					w.start(ctx, w.batch(records, size))
				}
				begin := time.Now()
				w.wg.Wait()
				took := time.Since(begin).Round(time.Second)
				mark, _ := w.lease.CommitMark()
				ambiguous, cut := w.metric("records_ambiguous_total"), l.cut.Load()
				t.Logf("%d records after %v, %d requests cut, %v records ambiguous", mark.Offset, took, cut, ambiguous)
				if mark.Offset != batches*records || cut > c.cut {
					t.Errorf("%d of %d records are delivered after %v, and %d requests did not arrive; want all within %v, and %d at most", mark.Offset, batches*records, took, cut, c.within, c.cut)
					return
				}
				if n := w.log.count("reducing request size"); n == 0 {
					t.Error("the log does not say that requests are smaller")
				}

				l.speed.Store(0)
				l.most.Store(0)
				c.answer = 20 * time.Millisecond
				for range 600 {
					records, bytes := w.stream.BatchLimits()
					if bytes == most {
						break
					}
					w.mustDeliver(w.batch(max(1, min(records, bytes/size)), size))
				}
				if records, bytes := w.stream.BatchLimits(); records != 500 || bytes != most {
					t.Errorf("a request may hold %d records and %d bytes after all is well again: %+v", records, bytes, w.limiter())
				}
			})
		})
	}
}

// TestOneMissingAnswer is an accident: nothing shrinks.
func TestOneMissingAnswer(t *testing.T) {
	virtual(t, firehosetest.Options{Faults: []fault{{Effect: firehosetest.Hang, Times: 1}}}, settings(), func(w *world) {
		w.mustDeliver(w.batch(100, 200))
		if st := w.limiter(); st.Halvings != 0 || st.SizeLimit != 0 {
			t.Errorf("%+v", st)
		}
		w.wantMetric(100, "records_ambiguous_total")
	})
}

// over is the same world with a link in between.
func (w *world) over(l *link, cfg Config) *world {
	w.t.Helper()
	l.to = newWorld(w.t, w.svc, cfg, func(o *firehose.Options) { o.HTTPClient = l })
	return l.to
}
