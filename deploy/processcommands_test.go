package deploy_test

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"kafka-firehose/connector/childtest"
	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/longtest"
)

// documentsWorld is what the commands of the documents need around them: a Kafka, a Firehose that delivers into a directory, a
// registry of schemas, the binaries in the PATH, and a directory to run them in.
type documentsWorld struct {
	t            *testing.T
	dir, objects string
	env          []string
	fill         *strings.Replacer // fills in the placeholders of a document
	admin        *kadm.Client
	producer     *kgo.Client
	httpAddr     string
}

func newDocumentsWorld(t *testing.T) *documentsWorld {
	t.Helper()
	w := &documentsWorld{t: t, dir: t.TempDir(), objects: filepath.Join(t.TempDir(), "objects"), httpAddr: freeAddr(t)}
	kafka := kfake.MustCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "orders", "dead"), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	t.Cleanup(kafka.Close)
	delivered, err := firehosetest.NewDirectory(w.objects, firehosetest.DirectoryOptions{BufferBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	firehose := httptest.NewServer(firehosetest.New(firehosetest.Options{Streams: []firehosetest.Stream{{Name: "orders"}, {Name: "orders-v2"}}, OnStored: delivered.Store}))
	t.Cleanup(firehose.Close)
	schemas := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/schemas/types":
			_, _ = rw.Write([]byte(`["JSON","PROTOBUF","AVRO"]`))
		case "/schemas/ids/1":
			_, _ = rw.Write([]byte(`{"schema":"\"string\""}`))
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(schemas.Close)
	if w.producer, err = kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.producer.Close)
	w.admin = kadm.NewClient(w.producer)
	errors, today := t.TempDir(), time.Now().UTC().Truncate(24*time.Hour)
	day := func(n int) string { return today.AddDate(0, 0, n).Format(time.DateOnly) }
	w.fill = strings.NewReplacer("2026-01-31", day(-1), "2026-02-01", day(0), "s3://BUCKET/PREFIX", w.objects, "s3://BUCKET/ERRORS", errors,
		"kafka-0:9092", kafka.ListenAddrs()[0], "-p 3 -o 42", "-p 3 -o 0", "localhost:9092", kafka.ListenAddrs()[0], "eu-west-1", "us-east-1", "URL/schemas", schemas.URL+"/schemas", "/ids/ID", "/ids/1", "-offsets FILE", "-offsets missing.json", "-record FILE", "-record value", "./kafka-firehose", "kafka-firehose")
	w.env = append(os.Environ(), "PATH="+buildPrograms(t)+string(filepath.ListSeparator)+os.Getenv("PATH"),
		"KAFKA_BROKERS="+kafka.ListenAddrs()[0], "KAFKA_TOPICS=orders", "KAFKA_GROUP_ID=orders-to-firehose", "KAFKA_COMMIT_INTERVAL=100ms", "FIREHOSE_BATCH_LINGER=50ms",
		"FIREHOSE_STREAM=orders", "RECORD_FORMAT=json", "BAD_RECORD_POLICY=dead-letter", "DEAD_LETTER_TOPIC=dead", "HTTP_ADDR="+w.httpAddr,
		"AWS_REGION=us-east-1", "AWS_ENDPOINT_URL_FIREHOSE="+firehose.URL, "AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID=k", "AWS_SECRET_ACCESS_KEY=s")
	return w
}

// buildPrograms builds the programs that the documents start, and returns their directory.
func buildPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"kafka-firehose", "firehose-emulator"} {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", dir, "../cmd/"+name).CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
	}
	return dir
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// shell returns the lines of a document as a shell runs them in the world's directory, in a process group of their own.
func (w *documentsWorld) shell(lines ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.t.Context(), "sh", "-uc", w.fill.Replace(strings.Join(lines, "\n")))
	cmd.Dir, cmd.Env = w.dir, w.env
	return cmd
}

// produce writes records of yesterday's morning, the hour that replay.md sends again.
func (w *documentsWorld) produce(n int) {
	w.t.Helper()
	at := time.Now().UTC().Truncate(24 * time.Hour).Add(-24*time.Hour + 10*time.Hour + 30*time.Minute)
	for i := range n {
		if err := w.producer.ProduceSync(context.Background(), &kgo.Record{Topic: "orders", Partition: int32(i % 4), Value: []byte(`{"total":12.5}`), Timestamp: at}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// serve starts a command of a document that runs until it is told to stop, and returns how to stop it.
func (w *documentsWorld) serve(command string) (stop func()) {
	w.t.Helper()
	p := run(w.t, w.shell("exec env "+command))
	return func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		if err := p.cmd.Wait(); err != nil {
			w.t.Errorf("%s: %v\n%s", command, err, p.log.String())
		}
	}
}

// committed waits until the group has committed n records.
func (w *documentsWorld) committed(n int64) {
	w.t.Helper()
	waitFor(w.t, time.Minute, "the records are committed", func() bool {
		offsets, err := w.admin.FetchOffsets(w.t.Context(), "orders-to-firehose")
		sum := int64(0)
		offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
		return err == nil && sum == n
	})
}

// removeObject removes a delivered object, as a careless hand does.
func (w *documentsWorld) removeObject() {
	w.t.Helper()
	found := ""
	_ = filepath.WalkDir(w.objects, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = path
		}
		return err
	})
	if err := os.Remove(found); err != nil {
		w.t.Fatal(err)
	}
}

// TestProcessCommands runs the commands of the documents that start a program of this project, in the order in which
// one would meet them: check, run, look, audit, replay, redrive.
func TestProcessCommands(t *testing.T) {
	t.Parallel()
	longtest.Require(t)
	w := newDocumentsWorld(t)
	commands := registeredFor(t)
	ran := map[string]bool{}
	// command finds the only registered command with that beginning that has not run.
	command := func(beginning string) string {
		t.Helper()
		for _, c := range commands {
			if !ran[c] && strings.HasPrefix(c, beginning) {
				ran[c] = true
				return c
			}
		}
		t.Fatalf("commands.txt has no further command that begins with %s", beginning)
		return ""
	}
	// expect runs commands as one script, which has to print all texts.
	expect := func(code int, texts string, lines ...string) {
		t.Helper()
		cmd := w.shell(lines...)
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("%s\nexit code %d (%v), want %d\n%s", cmd.Args[2], got, err, code, out)
		}
		for text := range strings.SplitSeq(texts, "|") {
			if !bytes.Contains(out, []byte(text)) {
				t.Errorf("%s\nprints no %q:\n%s", cmd.Args[2], text, out)
			}
		}
	}
	const records = 40
	w.produce(records)
	expect(0, "kafka-firehose", command("kafka-firehose version"))
	lookTool(t, "kcat")
	read := command("kcat ")
	expect(0, `{"total":12.5}`, read, command("kafka-firehose check -record value "))
	expect(0, `"orders-0-0"`, command("kafka-firehose check -record FILE"))
	expect(0, "topic orders", command("kafka-firehose check"))
	expect(0, "AVRO", command("curl -sS URL/schemas/types"))
	expect(0, "string", command("curl -sS URL/schemas/ids/ID"))
	expect(0, "-buffer-interval", command("firehose-emulator -h"))

	stop := w.serve(command("KAFKA_BROKERS=localhost:9092"))
	w.committed(records)
	expect(0, "", command("kafka-firehose healthcheck"))
	expect(0, "orders", command("kafka-firehose top"))
	stop()

	audit := func() string {
		return command("kafka-firehose audit -from 2026-01-31 -to 2026-02-01 -objects s3://BUCKET/PREFIX")
	}
	expect(0, "complete", audit())
	w.removeObject()
	again := audit()
	expect(0, "missing|complete", again, command("kafka-firehose replay -offsets missing.json"), audit())
	expect(0, "complete", command("kafka-firehose replay -offsets FILE")) // as replay.md's progress has it: nothing is sent again
	dry := "kafka-firehose replay -from 2026-01-31T10:00:00Z -to 2026-01-31T11:00:00Z -dry-run"
	ran[dry] = slices.Contains(commands, dry)
	expect(0, "40 records", dry)
	expect(0, "40 records sent|complete", command("kafka-firehose replay -from 2026-01-31T10:00:00Z -to 2026-01-31T11:00:00Z"))
	expect(0, "40 records sent|complete", command("kafka-firehose replay -from 2026-01-31T00:02:00Z")) // the form of the line about dropped records
	expect(0, "stream orders-v2", command("FIREHOSE_STREAM=orders-v2 kafka-firehose check"))
	expect(0, "40 records sent|complete", command("kafka-firehose replay -from 2026-01-31T10:00:00Z -to 2026-01-31T11:00:00Z -stream orders-v2"))
	dry = "kafka-firehose redrive -dry-run"
	ran[dry] = slices.Contains(commands, dry)
	expect(0, "", dry)
	expect(0, "complete", command("kafka-firehose redrive"))

	emulator := command("firehose-emulator -stream orders")
	p := run(t, w.shell("exec "+emulator+" -listen "+freeAddr(t))) // its usual port may be somebody's
	waitFor(t, time.Minute, "the emulator listens", func() bool { return strings.Contains(p.log.String(), "listening on") })
	for _, c := range commands {
		if !ran[c] {
			t.Errorf("this test does not run %s", c)
		}
	}
}

// TestTryAudit runs the script of audit.md, with ports that are free.
func TestTryAudit(t *testing.T) {
	t.Parallel()
	longtest.Require(t)
	dir := t.TempDir()
	for _, name := range []string{"cmd", "connector", "metrics", "go.mod", "go.sum"} {
		source, err := filepath.Abs(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(source, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	fill := strings.NewReplacer("127.0.0.1:9092", freeAddr(t), "127.0.0.1:4574", freeAddr(t), "127.0.0.1:8081", freeAddr(t))
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", fill.Replace(strings.Join(registeredFor(t), "\n")))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-buildvcs=false")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file // a file, as Wait would wait for the background's end of a pipe
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }()
	err = cmd.Wait()
	if out := read(t, file.Name()); err != nil || !strings.Contains(out, "\ncomplete: ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestGoCommands runs the Go commands of the documents; benchmarks take one turn each.
func TestGoCommands(t *testing.T) {
	t.Parallel()
	longtest.Require(t)
	for _, command := range registeredFor(t) {
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", command)
		cmd.Dir, cmd.Env = "..", os.Environ()
		switch {
		case strings.HasPrefix(command, "go build"):
			cmd.Args[2] = strings.Replace(command, "build ", "build -o "+t.TempDir()+" ", 1) // not into the tree
		case strings.HasPrefix(command, "go test"):
			cmd.Env = append(cmd.Env, "GOFLAGS=-benchtime=1x")
		}
		childtest.DieWithParent(cmd)
		begin := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil || strings.HasPrefix(command, "go test") && !bytes.Contains(out, []byte("ns/op")) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		t.Logf("%v: %s", time.Since(begin).Round(time.Second), command)
	}
}
