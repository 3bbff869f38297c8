package connector

import (
	"context"
	"sync"

	"kafka-firehose/connector/batch"
	"kafka-firehose/connector/firehose"
)

// flight is a batch with the permission to send it.
type flight struct {
	slot  *firehose.Slot
	batch *batch.Batch
}

// dispatch sends what fill seals until fill has ended and all is settled, or ctx
// is over. A batch waits here while the stream lets none start.
//
// A goroutine that is done waits for the next batch: a request goes through forty
// functions of the SDK, and to grow a new stack for them costs as much as to sign it.
// No more of them wait than there are requests in flight: batches in their backoff are
// many more.
func (l *lane) dispatch(ctx context.Context, fail func(error)) {
	var flying sync.WaitGroup
	defer close(l.landed)
	defer flying.Wait()
	next := make(chan flight)
	defer close(next)
	for b := range l.sealed {
		slot, err := l.stream.Acquire(ctx)
		if err != nil {
			return
		}
		f := flight{slot, b}
		select {
		case next <- f:
			continue
		default: // all are on their way
		}
		flying.Go(func() {
			for more := true; more; {
				if err := l.stream.Deliver(ctx, f.slot, f.batch); err != nil && ctx.Err() == nil {
					fail(err)
				}
				f = flight{} // or it would keep the batch while it waits
				select {
				case l.spare <- struct{}{}:
					f, more = <-next
					<-l.spare
				default:
					return
				}
			}
		})
	}
}
