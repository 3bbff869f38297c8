package e2e_test

import (
	"encoding/json"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/preflight/check"
)

// TestCheckProcess runs the command as the chart's test does, beside a member: with no
// place to write to, and no home. Nothing is delivered or committed by it.
func TestCheckProcess(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.start()
	h.produce(100)
	h.delivered(time.Minute)
	look := func(env ...string) (found map[string]string, code int) {
		cmd := exec.Command(h.binary(), "check", "-o", "json")
		cmd.Env = append(h.environ(env...), "KAFKA_SESSION_TIMEOUT=6s", "HOME=/nonexistent", "TMPDIR=/nonexistent")
		cmd.Dir = "/"
		out, err := cmd.Output()
		var report struct {
			Findings []struct{ Severity, Kind, Name, Found string }
		}
		if bad := json.Unmarshal(out, &report); bad != nil {
			t.Fatalf("%v, %v: %s", err, bad, out)
		}
		found = map[string]string{}
		for _, f := range report.Findings {
			found[f.Kind+" "+f.Name] = f.Severity + ": " + f.Found
		}
		if strings.Contains(string(out), secretKey) {
			t.Errorf("a secret came out:\n%s", out)
		}
		return found, cmd.ProcessState.ExitCode()
	}
	found, code := look()
	if code != 0 {
		t.Errorf("exit code %d: %v", code, found)
	}
	for what, want := range map[string]string{
		"group g":                  "ok: Stable, 1 member",
		"offsets in":               "ok: committed in 4 of 4 partitions, lag 0 records",
		"credentials for stream s": "ok: from the environment (AWS_ACCESS_KEY_ID); region us-east-1, endpoint " + h.url,
		"stream s":                 "ok: ACTIVE",
	} {
		if !strings.HasPrefix(found[what], want) {
			t.Errorf("%s is %q, want %q", what, found[what], want)
		}
	}
	if found, code = look("FIREHOSE_STREAM=nix"); code != 2 || !strings.HasPrefix(found["stream nix"], "error: does not exist") {
		t.Errorf("without the stream: exit code %d, %v", code, found)
	}
	h.drain(c)
	h.wantAll(0)
}

// TestApacheInspect: what ACLs keep from this process is found without trying it, the group
// that is not there yet included; and nothing is, where all is granted.
func TestApacheInspect(t *testing.T) {
	f := startFortress(t)
	for _, topic := range []string{"in", "dead"} {
		if _, err := f.admin.CreateTopic(t.Context(), 2, 1, map[string]*string{"max.message.bytes": new("2000000")}, topic); err != nil {
			t.Fatal(err)
		}
	}
	look := func(change ...func(*connector.Config)) *inspection {
		cfg := connector.DefaultConfig()
		cfg.Kafka.Brokers, cfg.Kafka.Topics, cfg.Kafka.GroupID = f.cluster.Addrs("LOGIN"), []string{"in"}, "g"
		cfg.Firehose.Stream, cfg.BadRecordPolicy, cfg.DeadLetter.Topic = "s", "dead-letter", "dead"
		loginAs("PLAIN", "bridge", env.NewSecret(password))(&cfg)
		for _, c := range change {
			c(&cfg)
		}
		i := &inspection{w: &world{}}
		i.w.dial = new(net.Dialer).DialContext
		i.Report = connector.Inspect(t.Context(), cfg, nil, cfg.Validate(), connector.Options{KafkaDial: i.dial})
		return i
	}
	// lookUntil looks again until what was granted last has got to the broker.
	lookUntil := func(s check.Severity, k check.FindingKind, text string, change ...func(*connector.Config)) (i *inspection) {
		came(patience, func() bool { i = look(change...); return i.has(s, k, text) })
		i.wantFinding(t, s, k, text)
		return i
	}
	who := func(op string) string { return "principal User:bridge needs the operation" + op }

	i := look()
	i.wantFinding(t, check.OK, check.Broker, "logged in as bridge with PLAIN")
	i.wantFinding(t, check.Error, check.Topic, "in: not allowed: TOPIC_AUTHORIZATION_FAILED")
	i.wantFinding(t, check.Error, check.Group, "g: not allowed: GROUP_AUTHORIZATION_FAILED")
	i.wantFinding(t, check.Error, check.DeadLetter, "dead: may not be written to; grant Describe and Write")

	f.allow("bridge", onTopic("in", kadm.OpDescribe), onTopic("dead", kadm.OpDescribe), onGroup("g", kadm.OpDescribe))
	i = lookUntil(check.Error, check.Group, "g: may be looked at and not joined; "+who(" READ on the group"))
	i.wantFinding(t, check.Error, check.Topic, "in: 2 partitions, may not be read; "+who(" READ on the topic"))
	i.wantFinding(t, check.Error, check.DeadLetter, "dead: may not be written to")

	f.allow("bridge", onTopic("in", kadm.OpRead), onTopic("dead", kadm.OpWrite), onGroup("g", kadm.OpRead))
	i = lookUntil(check.OK, check.Group, "g: does not exist yet; the first member makes it")
	i.wantFinding(t, check.OK, check.Topic, "in: 2 partitions, may be read, to stream s")
	i.wantFinding(t, check.OK, check.Offsets, "in: committed in 0 of 2 partitions")
	i.wantFinding(t, check.OK, check.DeadLetter, "dead: is there and may be written to; its max.message.bytes can't be read")

	f.allow("bridge", onTopic("in", kadm.OpDescribeConfigs), onTopic("dead", kadm.OpDescribeConfigs), kadm.NewACLs().Clusters().Operations(kadm.OpDescribeConfigs).ResourcePatternType(kmsg.ACLResourcePatternTypeLiteral))
	i = lookUntil(check.Error, check.Group, "g: KAFKA_SESSION_TIMEOUT is 3m0s, and the brokers take 1s to 2m0s",
		func(c *connector.Config) { c.Kafka.SessionTimeout = 3 * time.Minute })
	i.wantFinding(t, check.OK, check.DeadLetter, "max.message.bytes is 2000000")
	for _, protocol := range []string{"classic", "consumer"} {
		look(func(c *connector.Config) { c.Kafka.GroupProtocol = protocol }).wantFinding(t, check.OK, check.Group, "g: does not exist yet")
	}
	if groups, err := f.admin.ListGroups(t.Context()); err != nil || len(groups) != 0 {
		t.Errorf("looks have made groups: %v, %v", groups.Groups(), err)
	}
}
