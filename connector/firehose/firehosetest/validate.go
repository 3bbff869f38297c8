package firehosetest

import (
	"fmt"
	"strings"
)

// violations are what a request does against the model. The service reports all
// of them at once, in this form:
//
//	2 validation errors detected: Value '' at 'deliveryStreamName' failed to
//	satisfy constraint: …; Value '[]' at 'records' failed to satisfy constraint: …
type violations []string

func (v *violations) add(value, at, constraint string) {
	*v = append(*v, "Value "+value+" at '"+at+"' failed to satisfy constraint: "+constraint)
}

const (
	notNull     = "Member must not be null"
	lengthMax   = "Member must have length less than or equal to %d"
	lengthMin   = "Member must have length greater than or equal to %d"
	valueMax    = "Member must have value less than or equal to %d"
	valueMin    = "Member must have value greater than or equal to %d"
	namePattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
	enumSet     = "Member must satisfy enum value set: [%s]"
)

// err is the ValidationException, nil if nothing was violated.
func (v violations) err() *apiError {
	switch len(v) {
	case 0:
		return nil
	case 1:
		return fail(codeValidation, "%s", "1 validation error detected: "+v[0])
	}
	return fail(codeValidation, "%d validation errors detected: %s", len(v), strings.Join(v, "; "))
}

// name checks a stream's name.
func (v *violations) name(at string, name *string) {
	if name == nil {
		v.add("null", at, notNull)
		return
	}
	quoted := "'" + *name + "'"
	if len(*name) > maxNameLength {
		v.add(quoted, at, fmt.Sprintf(lengthMax, maxNameLength))
	}
	if *name == "" {
		v.add(quoted, at, fmt.Sprintf(lengthMin, 1))
	}
	if !nameCharacters(*name) {
		v.add(quoted, at, namePattern)
	}
}

// data checks one record's data.
func (v *violations) data(at string, r record) {
	if r.null {
		v.add("null", at, notNull)
	} else if len(r.data) > maxRecordBytes {
		v.add("'"+javaBuffer(len(r.data))+"'", at, fmt.Sprintf(lengthMax, maxRecordBytes))
	}
}

// javaBuffer is how the service prints data in a message.
func javaBuffer(n int) string {
	return fmt.Sprintf("java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", n, n)
}

// validatePut checks a put against the model. Records are numbered from 1.
func validatePut(op string, in putInput) *apiError {
	var v violations
	v.name("deliveryStreamName", in.stream)
	switch {
	case op == opPutRecord && in.null:
		v.add("null", "record", notNull)
	case op == opPutRecord:
		v.data("record.data", in.records[0])
	case in.null:
		v.add("null", "records", notNull)
	default:
		v.records(in.records)
	}
	return v.err()
}

func (v *violations) records(records []record) {
	if len(records) > maxRecords {
		v.add("'"+echo(records)+"'", "records", fmt.Sprintf(lengthMax, maxRecords))
	}
	if len(records) == 0 {
		v.add("'[]'", "records", fmt.Sprintf(lengthMin, 1))
	}
	for i, r := range records {
		if r.null || len(r.data) > maxRecordBytes {
			v.data(fmt.Sprintf("records.%d.member.data", i+1), r)
		}
	}
}

// echo prints all records, as the service does when there are too many: tens of
// kilobytes that a client had better not log.
func echo(records []record) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, r := range records {
		if i > 0 {
			b.WriteString(", ")
		}
		if r.null {
			b.WriteString("Record(data=null)")
			continue
		}
		b.WriteString("Record(data=" + javaBuffer(len(r.data)) + ")")
	}
	b.WriteByte(']')
	return b.String()
}
