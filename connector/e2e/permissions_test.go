package e2e_test

import (
	"context"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	awsglue "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kafka-firehose/connector"
	"kafka-firehose/connector/awsconfig/iamtest"
	"kafka-firehose/connector/preflight/check"
)

const (
	account   = "123456789012"
	streamARN = "arn:aws:firehose:us-east-1:" + account + ":deliverystream/s"
	keyARN    = "arn:aws:kms:us-east-1:" + account + ":key/stream"
	bucketKey = "arn:aws:kms:us-east-1:" + account + ":key/bucket"
)

// firehose is the way to the emulated Firehose.
func (w *world) firehose() iamtest.HTTPClient {
	if w.guard == nil {
		return w.stream
	}
	return w.guard.Client(w.stream)
}

// policyNames are the values of the placeholders in printed policies.
var policyNames = map[string]string{"REGION": "us-east-1", "ACCOUNT": account, "NAME": "s", "KEY": "stream", "BUCKETKEY": "bucket", "BUCKET": "large", "PREFIX": "claims", "ROLE": "writer", "CLUSTER": "c", "TOPIC": "in", "GROUP": "g", "LETTERS": "dead"}

// printed reads a file of deploy/.
func printed(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// printedPolicy returns the policies of a file: of a JSON file, or of all indented blocks in Markdown that are one.
func printedPolicy(t *testing.T, file string) (all iamtest.Policy) {
	t.Helper()
	blocks := []string{printed(t, file)}
	if strings.HasSuffix(file, ".md") {
		blocks = strings.Split(blocks[0], "\n\n")
	}
	for _, block := range blocks {
		if !strings.Contains(block, `"Effect"`) {
			continue
		}
		p, err := iamtest.Parse(block, policyNames)
		if err != nil {
			t.Fatalf("%s: %v in %s", file, err, block)
		}
		all = append(all, p...)
	}
	if len(all) == 0 {
		t.Fatalf("%s has no policy", file)
	}
	return all
}

// terraformPolicy returns the policy of a Terraform file with all its options.
func terraformPolicy(t *testing.T, file, document string) iamtest.Policy {
	t.Helper()
	p, err := iamtest.ParseTerraform(printed(t, file), document, map[string][]string{
		"aws_kinesis_firehose_delivery_stream.records.arn": {streamARN}, "var.delivery_stream_arns": {streamARN},
		"var.kms_key_arn": {keyARN}, "var.claim_check_arn": {"arn:aws:s3:::large/claims"}, "var.claim_check_kms_key_arn": {bucketKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// actionsOf are the grants of a policy whose actions begin with one of the prefixes.
func actionsOf(p iamtest.Policy, prefixes ...string) iamtest.Policy {
	return slices.DeleteFunc(slices.Clone(p), func(g iamtest.Grant) bool {
		return !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(g.Action, prefix) })
	})
}

// permitted are features that ask something of AWS. Each delivers all its records.
var permitted = map[string]func(w *world) []func(*connector.Config){
	"the service": func(w *world) []func(*connector.Config) {
		w.produce(0, 200)
		return nil
	},
	"a stream with a key": func(w *world) []func(*connector.Config) {
		w.guard.Encrypt(streamARN, keyARN)
		w.produce(0, 200)
		return nil
	},
	"AWS Glue": func(w *world) []func(*connector.Config) {
		w.glueNumbers()
		w.glue = append(w.glue, func(o *awsglue.Options) { o.HTTPClient = w.guard.Client(o.HTTPClient) })
		w.produceWith(0, 200, func(i int) *kgo.Record { return glueNumber(i, byte(1+i%2)) })
		return []func(*connector.Config){glueFormat}
	},
	"the watch of destinations": func(w *world) []func(*connector.Config) {
		w.withBackend()
		w.watched = append(w.watched, func(o *cloudwatch.Options) { o.HTTPClient = w.guard.Client(o.HTTPClient) })
		w.produce(0, 200)
		return []func(*connector.Config){watching(12 * time.Hour)}
	},
	"claim checks": func(w *world) []func(*connector.Config) {
		_, policy := w.claims()
		w.s3 = append(w.s3, func(o *s3.Options) { o.HTTPClient = w.guard.Client(o.HTTPClient) })
		w.produceWith(0, 200, w.sized(25))
		return []func(*connector.Config){policy}
	},
	"claim checks in a bucket with a key": func(w *world) []func(*connector.Config) {
		w.guard.Encrypt("arn:aws:s3:::large", bucketKey)
		_, policy := w.claims()
		w.s3 = append(w.s3, func(o *s3.Options) { o.HTTPClient = w.guard.Client(o.HTTPClient) })
		w.produceWith(0, 200, w.sized(25))
		return []func(*connector.Config){policy}
	},
}

// TestPrintedPolicies: each feature delivers its records, and check finds no fault, with the policy that is printed for it, while
// every other request is refused; and no part of a printed policy is of no use.
func TestPrintedPolicies(t *testing.T) {
	t.Parallel()
	service := printedPolicy(t, "docs/security.md")
	service = actionsOf(service, "firehose:")
	all := []string{"the service", "a stream with a key", "AWS Glue", "the watch of destinations", "claim checks"}
	for name, test := range map[string]struct {
		policy   iamtest.Policy
		features []string
	}{
		"security.md":           {service, all[:1]},
		"security.md and a key": {append(slices.Clone(service), actionsOf(printedPolicy(t, "iam-policy.json"), "kms:")[:2]...), all[1:2]},
		"records.md":            {append(slices.Clone(service), printedPolicy(t, "docs/records.md")...), all[2:3]},
		"destination.md":        {append(slices.Clone(service), printedPolicy(t, "docs/destination.md")...), all[3:4]},
		"claim-checks.md":       {append(slices.Clone(service), printedPolicy(t, "docs/claim-checks.md")...), []string{"claim checks", "claim checks in a bucket with a key"}},
		"iam-policy.json":       {printedPolicy(t, "iam-policy.json"), append(slices.Clone(all), "claim checks in a bucket with a key")},
		"terraform":             {terraformPolicy(t, "terraform/main.tf", "bridge"), append(slices.Clone(all), "claim checks in a bucket with a key")},
		"ecs":                   {terraformPolicy(t, "ecs/main.tf", "task"), all[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var calls []iamtest.Call
			t.Run("features", func(t *testing.T) {
				for _, feature := range test.features {
					t.Run(feature, func(t *testing.T) {
						bubble(t, func(w *world) {
							used := w.deliversWith(test.policy, permitted[feature])
							mu.Lock()
							defer mu.Unlock()
							calls = append(calls, used...)
						})
					})
				}
			})
			if unused := test.policy.Unused(calls); len(unused) > 0 {
				t.Errorf("nothing needs %v", unused)
			}
		})
	}
}

// deliversWith runs check and the service behind a guard with a policy, and returns the calls that they made.
func (w *world) deliversWith(p iamtest.Policy, feature func(*world) []func(*connector.Config)) []iamtest.Call {
	w.guard = iamtest.NewGuard(account, p)
	change := feature(w)
	i := w.inspect(change...)
	if worst := i.WorstSeverity(); worst == check.Error {
		w.t.Errorf("check finds a fault: %+v", i.Findings)
	}
	m := w.start(change...)
	w.untilCommitted(200)
	time.Sleep(3 * time.Minute)
	m.mustStop()
	// check looks at the bucket if it may, and says so if it may not.
	denied := slices.DeleteFunc(w.guard.Denied(), func(c iamtest.Call) bool {
		return c == iamtest.Call{Action: "s3:ListBucket", Resource: "arn:aws:s3:::large"}
	})
	if len(denied) > 0 {
		w.t.Errorf("the policy doesn't allow %v", denied)
	}
	return w.guard.Allowed()
}

// TestPrintedRolePolicy: a process assumes its role, and nothing else, with the statement that is printed for that.
func TestPrintedRolePolicy(t *testing.T) {
	t.Parallel()
	p := actionsOf(printedPolicy(t, "docs/security.md"), "sts:")
	c := newCloud(t, time.Hour)
	g := iamtest.NewGuard(account, p)
	c.door.next = g.Handler(c.door.next)
	service := c.start(c.assumed(externalID)...)
	c.produce(100)
	c.delivered(time.Minute)
	c.drain(service)
	c.wantAll(0)
	if denied := g.Denied(); len(denied) > 0 {
		t.Errorf("the policy doesn't allow %v", denied)
	}
	if unused := p.Unused(g.Allowed()); len(unused) > 0 {
		t.Errorf("nothing needs %v", unused)
	}
}

// kafkaCalls are the actions of Amazon MSK that a request to a broker needs, by its table of actions and the operations of Kafka
// that they stand for. ok is false for a request that is not known.
func kafkaCalls(r kmsg.Request) (calls []iamtest.Call, ok bool) {
	const arn = "arn:aws:kafka:us-east-1:" + account + ":"
	call := func(action, resource string) {
		calls = append(calls, iamtest.Call{Action: "kafka-cluster:" + action, Resource: arn + resource})
	}
	topic := func(action, name string) { call(action, "topic/c/uuid/"+name) }
	group := func(action string) { call(action, "group/c/uuid/g") }
	call("Connect", "cluster/c/uuid")
	switch r := r.(type) {
	case *kmsg.ApiVersionsRequest, *kmsg.GetTelemetrySubscriptionsRequest, *kmsg.PushTelemetryRequest:
	case *kmsg.MetadataRequest:
		for _, t := range r.Topics {
			if t.Topic != nil {
				topic("DescribeTopic", *t.Topic)
			}
		}
	case *kmsg.ListOffsetsRequest, *kmsg.OffsetForLeaderEpochRequest:
		topic("DescribeTopic", "in")
	case *kmsg.FetchRequest:
		topic("ReadData", "in")
	case *kmsg.FindCoordinatorRequest, *kmsg.DescribeGroupsRequest, *kmsg.ConsumerGroupDescribeRequest:
		group("DescribeGroup")
	case *kmsg.OffsetFetchRequest:
		group("DescribeGroup")
		topic("DescribeTopic", "in")
	case *kmsg.JoinGroupRequest, *kmsg.SyncGroupRequest, *kmsg.HeartbeatRequest, *kmsg.LeaveGroupRequest, *kmsg.ConsumerGroupHeartbeatRequest:
		group("AlterGroup")
	case *kmsg.OffsetCommitRequest:
		group("AlterGroup")
		topic("ReadData", "in")
	case *kmsg.InitProducerIDRequest:
		call("WriteDataIdempotently", "cluster/c/uuid")
	case *kmsg.ProduceRequest:
		topic("WriteData", "dead")
	case *kmsg.DescribeConfigsRequest: // it may be refused
	default:
		return calls, false
	}
	return calls, true
}

// TestPrintedKafkaPolicies: the service asks brokers for nothing that the policy for Amazon MSK does not allow, with and without
// dead letters and with both protocols of groups, and no part of the policy is of no use. The embedded broker knows no policies.
func TestPrintedKafkaPolicies(t *testing.T) {
	t.Parallel()
	printed := printedPolicy(t, "docs/kafka-login.md")
	isLetters := func(g iamtest.Grant) bool {
		return strings.HasSuffix(g.Resource, "/dead") || strings.HasSuffix(g.Action, "Idempotently")
	}
	reading := slices.DeleteFunc(slices.Clone(printed), isLetters)
	if len(reading) != 5 || len(printed) != 8 {
		t.Fatalf("the policies have %v", printed)
	}
	for name, test := range map[string]struct {
		policy   iamtest.Policy
		protocol string
		letters  bool
	}{
		"classic": {reading, "classic", false}, "consumer": {reading, "consumer", false}, "dead letters": {printed, "classic", true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				calls := w.overhears()
				change := []func(*connector.Config){func(c *connector.Config) { c.Kafka.GroupProtocol = test.protocol }}
				if test.letters {
					_, policy := w.post(1_048_588)
					change = append(change, policy)
					w.produceWith(200, 208, func(i int) *kgo.Record { return &kgo.Record{Topic: w.in, Partition: int32(i % 4)} })
				}
				w.produce(0, 200)
				m := w.start(change...)
				w.untilCommitted(200 + map[bool]int{true: 8}[test.letters])
				time.Sleep(10 * time.Minute)
				m.mustStop()
				made := calls()
				for _, c := range made {
					if !test.policy.Allows(c) {
						t.Fatalf("the policy doesn't allow %v", c)
					}
				}
				if unused := test.policy.Unused(made); len(unused) > 0 {
					t.Errorf("nothing needs %v", unused)
				}
			})
		})
	}
}

// overhears has the members' connections overheard, and returns what they needed so far.
func (w *world) overhears() (calls func() []iamtest.Call) {
	var mu sync.Mutex
	made := map[iamtest.Call]bool{}
	hear := func(r kmsg.Request) func(kmsg.Response) {
		needs, ok := kafkaCalls(r)
		if !ok {
			w.t.Errorf("the test doesn't know what %s needs", kmsg.NameForKey(r.Key()))
		}
		mu.Lock()
		defer mu.Unlock()
		for _, c := range needs {
			made[c] = true
		}
		return nil
	}
	w.through = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := w.dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return newTap(conn, hear, everyKey()...), nil
	}
	return func() []iamtest.Call {
		mu.Lock()
		defer mu.Unlock()
		return slices.Collect(maps.Keys(made))
	}
}
