package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kafka-firehose/connector/retry"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	b := retry.Backoff{Min: time.Second, Max: 10 * time.Second}
	for times, want := range map[int]time.Duration{
		-1: time.Second, 0: time.Second, 1: 2 * time.Second, 3: 8 * time.Second, 4: 10 * time.Second, 1000: 10 * time.Second,
	} {
		if got := b.Doubled(times); got != want {
			t.Errorf("doubled %d times: %v, want %v", times, got, want)
		}
		for range 100 {
			if got := b.Jittered(times); got < want/2 || got >= want {
				t.Errorf("doubled %d times, with jitter: %v, want at least %v and less than %v", times, got, want/2, want)
			}
		}
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := retry.Sleep(t.Context(), time.Minute); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		why := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		begin = time.Now()
		if err := retry.Sleep(ctx, time.Minute); !errors.Is(err, why) || time.Since(begin) != time.Second {
			t.Errorf("%v after %v, want the cause after a second", err, time.Since(begin))
		}
		if err := retry.Sleep(ctx, 0); err != nil {
			t.Errorf("no time to wait: %v", err)
		}
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var none *retry.Outage
		if none.ShouldReport(time.Now(), 0) {
			t.Error("no outage is reported")
		}
		down, denied := errors.New("down"), errors.New("denied")
		begin := time.Now()
		first := retry.ExtendOutage(none, down, false)
		time.Sleep(time.Minute)
		second := retry.ExtendOutage(first, denied, true)
		if *first != (retry.Outage{Since: begin, Failures: 1, Err: down}) || *second != (retry.Outage{Since: begin, Failures: 2, Err: denied, Blocked: true}) {
			t.Errorf("%+v, then %+v", first, second)
		}
		for patience, want := range map[time.Duration]bool{time.Minute: true, time.Minute + 1: false} {
			if got := first.ShouldReport(time.Now(), patience); got != want {
				t.Errorf("reported after a minute with patience %v: %v", patience, got)
			}
		}
		if !second.ShouldReport(begin, time.Hour) {
			t.Error("an outage that needs an operator is not reported at once")
		}
	})
}
