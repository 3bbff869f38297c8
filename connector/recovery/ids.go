package recovery

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// recordID is the place of a record, as an envelope's id has it.
type recordID struct {
	topic     []byte
	partition int32
	offset    int64
}

// parseID reads the JSON string TOPIC-PARTITION-OFFSET. A topic may contain hyphens and digits, so it is taken apart
// from its end.
func parseID(quoted []byte) (id recordID, ok bool) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return id, false
	}
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		var unquoted string
		if json.Unmarshal(quoted, &unquoted) != nil {
			return id, false
		}
		text = []byte(unquoted)
	}
	second := bytes.LastIndexByte(text, '-')
	if second < 0 {
		return id, false
	}
	first := bytes.LastIndexByte(text[:second], '-')
	if first < 1 {
		return id, false
	}
	partition, ok := parseNumber(text[first+1:second], 31)
	if !ok {
		return id, false
	}
	offset, ok := parseNumber(text[second+1:], 63)
	return recordID{text[:first], int32(partition), offset}, ok
}

// parseNumber reads digits as the envelope writes them: no sign, no zero before others.
func parseNumber(digits []byte, bits int) (n int64, ok bool) {
	if len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	u, err := strconv.ParseUint(string(digits), 10, bits)
	return int64(u), err == nil
}

// parseTimestamp reads a member with RFC 3339 or with milliseconds of Unix time.
func parseTimestamp(value []byte) (t time.Time, ok bool) {
	value = bytes.TrimSpace(value)
	if len(value) > 2 && value[0] == '"' {
		t, err := time.Parse(time.RFC3339, string(value[1:len(value)-1]))
		return t, err == nil
	}
	ms, ok := parseNumber(value, 63)
	return time.UnixMilli(ms), ok
}
