package deploy_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kafka-firehose/connector/kafka/kafkatest"
)

// TestApacheCommands runs each command of Kafka's own tools that the documents have, as it stands there, on a listener that asks
// for a login, with the client.properties of kafka-login.md.
func TestApacheCommands(t *testing.T) {
	t.Parallel()
	kafkatest.Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	data := t.TempDir()
	c, err := kafkatest.Start(ctx, kafkatest.Options{
		Brokers: 1, Dir: data,
		Listeners: []kafkatest.Listener{{Name: "LOGIN", Protocol: "SASL_PLAINTEXT", Properties: map[string]string{"sasl.enabled.mechanisms": "SCRAM-SHA-512", "scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;"}}},
		Scram:     []kafkatest.ScramUser{{Name: "operator", Password: "operator-secret", Mechanism: "SCRAM-SHA-512"}},
		Properties: map[string]string{
			"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS;User:operator",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dir := t.TempDir()
	if err := c.WriteTools(dir); err != nil {
		t.Fatal(err)
	}
	_, properties, _ := strings.Cut(read(t, "docs/kafka-login.md"), "    security.protocol=SASL_SSL\n")
	properties, _, _ = strings.Cut(properties, "    ssl.") // this listener has no TLS
	properties = strings.NewReplacer("    ", "", "USER", "operator", "PASSWORD", "operator-secret").Replace(properties)
	write(t, filepath.Join(dir, "client.properties"), "security.protocol=SASL_PLAINTEXT\n"+properties)
	offset := fillKafka(ctx, t, c.Addr(0, "LOGIN"))
	segment, err := filepath.Glob(filepath.Join(data, "*", "data", "orders-0", "*.log"))
	if err != nil || len(segment) != 1 {
		t.Fatalf("found the segments %q (%v)", segment, err)
	}
	fill := strings.NewReplacer("HOST:9092", c.Addr(0, "LOGIN"), "KAFKA_GROUP_ID", "orders-to-firehose", "GROUP", "orders-to-firehose", "NAME", "n",
		"SEGMENT", segment[0], "TOPIC", "orders", "PARTITION", "0", "OFFSET", fmt.Sprint(offset), "DEAD", "dead", "BROKER", "1")
	for _, command := range registeredFor(t) {
		cmd := exec.CommandContext(ctx, "sh", "-euc", fill.Replace(command))
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), wantOfTool(command)) || strings.Contains(string(out), "deprecated") {
			t.Errorf("%s\n%v, want %q\n%s", cmd.Args[2], err, wantOfTool(command), out)
		}
	}
	wantNoTransaction(ctx, t, c.Addr(0, "LOGIN"))
}

// wantOfTool returns a part of the output of a command that has done its work.
func wantOfTool(command string) string {
	for _, row := range [][2]string{
		{"kafka-acls.sh", "Adding ACLs"},
		{"kafka-configs.sh", "max.message.bytes="},
		{"kafka-dump-log.sh", "lastOffset"},
		{"consumer.sh(.*)--topic DEAD", "letter"},
		{"consumer.sh(.*)--topic TOPIC", "open"},
		{"groups.sh(.*)--delete", "was successful"},
		{"groups.sh(.*)--reset-offsets", "NEW-OFFSET"},
		{"groups.sh(.*)--describe", "orders-to-firehose"},
		{"topics.sh(.*)--topic", "Leader: 1"},
		{"describe-producers", "CurrentTransactionStartOffset"},
	} {
		if regexp.MustCompile(row[0]).MatchString(command) {
			return row[1]
		}
	}
	return ""
}

func login(addr string) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(addr), kgo.SASL(scram.Auth{User: "operator", Pass: "operator-secret"}.AsSha512Mechanism())}
}

// openAdmin returns a client that is logged in, until the end of the test.
func openAdmin(t *testing.T, addr string) (*kgo.Client, *kadm.Client) {
	t.Helper()
	client, err := kgo.NewClient(login(addr)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client, kadm.NewClient(client)
}

// fillKafka makes the things that the commands look at: a topic with an open transaction, ten dead letters, the group of the service and
// that of a replay. It returns the offset at which the transaction begins.
func fillKafka(ctx context.Context, t *testing.T, addr string) (offset int64) {
	t.Helper()
	client, admin := openAdmin(t, addr)
	if _, err := admin.CreateTopics(ctx, 1, 1, nil, "orders", "dead"); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "dead", Key: []byte("k"), Value: []byte("letter")}, &kgo.Record{Topic: "orders", Value: []byte("order")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, group := range []string{"orders-to-firehose", "orders-to-firehose.replay.n"} {
		var offsets kadm.Offsets
		offsets.AddOffset("orders", 0, 1, -1)
		if err := admin.CommitAllOffsets(ctx, group, offsets); err != nil {
			t.Fatal(err)
		}
	}
	hangs, err := kgo.NewClient(append(login(addr), kgo.TransactionalID("hangs"), kgo.TransactionTimeout(10*time.Minute))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hangs.Close)
	if err := hangs.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	record := &kgo.Record{Topic: "orders", Value: []byte("open")}
	if err := hangs.ProduceSync(ctx, record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return record.Offset
}

// wantNoTransaction fails unless the open transaction was aborted: readers of committed records get to the end of the log.
func wantNoTransaction(ctx context.Context, t *testing.T, addr string) {
	t.Helper()
	_, admin := openAdmin(t, addr)
	ends, err := admin.ListEndOffsets(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	stable, err := admin.ListCommittedOffsets(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup("orders", 0)
	last, _ := stable.Lookup("orders", 0)
	if end.Offset != last.Offset || end.Offset < 11 {
		t.Errorf("the log ends at %d, and what is committed at %d: the transaction was not aborted", end.Offset, last.Offset)
	}
}
