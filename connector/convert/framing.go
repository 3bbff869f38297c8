package convert

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"
)

// Framing is how keys and values name their schema: a value of SCHEMA_REGISTRY_TYPE.
type Framing string

// The framings. Each is that of the serializers which come with a registry.
const (
	Confluent Framing = "confluent" // 0 and four bytes of id, or a header with a GUID
	Glue      Framing = "glue"      // 3, the compression, 16 bytes of the schema version's UUID
	Apicurio  Framing = "apicurio"  // 0 and eight bytes of id, or headers with that
)

// Framings are all of them, the default first.
var Framings = []string{string(Confluent), string(Glue), string(Apicurio)}

// The first byte of keys and values that name a schema, and the length of what precedes the data.
const (
	magicID   = 0 // an id follows, the highest byte first: four bytes of it, with Apicurio eight
	magicGUID = 1 // sixteen bytes follow
	magicGlue = 3 // the compression and sixteen bytes follow

	confluentLen = 1 + 4
	guidLen      = 1 + 16
	apicurioLen  = 1 + 8
	glueLen      = 1 + 1 + 16
)

// The compressions of AWS Glue's serializers.
const (
	glueNone = 0
	glueZlib = 5
)

// headerNames are the headers in which serializers put the schema instead of before the data, for
// keys or for values.
type headerNames struct {
	schemaID  string // Confluent's: the same bytes that otherwise precede the data
	globalID  string // Apicurio's, with eight bytes
	contentID string // Apicurio's, with eight bytes
	hash      string // Apicurio's, where it was set up to write no id
	artifact  string // Apicurio's, where it was set up to write no id
	encoding  string // Apicurio's, for Avro: BINARY or JSON
	message   string // Apicurio's, the name of the Protobuf message
}

var (
	keyHeaders = headerNames{
		"__key_schema_id", "apicurio.key.globalId", "apicurio.key.contentId", "apicurio.key.contentHash",
		"apicurio.key.artifactId", "apicurio.key.encoding", "apicurio.protobuf.type.key",
	}
	valueHeaders = headerNames{
		"__value_schema_id", "apicurio.value.globalId", "apicurio.value.contentId", "apicurio.value.contentHash",
		"apicurio.value.artifactId", "apicurio.value.encoding", "apicurio.protobuf.type",
	}
)

var (
	errNoMagic    = errors.New("it does not begin as Schema Registry serializers do, with a 0 and the id of a schema")
	errNoGlue     = errors.New("it does not begin as AWS Glue's serializers do, with a 3, the compression and the id of a schema version")
	errNoApicurio = errors.New("it does not begin as Apicurio's serializers do, with a 0 and eight bytes of id, and no header holds an id")

	errHeader = errors.New("the header with the id of its schema holds something else")
	errName   = errors.New("the name of its message is not there, between the id of its schema and its data")
)

// lastHeader returns the value of the last header of that name.
func lastHeader(headers []kgo.RecordHeader, name string) (value []byte, ok bool) {
	for _, h := range slices.Backward(headers) {
		if h.Key == name {
			return h.Value, true
		}
	}
	return nil, false
}

// parseFraming takes data, the key or value of a record with these headers, apart. The caller releases p.
func (d *valueDecoder) parseFraming(p *payload, data []byte, headers []kgo.RecordHeader) error {
	switch d.framing {
	case Glue:
		return d.parseGlue(p, data, headers)
	case Apicurio:
		return d.parseApicurio(p, data, headers)
	case Confluent:
	}
	return d.parseConfluent(p, data, headers)
}

// parseConfluent: a header counts before what data begins with.
func (d *valueDecoder) parseConfluent(p *payload, data []byte, headers []kgo.RecordHeader) (err error) {
	if value, ok := lastHeader(headers, d.headers.schemaID); ok {
		rest, ok := p.readID(value)
		if !ok {
			return errHeader
		}
		p.data = data
		if d.indexed {
			_, err = p.index.parseIndex(rest)
		}
		return err
	}
	rest, ok := p.readID(data)
	if !ok || p.ref == (SchemaRef{}) && len(data) >= apicurioLen { // no registry hands out the id 0
		return d.foreignFraming(data, headers)
	}
	p.data = rest
	if d.indexed {
		p.data, err = p.index.parseIndex(rest)
	}
	return err
}

func (p *payload) readID(b []byte) (rest []byte, ok bool) {
	switch {
	case len(b) >= confluentLen && b[0] == magicID:
		p.ref.ID = uint64(binary.BigEndian.Uint32(b[1:]))
		return b[confluentLen:], true
	case len(b) >= guidLen && b[0] == magicGUID:
		p.ref.GUID = [16]byte(b[1:guidLen])
		return b[guidLen:], p.ref.ByGUID()
	}
	return nil, false
}

// parseGlue reads AWS Glue's header and decompresses the rest, which includes the number of a Protobuf
// message.
func (d *valueDecoder) parseGlue(p *payload, data []byte, headers []kgo.RecordHeader) (err error) {
	if len(data) < glueLen || data[0] != magicGlue {
		return d.foreignFraming(data, headers)
	}
	p.ref.GUID = [16]byte(data[2:glueLen])
	p.data = data[glueLen:]
	switch compression := data[1]; {
	case !p.ref.ByGUID():
		return errors.New("the id of its schema version is all zeros")
	case compression == glueZlib:
		if err := p.inflateValue(d.limit); err != nil {
			return err
		}
	case compression != glueNone:
		return fmt.Errorf("its compression is %d; AWS Glue's serializers write 0 for none and 5 for zlib", compression)
	}
	if d.indexed {
		number, used := binary.Uvarint(p.data)
		if used <= 0 || number > 1<<20 {
			return errIndex
		}
		p.index.sorted, p.index.at[0], p.data = true, int32(number), p.data[used:]
	}
	return nil
}

// parseApicurio: a header counts before what data begins with.
func (d *valueDecoder) parseApicurio(p *payload, data []byte, headers []kgo.RecordHeader) error {
	id, byHeader := lastHeader(headers, d.headers.globalID)
	p.ref.Content = d.content
	if byHeader {
		p.ref.Content = false
	} else if id, byHeader = lastHeader(headers, d.headers.contentID); byHeader {
		p.ref.Content = true
	}
	switch {
	case byHeader && len(id) != 8:
		return errHeader
	case byHeader:
		p.ref.ID, p.data = binary.BigEndian.Uint64(id), data
	case len(data) >= apicurioLen && data[0] == magicID:
		p.ref.ID, p.data = binary.BigEndian.Uint64(data[1:]), data[apicurioLen:]
	default:
		return d.foreignFraming(data, headers)
	}
	if encoding, _ := lastHeader(headers, d.headers.encoding); d.format == formatAvro && string(encoding) == "JSON" {
		return fmt.Errorf("the header %s says that it is Avro's JSON; only BINARY is read", d.headers.encoding)
	}
	if !d.indexed {
		return nil
	}
	name, named := lastHeader(headers, d.headers.message)
	before, rest, ok := cutName(p.data)
	switch {
	case named && ok && string(before) == string(name): // some versions write the name twice
		p.data = rest
	case named:
	case !ok:
		return errName
	default:
		name, p.data = before, rest
	}
	if p.index.name = string(name); p.index.name == "" {
		return errName
	}
	return nil
}

// cutName reads the message that Apicurio's serializers put before one: its length, and the name of
// the type as field 1.
func cutName(b []byte) (name, rest []byte, ok bool) {
	message, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return nil, nil, false
	}
	number, typ, used := protowire.ConsumeTag(message)
	if used < 0 || number != 1 || typ != protowire.BytesType {
		return nil, nil, false
	}
	name, size := protowire.ConsumeBytes(message[used:])
	if size < 0 || used+size != len(message) {
		return nil, nil, false
	}
	return name, b[n:], true
}

// foreignFraming is the error for data that is not in the framing. If it is in another one, the error says
// which setting reads that.
func (d *valueDecoder) foreignFraming(data []byte, headers []kgo.RecordHeader) error {
	err := cmp.Or(map[Framing]error{Glue: errNoGlue, Apicurio: errNoApicurio}[d.framing], errNoMagic)
	if hint := d.framingHint(data, headers); hint != "" {
		return fmt.Errorf("%w%s", err, hint)
	}
	return err
}

// framingHint says which other framing data is in, if it looks like one.
func (d *valueDecoder) framingHint(data []byte, headers []kgo.RecordHeader) string {
	found := d.sniffFraming(data, headers)
	whose, known := map[Framing]string{Confluent: "Confluent's", Glue: "AWS Glue's", Apicurio: "Apicurio's"}[found]
	switch {
	case !known:
		return ""
	case found != d.framing:
		return fmt.Sprintf(": it looks as if %s serializers wrote it, which SCHEMA_REGISTRY_TYPE=%s reads", whose, found)
	case found == Apicurio:
		return fmt.Sprintf(": its headers name the schema without an id; want %s or %s", d.headers.globalID, d.headers.contentID)
	}
	return ""
}

// sniffFraming returns the framing that data with these headers has the marks of, empty for none.
func (d *valueDecoder) sniffFraming(data []byte, headers []kgo.RecordHeader) Framing {
	has := func(names ...string) bool {
		return slices.ContainsFunc(headers, func(h kgo.RecordHeader) bool { return slices.Contains(names, h.Key) })
	}
	switch {
	case len(data) >= glueLen && data[0] == magicGlue && (data[1] == glueNone || data[1] == glueZlib):
		return Glue
	case has(d.headers.globalID, d.headers.contentID, d.headers.hash, d.headers.artifact):
		return Apicurio
	case has(d.headers.schemaID):
		return Confluent
	case len(data) >= apicurioLen && data[0] == magicID && binary.BigEndian.Uint32(data[1:]) == 0:
		return Apicurio
	case len(data) >= confluentLen && data[0] == magicID:
		return Confluent
	}
	return ""
}
