package unwrap

import (
	"strconv"
	"unicode/utf8"

	"kafka-firehose/connector/convert/jsontext"
)

// The members in front of the columns of a row. A row with a column of one of these names is an error.
const (
	operationName = "__op"     // insert, update or delete, as Firehose's Iceberg destinations take it
	offsetName    = "__offset" // of the record in its partition: the order of the changes of a key
	timeName      = "__ts_ms"  // of the change in the database, null if the event doesn't have it
	sourceName    = "__source" // the event's source as it is, null if the event doesn't have it
)

// AppendRow appends the row of a change event of Debezium, with members that tell the change in front of its columns:
//
//	{"__op":"update","__offset":42,"__ts_ms":1767225600123,"__source":{...},"id":7,"name":"Ann"}
//
// The event may be the payload in an envelope of Kafka Connect. The value has to be valid, trimmed JSON without blanks, and so is the
// row. Only the members in front are new, all other bytes are copied. The error is ErrNull for a payload that is null; no error
// repeats the value.
func AppendRow(dst, value []byte, offset int64) ([]byte, error) {
	e, err := readEvent(value)
	if err != nil {
		return dst, err
	}
	operation, row, err := e.change()
	if err != nil {
		return dst, err
	}
	if row, err = objectOf(row); err != nil {
		return dst, err
	}
	if err := checkColumns(row); err != nil {
		return dst, err
	}
	dst = append(append(dst, `{"`+operationName+`":"`...), operation...)
	dst = strconv.AppendInt(append(dst, `","`+offsetName+`":`...), offset, 10)
	dst = appendOrNull(append(dst, `,"`+timeName+`":`...), e.time())
	dst = appendOrNull(append(dst, `,"`+sourceName+`":`...), e.source)
	if len(row) > len(`{}`) {
		dst = append(dst, ',')
	}
	return append(dst, row[1:]...), nil
}

// event has the members of a change event, nil those that are absent. If a name comes twice, the last one counts.
type event struct{ op, before, after, source []byte }

// readEvent finds the members of a change event, or of the one in an envelope of Kafka Connect.
func readEvent(value []byte) (e event, err error) {
	switch {
	case isNull(value):
		return e, ErrNull
	case !isObject(value):
		return e, errorf("the value is no object")
	}
	if e = findMembers(value); e.op == nil {
		outer := readEnvelope(value)
		switch {
		case outer.schema == nil || outer.payload == nil:
			return e, errorf("it has no member op, nor schema and payload")
		case isNull(outer.payload):
			return e, ErrNull
		case !isObject(outer.payload):
			return e, errorf("its payload is no object")
		}
		if e = findMembers(outer.payload); e.op == nil {
			return e, errorf("its payload has no member op")
		}
	}
	if !isNull(e.source) && !isObject(e.source) {
		return e, errorf("its source is no object")
	}
	return e, nil
}

func findMembers(object []byte) (e event) {
	for quoted, value := range jsontext.ObjectMembers(object) {
		switch string(nameOf(quoted)) {
		case "op":
			e.op = value
		case "before":
			e.before = value
		case "after":
			e.after = value
		case "source":
			e.source = value
		}
	}
	return e
}

// change returns the operation in Firehose's words, and the row that it is for.
func (e event) change() (operation string, row []byte, err error) {
	if e.op[0] != '"' {
		return "", nil, errorf("its op is no string")
	}
	switch string(nameOf(e.op)) {
	case "c", "r": // created, or read by a snapshot
		operation, row = "insert", e.after
	case "u":
		operation, row = "update", e.after
	case "d":
		if isNull(e.before) {
			return "", nil, errorf("a delete without before doesn't say which row; have the database log the keys of deleted rows")
		}
		return "delete", e.before, nil
	case "t":
		return "", nil, errorf("its op is t: the table was truncated, which Firehose has no operation for")
	case "m":
		return "", nil, errorf("its op is m: a message, which has no row")
	default:
		return "", nil, errorf("its op is none of c, r, u and d")
	}
	if isNull(row) {
		return "", nil, errorf("an %s without after has no row; have the connector send whole rows", operation)
	}
	return operation, row, nil
}

// objectOf returns a row as an object. MongoDB's connector writes documents as strings that hold JSON.
func objectOf(row []byte) ([]byte, error) {
	if isObject(row) {
		return row, nil
	}
	if row[0] != '"' {
		return nil, errorf("its row is neither an object nor a string with one")
	}
	text := jsontext.UnquoteText(row)
	blanks, ok := jsontext.ScanDocument(text)
	if !ok || !utf8.Valid(text) {
		return nil, errorf("its row is a string without JSON, or nested too deep")
	}
	if text = jsontext.TrimSpace(text); !isObject(text) {
		return nil, errorf("its row is a string with JSON that is no object")
	}
	if blanks > 0 {
		text = jsontext.AppendCompact(nil, text)
	}
	return text, nil
}

// checkColumns refuses a row with a column that has the name of a member in front of the columns: readers would take one of the two,
// and which one depends on the reader.
func checkColumns(row []byte) error {
	for quoted := range jsontext.ObjectMembers(row) {
		switch name := nameOf(quoted); string(name) {
		case operationName, offsetName, timeName, sourceName:
			return errorf("its row has a column %s, which is the name of a member that is added", name)
		}
	}
	return nil
}

// time returns the source's time as a number, nil without one. Protobuf's canonical JSON has it as a string with another name.
func (e event) time() (found []byte) {
	if isNull(e.source) {
		return nil
	}
	for quoted, value := range jsontext.ObjectMembers(e.source) {
		if name := string(nameOf(quoted)); name == "ts_ms" || name == "tsMs" {
			found = digitsOf(value)
		}
	}
	return found
}

// digitsOf returns a whole number, also one in a string, and nil for anything else.
func digitsOf(value []byte) []byte {
	digits := value
	if value[0] == '"' {
		digits = value[1 : len(value)-1]
	}
	if len(digits) == 0 || len(digits) > 1 && digits[0] == '0' {
		return nil
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return nil
		}
	}
	return digits
}

// appendOrNull appends a member, null for one that is absent.
func appendOrNull(dst, json []byte) []byte {
	if isNull(json) {
		return append(dst, "null"...)
	}
	return append(dst, json...)
}
