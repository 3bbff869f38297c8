package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// TestCredentials delivers with each kind of credentials that the documentation
// names, and with nothing else in reach.
func TestCredentials(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	c := newCloud(t, time.Hour)
	// A role that is assumed with a session, and not with a key.
	chained := firehosetest.Credentials{AccessKey: "ASIACHAINED", SecretKey: "planted-chained-secret", SessionToken: "planted-chained-token"}
	c.sts.AddCaller(chained)
	for _, way := range []struct {
		name, source string
		ends         bool
		env          func() []string
	}{
		{"key in the environment", "the environment", false, func() []string {
			c.stream.AddCredentials(firehosetest.Credentials{AccessKey: "AKIAENV", SecretKey: secretKey})
			return append(c.nothing(), "AWS_ACCESS_KEY_ID=AKIAENV", "AWS_SECRET_ACCESS_KEY="+secretKey)
		}},
		{"session in the environment", "the environment", false, func() []string {
			c.stream.AddCredentials(firehosetest.Credentials{AccessKey: "ASIAENV", SecretKey: secretKey, SessionToken: podToken})
			return append(c.nothing(), "AWS_ACCESS_KEY_ID=ASIAENV", "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_SESSION_TOKEN="+podToken)
		}},
		{"profile", "a profile", false, func() []string {
			c.stream.AddCredentials(firehosetest.Credentials{AccessKey: "ASIAPROFILE", SecretKey: secretKey, SessionToken: podToken})
			return c.profile("ASIAPROFILE", secretKey, podToken)
		}},
		{"IRSA", "a token file", true, c.irsa},
		{"EKS Pod Identity", "a container", true, c.podIdentity},
		{"role with an external id", "the environment", true, func() []string { return c.assumed(externalID) }},
		{"role on top of a session", "a profile", true, func() []string {
			return append(c.profile(chained.AccessKey, chained.SecretKey, chained.SessionToken), "FIREHOSE_ROLE_ARN="+role, "FIREHOSE_ROLE_EXTERNAL_ID="+externalID)
		}},
	} {
		p := c.start(append(way.env(), "FIREHOSE_STARTUP_CHECK=true")...)
		c.produce(1000)
		c.until(p, way.name+" delivers", func() bool { return c.stream.Stats().Streams["s"].Records == c.produced })
		if lines := p.lines(`"level":"WARN"`); len(lines) > 0 {
			t.Errorf("%s: %q", way.name, lines)
		}
		if _, text := p.probe(t, "/status"); !strings.Contains(text, `"for":"stream s","source":"`+way.source) || strings.Contains(text, `"expires":"`) != way.ends {
			t.Errorf("%s: the status does not say where credentials come from, or when they end: %s", way.name, text)
		}
		c.finish(p)
		for _, s := range c.sessions() { // what comes next is on its own
			c.stream.RemoveCredentials(s.AccessKey)
		}
		for _, key := range []string{"AKIAENV", "ASIAENV", "ASIAPROFILE"} {
			c.stream.RemoveCredentials(key)
		}
	}
	if n := len(c.sessions()); n != 4 {
		t.Errorf("%d sessions were handed out, want one for each of the four ways that need one", n)
	}
}

// TestSessionsEndUnderLoad: sessions of eight seconds, renewed two seconds before they
// end, which a busy machine may take to get a request out, so that Firehose never sees
// an old one. The identity token is changed on the way, as the kubelet does.
func TestSessionsEndUnderLoad(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	for name, way := range map[string]func(*cloud) []string{
		"IRSA": (*cloud).irsa, "EKS Pod Identity": (*cloud).podIdentity,
		"role": func(c *cloud) []string { return c.assumed(externalID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t, 8*time.Second)
			p := c.start(way(c)...)
			rotated := false
			c.until(p, "three sessions are used", func() bool {
				c.produce(50)
				n := len(c.sessions())
				if n >= 2 && !rotated {
					rotated = true
					c.write("token", podToken+"-2")
					c.agent.SetTokens(podToken + "-2")
					c.sts.SetRole(firehosetest.Role{ARN: role, ExternalID: externalID, Tokens: []string{podToken + "-2"}, Expired: []string{podToken}})
				}
				return n >= 3
			})
			c.finish(p)
			if n := c.stream.Stats().Outcomes["ExpiredTokenException"]; n > 0 {
				t.Errorf("Firehose saw an old session %d times", n)
			}
			if n := len(c.sessions()); n > 40 {
				t.Errorf("%d sessions", n)
			}
			if lines := p.lines(`"level":"WARN"`); len(lines) > 0 {
				t.Errorf("a change of credentials is nothing to warn of: %q", lines)
			}
		})
	}
}

// TestSessionEndsEarly: Firehose refuses a session that should last an hour. It is
// thrown away, and a new one delivers what was refused.
func TestSessionEndsEarly(t *testing.T) {
	t.Parallel()
	c := newCloud(t, time.Hour)
	p := c.start(c.irsa()...)
	for i := range 5 {
		c.produce(200)
		c.until(p, "session delivers", func() bool { return c.stream.Stats().Streams["s"].Records == c.produced })
		c.end(i)
	}
	c.produce(200)
	c.finish(p)
	if n := len(c.sessions()); n != 6 {
		t.Errorf("%d sessions, want one for each that was refused and the last", n)
	}
	if n := len(p.lines(`"level":"WARN"`, "refuses our credentials", "ExpiredTokenException")); n == 0 { // those that repeat are thinned out
		t.Errorf("no line about a refusal\n%s", p.log.String())
	}
}

// TestKeyChangedInAFile: the old key is taken away after the file has the new one.
// It is found without a restart.
func TestKeyChangedInAFile(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	c := newCloud(t, time.Hour)
	key := func(i int) firehosetest.Credentials {
		return firehosetest.Credentials{AccessKey: fmt.Sprintf("AKIA%d", i), SecretKey: fmt.Sprintf("%s-%d", secretKey, i)}
	}
	c.stream.AddCredentials(key(0))
	p := c.start(c.profile(key(0).AccessKey, key(0).SecretKey, "")...)
	for i := range 3 {
		c.produce(200)
		c.until(p, "the key delivers", func() bool { return c.stream.Stats().Streams["s"].Records == c.produced })
		c.stream.AddCredentials(key(i + 1))
		c.profile(key(i+1).AccessKey, key(i+1).SecretKey, "")
		c.stream.RemoveCredentials(key(i).AccessKey)
	}
	c.produce(200)
	c.finish(p)
}

// TestTokenServiceDownAtStart: not ready, one line, few requests, and it begins by
// itself.
func TestTokenServiceDownAtStart(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	c := newCloud(t, time.Hour)
	c.door.state.Store(shut)
	c.produce(100)
	begin := time.Now()
	p := c.start(c.irsa()...)
	c.blocked(p, role, c.door.url)
	c.until(p, "it has tried some times", func() bool { return c.door.knocking.Load() >= 4 })
	if tries, most := int(c.door.knocking.Load()), 4+2*int(time.Since(begin)/time.Second); tries > most {
		t.Errorf("the token service was asked %d times in %v, want at most %d", tries, time.Since(begin), most)
	}
	if n := c.stream.Stats().Requests; n > 0 {
		t.Errorf("%d requests reached Firehose without credentials", n)
	}
	c.door.state.Store(opened)
	c.finish(p)
}

// TestTokenServiceDownLater: the session in use is used to its end, then the stream
// is blocked, and it resumes by itself.
func TestTokenServiceDownLater(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	c := newCloud(t, 16*time.Second)
	p := c.start(c.assumed(externalID)...)
	c.until(p, "it delivers", func() bool { c.produce(10); return c.stream.Stats().Streams["s"].Records > 500 })
	c.door.state.Store(shut)
	c.until(p, "it could not renew", func() bool {
		c.produce(10)
		return len(p.lines(`"level":"WARN"`, "can't be renewed", role)) == 1
	})
	before := c.stream.Stats().Streams["s"].Records
	c.produce(100)
	c.until(p, "the old session delivers", func() bool { return c.stream.Stats().Streams["s"].Records >= before+100 })
	c.end(0)
	c.produce(100)
	c.blocked(p, role)
	c.door.state.Store(opened)
	c.finish(p)
}

// TestTokenServiceSilent: it takes the request for a new session and does not
// answer. When it answers again the next request has one: nothing waits for the
// first for ever.
func TestTokenServiceSilent(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	c := newCloud(t, time.Hour)
	p := c.start(c.assumed(externalID)...)
	c.until(p, "it delivers", func() bool { c.produce(10); return c.stream.Stats().Streams["s"].Records > 500 })
	c.door.state.Store(silent)
	c.end(0)
	c.produce(100)
	c.blocked(p)
	c.door.state.Store(opened)
	c.finish(p)
}

// TestWrongExternalID: one line that names the role and says who refuses what. When
// the trust policy is put right it begins by itself.
func TestWrongExternalID(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	c := newCloud(t, time.Hour)
	c.produce(100)
	p := c.start(c.assumed("not-" + externalID)...)
	c.blocked(p, role, "AccessDenied", "sts:AssumeRole", "FIREHOSE_ROLE_ARN")
	c.until(p, "it has tried again", func() bool { return len(c.sts.Calls()) >= 3 })
	c.sts.SetRole(firehosetest.Role{ARN: role, ExternalID: "not-" + externalID})
	c.finish(p)
}

// TestTokenFileMissing: one line that names the file; when it is there it begins.
func TestTokenFileMissing(t *testing.T) {
	longtest.Require(t)
	t.Parallel()
	c := newCloud(t, time.Hour)
	c.produce(100)
	missing := filepath.Join(c.dir, "late")
	p := c.start(append(c.irsa(), "AWS_WEB_IDENTITY_TOKEN_FILE="+missing)...)
	c.blocked(p, missing, "no such file")
	c.write("late", podToken)
	c.finish(p)
}
