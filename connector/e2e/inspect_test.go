package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/kafka/kafkatest"
	"kafka-firehose/connector/preflight/check"
)

// surroundings are a world in which nobody delivers, so that there is nothing to judge.
func surroundings(t *testing.T, open func() door, body func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		door := open()
		cluster := kfake.MustCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen)}, door.cluster...)...)
		defer cluster.Close()
		w := newWorld(t, broker{addrs: cluster.ListenAddrs(), dial: network.DialContext, cluster: cluster, adapt: func(*connector.Config) {}, door: door})
		defer w.close()
		body(w)
	})
}

func noDoor() door { return door{} }

// inspection is a look at a world, and what it has asked for.
type inspection struct {
	check.Report
	w          *world
	mu         sync.Mutex
	asked      []kmsg.Key // of the brokers, but for those under TLS
	operations []string   // of Firehose
}

// inspect looks as a process would whose configuration change has adapted.
func (w *world) inspect(change ...func(*connector.Config)) *inspection {
	w.t.Helper()
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	i := &inspection{w: w}
	i.Report = connector.Inspect(w.t.Context(), cfg, nil, cfg.Validate(), connector.Options{
		KafkaDial:  i.dial,
		Firehose:   []func(*awsfirehose.Options){(&httpWire{w: w}).client, func(o *awsfirehose.Options) { o.HTTPClient = i }},
		Registry:   w.registry,
		Glue:       w.glue,
		CloudWatch: w.watched,
		S3:         w.s3,
	})
	return i
}

// dial listens in.
func (i *inspection) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := i.w.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return newTap(conn, i.hear, everyKey()...), nil
}

// Do implements aws.HTTPClient.
func (i *inspection) Do(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.operations = append(i.operations, r.Header.Get("X-Amz-Target"))
	i.mu.Unlock()
	return i.w.firehose().Do(r)
}

func everyKey() (keys []kmsg.Key) {
	for k := range int16(kmsg.MaxKey + 1) {
		if kmsg.RequestForKey(k) != nil {
			keys = append(keys, kmsg.Key(k))
		}
	}
	return keys
}

func (i *inspection) hear(r kmsg.Request) func(kmsg.Response) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = append(i.asked, kmsg.Key(r.Key()))
	return nil
}

func (i *inspection) requests() []kmsg.Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(i.asked)))
}

// adviceLine is the beginning of advice, which has a line of its own.
var adviceLine = regexp.MustCompile(`\n +-> `)

// wantTable fails unless the table is this one, with advice behind a semicolon; its last line is without the time.
func (i *inspection) wantTable(t *testing.T, want string) {
	t.Helper()
	var got bytes.Buffer
	i.Took = 0
	if err := i.WriteTable(&got, 0); err != nil {
		t.Fatal(err)
	}
	table := adviceLine.ReplaceAllString(got.String(), "; ")
	if want = strings.TrimLeft(want, "\n"); want != table {
		t.Errorf("the table is\n%s\nwant\n%s", table, want)
	}
}

// has reports whether there is a finding of the severity and kind that says this.
func (i *inspection) has(s check.Severity, k check.FindingKind, text string) bool {
	return slices.ContainsFunc(i.Findings, func(f check.Finding) bool {
		return f.Severity == s && f.Kind == k && strings.Contains(f.Name+": "+f.Found+"; "+f.Advice, text)
	})
}

func (i *inspection) wantFinding(t *testing.T, s check.Severity, k check.FindingKind, text string) {
	t.Helper()
	if i.has(s, k, text) {
		return
	}
	var got bytes.Buffer
	_ = i.WriteTable(&got, 0)
	t.Errorf("no %s about a %s says %q:\n%s", s, k, text, &got)
}

// harmless is what a look may ask of brokers: whatever changes nothing there, and hands
// out no record.
var harmless = []kmsg.Key{
	kmsg.Metadata, kmsg.ApiVersions, kmsg.FindCoordinator, kmsg.DescribeGroups, kmsg.ConsumerGroupDescribe, kmsg.OffsetFetch,
	kmsg.ListOffsets, kmsg.DescribeConfigs, kmsg.SASLHandshake, kmsg.SASLAuthenticate,
}

// TestInspect: beside a member at work, a look finds that everything is there and where
// the group stands, and leaves no trace in Kafka or in Firehose.
func TestInspect(t *testing.T) {
	bubble(t, func(w *world) {
		m := w.start(func(c *connector.Config) { c.Firehose.BatchLinger = time.Hour })
		w.produce(0, 107)
		time.Sleep(10 * time.Second)
		rebalances, members := m.metric("kafka_rebalances_total"), w.membership()
		i := w.inspect()
		i.wantTable(t, `
ok  setting                   all can be used
ok  broker localhost:9092     not encrypted, no login
ok  topic in                  4 partitions, may be read, to stream s
ok  group g                   Stable, 1 member, shared by cooperative-sticky
ok  offsets in                committed in 0 of 4 partitions, lag 0 records; the rest starts at earliest (KAFKA_AUTO_OFFSET_RESET), with 107 records in the log
ok  credentials for stream s  from a source without a name; region us-east-1
ok  stream s                  ACTIVE, DirectPut, to S3, no server-side encryption, puts are authorized
0 errors, 0 warnings: 7 things looked at in 0s
`)
		if seen := i.requests(); len(seen) < 5 || slices.ContainsFunc(seen, func(k kmsg.Key) bool { return !slices.Contains(harmless, k) }) {
			t.Errorf("a look asks the brokers for %v; want no more than %v", seen, harmless)
		}
		if want := []string{"Firehose_20150804.DescribeDeliveryStream", "Firehose_20150804.PutRecordBatch"}; !slices.Equal(i.operations, want) {
			t.Errorf("a look asks Firehose for %q, want %q", i.operations, want)
		}
		time.Sleep(10 * time.Second)
		if got := w.committed(); got != 0 {
			t.Errorf("committed %d, and nothing before the look", got)
		}
		if got := w.membership(); got != members || m.metric("kafka_rebalances_total") != rebalances {
			t.Errorf("the group had %s, and has %s after the look", members, got)
		}
		m.mustStop()
		w.wantExactly(107)
	})
}

// membership is who is in the group with what.
func (w *world) membership() (text string) {
	w.t.Helper()
	groups, err := w.admin.DescribeGroups(context.Background(), w.group)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range groups[w.group].Members {
		assigned, _ := m.Assigned.AsConsumer()
		text += fmt.Sprintf("%s with %v, ", m.MemberID, assigned.Topics)
	}
	return text
}

// acl lets the user bridge do something.
func acl(resource kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
	return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
}

// TestInspectEverythingWrong: each thing is found although all the others are wrong, too,
// and no secret is among what is told.
func TestInspectEverythingWrong(t *testing.T) {
	const topic, groups = kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup
	surroundings(t, func() door {
		return locked(kfake.EnableACLs(), kfake.User("PLAIN", "bridge", password,
			acl(topic, "in", kmsg.ACLOperationRead), acl(topic, "looked-at", kmsg.ACLOperationDescribe), acl(topic, "missing", kmsg.ACLOperationDescribe),
			acl(topic, "dead", kmsg.ACLOperationDescribe), acl(groups, "g", kmsg.ACLOperationDescribe)))
	}, func(w *world) {
		w.topic("looked-at", 1)
		w.topic("hidden", 1)
		w.topic("dead", 1)
		w.stream.AddStream(firehosetest.Stream{Name: "from-msk", Type: "MSKAsSource", Processors: []firehosetest.Processor{{Type: "AppendDelimiterToRecord"}}})
		w.stream.AddStream(firehosetest.Stream{Name: "going", Status: "DELETING"})
		w.stream.AddStream(firehosetest.Stream{Name: "secret", Refusal: "AccessDeniedException"})
		w.registry = refusing{}
		i := w.inspect(loginAs("PLAIN", "bridge", env.NewSecret(password)), func(c *connector.Config) {
			c.Kafka.Brokers = append([]string{"nowhere:9092"}, c.Kafka.Brokers...)
			c.Kafka.Topics = []string{"in", "looked-at", "hidden", "missing"}
			c.Firehose.Routes = decodeRoutes(t, "in=from-msk,hidden=going,missing=secret")
			c.Firehose.Stream = "nix"
			c.Record.Format, c.Schema.URLs = "avro", []string{"http://registry:8081"}
			c.Schema.Username, c.Schema.Password = "bridge", env.NewSecret(password)
			c.BadRecordPolicy, c.DeadLetter.Topic = "dead-letter", "dead"
			c.LogFormat, c.Kafka.GroupInstanceID = "xml", "no/name"
		})
		i.wantTable(t, `
error    setting KAFKA_GROUP_INSTANCE_ID  holds "no/name": want 1 to 249 of a-z A-Z 0-9 . _ - and neither . nor ..
error    setting LOG_FORMAT               holds "xml": want json or text
warning  broker nowhere:9092              unable to dial: the virtual network works only on localhost; look at KAFKA_BROKERS, and at what is between: networks, security groups, policies
ok       broker localhost:9092            not encrypted, logged in as bridge with PLAIN
error    topic hidden                     not allowed: TOPIC_AUTHORIZATION_FAILED: Not authorized to access topics: [Topic authorization failed.]; principal User:bridge needs the operations READ and DESCRIBE on the topic
ok       topic in                         4 partitions, may be read, to stream from-msk
error    topic looked-at                  1 partition, may not be read; principal User:bridge needs the operation READ on the topic
error    topic missing                    does not exist; create it, or correct KAFKA_TOPICS; the service waits for it
error    group g                          may be looked at and not joined; principal User:bridge needs the operation READ on the group (KAFKA_GROUP_ID)
ok       offsets in                       committed in 0 of 4 partitions, lag 0 records; the rest starts at earliest (KAFKA_AUTO_OFFSET_RESET), with 0 records in the log
ok       offsets looked-at                committed in 0 of 1 partition, lag 0 records; the rest starts at earliest (KAFKA_AUTO_OFFSET_RESET), with 0 records in the log
error    dead-letter dead                 may not be written to; grant Describe and Write on it (before Kafka 2.8 also IdempotentWrite on the cluster)
error    registry http://registry:8081    the login is refused: 401 Unauthorized: no; look at SCHEMA_REGISTRY_URL, its login and its certificate
ok       credentials for stream from-msk  from a source without a name; region us-east-1
error    stream from-msk                  is of type MSKAsSource; only DirectPut streams take records from us: use another one
warning  stream from-msk                  it appends a delimiter to each record, and so does RECORD_DELIMITER: there will be blank lines; remove its processor AppendDelimiterToRecord, or set RECORD_DELIMITER=none
error    stream going                     is DELETING, not ACTIVE; create it anew
warning  stream secret                    may not be described: User: arn:aws:iam::123456789012:user/emulated is not authorized to perform: firehose:DescribeDeliveryStream on resource: arn:aws:firehose:us-east-1:123456789012:deliverystream/secret because no identi…; allow firehose:DescribeDeliveryStream to have it looked at, and see to it that firehose:PutRecordBatch is allowed
error    stream secret                    may not be written to: User: arn:aws:iam::123456789012:user/emulated is not authorized to perform: firehose:PutRecordBatch on resource: arn:aws:firehose:us-east-1:123456789012:deliverystream/secret because no identity-based…; allow firehose:PutRecordBatch on it
error    stream nix                       does not exist in this account and region: Firehose nix not found under account 123456789012.; create it, or look at FIREHOSE_STREAM, FIREHOSE_ROUTES and AWS_REGION
12 errors, 3 warnings: 20 things looked at in 0s
`)
		if len(i.operations) == 0 || len(i.requests()) == 0 {
			t.Error("nothing was asked for")
		}
		var all bytes.Buffer
		if err := errors.Join(i.WriteTable(&all, 0), i.WriteJSON(&all)); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{password, secretKey, accessKey} {
			if strings.Contains(all.String(), secret) {
				t.Errorf("a secret came out:\n%s", &all)
			}
		}
	})
}

// refusing is a Schema Registry that lets nobody in.
type refusing struct{}

func (refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	body := io.NopCloser(strings.NewReader(`{"error_code":401,"message":"no"}`))
	return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: body, Request: r}, nil
}

// TestInspectOffsets: where the group stands, and what is wrong with it.
func TestInspectOffsets(t *testing.T) {
	surroundings(t, noDoor, func(w *world) {
		w.produce(0, 400)
		commit := func(at ...int64) {
			var offsets kadm.Offsets
			for p, o := range at {
				offsets.AddOffset(w.in, int32(p), o, -1)
			}
			if err := w.admin.CommitAllOffsets(context.Background(), w.group, offsets); err != nil {
				t.Fatal(err)
			}
		}
		none := func(c *connector.Config) { c.Kafka.AutoOffsetReset.Mode = "none" }
		w.inspect(none).wantFinding(t, check.Error, check.Offsets, "in: nothing is committed in 4 of 4 partitions, and KAFKA_AUTO_OFFSET_RESET is none; commit an offset")
		commit(10, 100)
		w.inspect().wantFinding(t, check.OK, check.Offsets, "in: committed in 2 of 4 partitions, lag 90 records; the rest starts at earliest (KAFKA_AUTO_OFFSET_RESET), with 200 records in the log")
		commit(10, 100, 100, 101)
		w.inspect().wantFinding(t, check.Warning, check.Offsets, "in: the commit is beyond the end of partition 3 (at 101, and its log ends at 100); the topic was created anew or cut")
		commit(10, 100, 100, 100)
		var before kadm.Offsets
		before.AddOffset(w.in, 0, 25, -1)
		if _, err := w.admin.DeleteRecords(context.Background(), before); err != nil {
			t.Fatal(err)
		}
		w.inspect().wantFinding(t, check.Warning, check.Offsets, "in: retention has passed the commit of partition 0 (at 10, and its log begins at 25); up to 15 records are gone; the service goes on")
		w.inspect(none).wantFinding(t, check.Error, check.Offsets, "up to 15 records are gone, and KAFKA_AUTO_OFFSET_RESET is none")
	})
}

// TestInspectGroup: members that this process does not go with are found without joining.
func TestInspectGroup(t *testing.T) {
	surroundings(t, noDoor, func(w *world) {
		joined := func(o ...kgo.Opt) (leave func()) {
			c := w.client(append([]kgo.Opt{kgo.ConsumerGroup(w.group)}, o...)...)
			time.Sleep(10 * time.Second)
			return c.Close
		}
		leave := joined(kgo.ConsumeTopics(w.in), kgo.Balancers(kgo.RangeBalancer()))
		w.inspect().wantFinding(t, check.Error, check.Group, "g: its members (1) share partitions by range, and this process offers cooperative-sticky alone: it would not be let in; stop them first")
		leave()
		w.topic("other", 1)
		leave = joined(kgo.ConsumeTopics("other"), kgo.Balancers(kgo.CooperativeStickyBalancer()))
		i := w.inspect()
		i.wantFinding(t, check.Warning, check.Group, "g: a member reads other topics: other; give each installation a KAFKA_GROUP_ID")
		w.inspect(func(c *connector.Config) { c.Kafka.GroupProtocol = "consumer" }).wantFinding(t, check.Warning, check.Group, "g: its members (1) speak the protocol classic")
		leave()
		w.inspect(func(c *connector.Config) { c.Kafka.SessionTimeout = 20 * time.Minute }).wantFinding(t, check.Error, check.Group, "g: KAFKA_SESSION_TIMEOUT is 20m0s, and the brokers take 6s to 5m0s")
		i = w.inspect(func(c *connector.Config) { c.Kafka.Topics, c.Kafka.TopicPattern = nil, "o.*|in" })
		i.wantFinding(t, check.OK, check.Topic, "other: 1 partition, may be read, to stream s")
		i.wantFinding(t, check.OK, check.Topic, "in: 4 partitions")
		w.inspect(func(c *connector.Config) { c.Kafka.Topics, c.Kafka.TopicPattern = nil, "nix.*" }).
			wantFinding(t, check.Warning, check.Topic, "KAFKA_TOPIC_PATTERN matches none of the")
		w.inspect(func(c *connector.Config) {
			c.Kafka.Topics, c.Kafka.TopicPattern, c.Firehose.Stream, c.Firehose.Routes = nil, ".*", "", decodeRoutes(t, "in=s")
		}).wantFinding(t, check.Warning, check.Topic, "other: no stream takes it, so that it is not read; add it to FIREHOSE_ROUTES")
	})
}

// TestInspectBroker: a certificate that ends soon, a login that is refused, and a broker
// that takes the connection and says nothing, which is not waited for longer than a step takes.
func TestInspectBroker(t *testing.T) {
	var authority *kafkatest.Authority
	surroundings(t, func() door {
		authority = mustAuthority(t, "brokers and clients")
		return mutual(t, &locks{}, authority)
	}, func(w *world) {
		w.inspect(files(t, t.TempDir(), authority)).wantFinding(t, check.Warning, check.Broker, "have the certificate renewed")
	})
	surroundings(t, func() door { return locked(kfake.Superuser("PLAIN", "bridge", password)) }, func(w *world) {
		i := w.inspect(loginAs("PLAIN", "bridge", env.NewSecret("x"+password)))
		i.wantFinding(t, check.Error, check.Broker, "localhost:9092: the broker hangs up instead of answering; it may refuse the login: look at KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
		i.wantFinding(t, check.Warning, check.Group, "not looked at, as no broker lets this process in")
		i.wantFinding(t, check.OK, check.Stream, "s: ACTIVE")
	})
	surroundings(t, noDoor, func(w *world) {
		dial := w.dial
		w.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "silent") {
				here, _ := net.Pipe()
				return here, nil
			}
			return dial(ctx, network, addr)
		}
		begin := time.Now()
		i := w.inspect(func(c *connector.Config) { c.Kafka.Brokers = append(c.Kafka.Brokers, "silent:9092") })
		if took := time.Since(begin); took > 8*time.Second {
			t.Errorf("it took %v", took)
		}
		i.wantFinding(t, check.Warning, check.Broker, "silent:9092: no answer in time: ")
		i.wantFinding(t, check.OK, check.Topic, "in: 4 partitions")
	})
}

// decodeRoutes decodes routes or fails the test.
func decodeRoutes(t *testing.T, s string) (routes firehose.Routes) {
	t.Helper()
	if err := routes.Decode(s); err != nil {
		t.Fatal(err)
	}
	return routes
}
