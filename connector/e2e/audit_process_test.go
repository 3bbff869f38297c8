package e2e_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"kafka-firehose/connector/firehose/firehosetest"
)

// TestAuditProcess delivers into a directory as the emulator does, with compressed records of many values, and audits it beside
// the running member: all is there, and then not an object that was removed. The group's commits stay as they are.
func TestAuditProcess(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	root := t.TempDir()
	delivered, err := firehosetest.NewDirectory(root, firehosetest.DirectoryOptions{BufferBytes: 2000, GZIP: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(firehosetest.New(firehosetest.Options{
		Streams: []firehosetest.Stream{{Name: "s"}}, Credentials: []firehosetest.Credentials{{AccessKey: accessKey, SecretKey: secretKey}}, OnStored: delivered.Store,
	}))
	t.Cleanup(server.Close)
	env := []string{"AWS_ENDPOINT_URL_FIREHOSE=" + server.URL, "RECORD_FORMAT=json", "RECORD_FIELDS=value,id=where,timestamp_ms=when", "RECORD_AGGREGATE=true", "RECORD_COMPRESSION=gzip"}
	c := h.start(env...)
	const records = 4000
	h.produce(records)
	committed := func() (sum int64) {
		offsets, err := h.admin.FetchOffsets(t.Context(), h.group)
		if err != nil {
			t.Fatal(err)
		}
		offsets.Each(func(o kadm.OffsetResponse) { sum += o.At })
		return sum
	}
	h.delivered(time.Minute)
	if err := delivered.Flush(); err != nil {
		t.Fatal(err)
	}
	audit := func(objects string) (total map[string]int, code int) {
		cmd := exec.Command(h.binary(), "audit", "-from", "1h", "-to", "0s", "-due", "0s", "-objects", objects, "-o", "json")
		cmd.Env = append(h.environ(env...), "HOME=/nonexistent", "TMPDIR=/nonexistent")
		out, err := cmd.Output()
		var report struct{ Total map[string]int }
		if bad := json.Unmarshal(out, &report); bad != nil && cmd.ProcessState.ExitCode() != 2 {
			t.Fatalf("%v, %v: %s", err, bad, out)
		}
		return report.Total, cmd.ProcessState.ExitCode()
	}
	want := map[string]int{"expected": records, "delivered_once": records, "delivered_twice": 0, "copies": 0, "in_error_output": 0, "not_sent": 0, "not_due": 0, "missing": 0, "not_expected": 0, "gaps": 0, "behind_transactions": 0}
	total, code := audit(root)
	if diff := cmp.Diff(want, total); diff != "" || code != 0 {
		t.Errorf("exit code %d %s", code, diff)
	}
	var objects []string
	if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			objects = append(objects, path)
		}
		return err
	}); err != nil || len(objects) < 2 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	if err := os.Remove(objects[0]); err != nil {
		t.Fatal(err)
	}
	if total, code = audit(root); code != 1 || total["missing"] == 0 || total["missing"]+total["delivered_once"] != records {
		t.Errorf("exit code %d, %v", code, total)
	}
	if _, code = audit(filepath.Join(root, fmt.Sprint(time.Now().UnixNano()))); code != 2 {
		t.Errorf("exit code %d for a directory that is not there", code)
	}
	if committed() != records {
		t.Errorf("the group's commits changed to %d", committed())
	}
	h.drain(c)
}
