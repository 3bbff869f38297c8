package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector"
	"kafka-firehose/connector/recovery"
)

func TestRedriveCommand(t *testing.T) {
	for args, test := range map[string]struct {
		err  error
		code int
		want string // on standard output or error
	}{
		"-reason refused -topic orders -since 2h -max 7 -dry-run": {nil, 0, "all                         3            0            0\n"},
		"-topic orders": {fmt.Errorf("%w: 3", recovery.ErrIncomplete), 1, "some records could not be delivered: 3"},
		"-max 3":        {fmt.Errorf("%w: no topic", connector.ErrNotStarted), 2, "kafka-firehose: nothing was sent: no topic"},
		"-max 4":        {context.DeadlineExceeded, 3, "the same command continues"},
		"-max -1":       {nil, 2, "-max is -1; want 1 or more"},
		"-reason x":     {nil, 2, `-reason is "x"; want one of tombstone, `},
		"-since -1h":    {nil, 2, "want a time that is over"},
		"-since soon":   {nil, 2, `-since is "soon"; want an RFC 3339 time`},
		"orders":        {nil, 2, "redrive takes flags alone"},
		"-h":            {nil, 0, "-since time"},
	} {
		b := newBench(t, enough...)
		var asked recovery.RedriveRequest
		b.redrive = func(_ context.Context, _ connector.Config, r recovery.RedriveRequest, _ connector.Options) (recovery.RedriveReport, error) {
			asked = r
			return recovery.RedriveReport{Letters: map[string]*recovery.LetterCounts{"refused": {Sent: 3}}}, test.err
		}
		code := b.run(t.Context(), append([]string{"redrive"}, strings.Fields(args)...))
		if code != test.code || !strings.Contains(b.stdout.String()+b.stderr.String(), test.want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", args, code, &b.stdout, &b.stderr)
		}
		if strings.HasPrefix(args, "-reason refused") && (asked.Reason != "refused" || asked.Topic != "orders" || asked.Max != 7 || !asked.DryRun || time.Since(asked.Since) < 2*time.Hour) {
			t.Errorf("got %+v", asked)
		}
	}
}
