package awsconfig

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// logBuffer is a log that is looked through.
type logBuffer struct{ buf bytes.Buffer }

func (b *logBuffer) Write(p []byte) (int, error) { return b.buf.Write(p) }

func (b *logBuffer) count(s string) int { return strings.Count(b.buf.String(), s) }

// tokenService hands out sessions of a length, or fails.
type tokenService struct {
	life    time.Duration
	fail    error
	fetched []time.Time
}

func (s *tokenService) fetch(context.Context) (aws.Credentials, error) {
	s.fetched = append(s.fetched, time.Now())
	if s.fail != nil {
		return aws.Credentials{}, s.fail
	}
	return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "s", CanExpire: true, Expires: time.Now().Add(s.life)}, nil
}

// use asks for credentials each second, as requests do, and returns the errors.
func use(t *testing.T, c *CachedCredentials, s *tokenService, d time.Duration) (failed int) {
	t.Helper()
	for range int(d / time.Second) {
		if _, err := c.Retrieve(t.Context()); err != nil {
			failed++
		} else if good := s.good(); !time.Now().Before(good) {
			t.Fatalf("credentials in use ended %v ago", time.Since(good))
		}
		time.Sleep(time.Second)
	}
	return failed
}

// good is the end of the newest session.
func (s *tokenService) good() time.Time { return s.fetched[0].Add(s.life) }

// A session of an hour is renewed two and a half to five minutes before its end,
// a short one in its last quarter, and what has ended when it comes is asked for
// once a second and not before each request.
func TestCredentialsAreRenewedEarly(t *testing.T) {
	for _, tt := range []struct{ life, least, most time.Duration }{
		{time.Hour, 55 * time.Minute, 58*time.Minute + 5*time.Second},
		{8 * time.Minute, 5*time.Minute + 30*time.Second, 6*time.Minute + 4*time.Second},
		{8 * time.Second, 6 * time.Second, 7 * time.Second},
		{-time.Hour, time.Second, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &tokenService{life: tt.life}
			c := CacheCredentials(s.fetch, slog.New(slog.DiscardHandler))
			var last time.Time
			for range 20_000 {
				got, err := c.Retrieve(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n := len(s.fetched); n > 1 && s.fetched[n-1] != last {
					if after := s.fetched[n-1].Sub(s.fetched[n-2]); after < tt.least || after > tt.most {
						t.Errorf("sessions of %v: renewed after %v, want %v to %v", tt.life, after, tt.least, tt.most)
					}
				}
				last = s.fetched[len(s.fetched)-1]
				if tt.life > 0 && !time.Now().Before(last.Add(tt.life)) {
					t.Fatalf("sessions of %v: %v has ended", tt.life, got.Expires)
				}
				time.Sleep(tt.least / 100)
			}
			if len(s.fetched) < 100 {
				t.Errorf("sessions of %v: renewed %d times", tt.life, len(s.fetched))
			}
		})
	}
}

// A token service that is down stops nothing before the old credentials end, and
// then everything; one that comes back is found at once.
func TestOldCredentialsCoverAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		s := &tokenService{life: time.Hour}
		c := CacheCredentials(s.fetch, slog.New(slog.NewTextHandler(&log, nil)))
		if failed := use(t, c, s, 50*time.Minute); failed > 0 || len(s.fetched) != 1 {
			t.Fatalf("%d failed, %d fetches", failed, len(s.fetched))
		}
		s.fail = errors.New("down")
		if failed := use(t, c, s, 10*time.Minute); failed > 0 {
			t.Errorf("%d requests failed for want of credentials that were still good", failed)
		}
		if n := len(s.fetched); n < 8 || n > 20 {
			t.Errorf("the service was asked %d times in its last minutes, want every 20 s", n)
		}
		if log.count("level=WARN") != 1 || log.count("can't be renewed") != 1 || log.count("error=down") != 1 {
			t.Errorf("log: %s", log.buf.String())
		}
		first := s.fetched[0].Add(s.life)
		if got := c.State(); got.Failure != "down" || !got.Expires.Equal(first) {
			t.Errorf("state in the outage: %+v, want the end %v", got, first)
		}
		if failed := use(t, c, s, 10*time.Second); failed != 10 {
			t.Errorf("%d of 10 requests failed after the end of the credentials", failed)
		}
		s.fail, s.fetched = nil, nil
		if failed := use(t, c, s, 50*time.Minute); failed > 0 || len(s.fetched) != 1 {
			t.Errorf("after the outage: %d failed, %d fetches", failed, len(s.fetched))
		}
		if got := c.State(); got.Failure != "" || !got.Expires.Equal(s.fetched[0].Add(s.life)) {
			t.Errorf("state after the outage: %+v", got)
		}

		// Refused by Firehose is another matter: those aren't good any more.
		s.fail = errors.New("down")
		c.Invalidate()
		if _, err := c.Retrieve(t.Context()); err == nil {
			t.Error("credentials that were thrown away are used again")
		}
	})
}

func TestRenewedAgainIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		s := &tokenService{life: time.Hour}
		c := CacheCredentials(s.fetch, slog.New(slog.NewTextHandler(&log, nil)))
		use(t, c, s, 50*time.Minute)
		s.fail = errors.New("down")
		use(t, c, s, 9*time.Minute)
		s.fail, s.fetched = nil, nil
		if _, err := c.Retrieve(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(renewAgain)
		use(t, c, &tokenService{life: time.Hour, fetched: []time.Time{time.Now()}}, time.Minute)
		if log.count("renewed again") != 1 || len(s.fetched) != 1 {
			t.Errorf("%d fetches, log: %s", len(s.fetched), log.buf.String())
		}
	})
}
