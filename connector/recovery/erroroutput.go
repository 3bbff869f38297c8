package recovery

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"kafka-firehose/connector/awsconfig"
)

// errorDocument is a record that Firehose could not deliver, as its error output has it; one JSON object a line.
// https://docs.aws.amazon.com/firehose/latest/dev/retry.html
type errorDocument struct {
	RawData      *string `json:"rawData"` // base64 of the record, with all its values if it is an aggregated one
	ErrorCode    any     `json:"errorCode"`
	ErrorMessage any     `json:"errorMessage"`
	// After a failed format conversion they have these names, or begin with a capital, which encoding/json takes, too:
	// https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
	LastErrorCode    any `json:"lastErrorCode"`
	LastErrorMessage any `json:"lastErrorMessage"`
}

// maxErrorDocument bounds one such object, in bytes: base64 of 1,000 KiB and the rest.
const maxErrorDocument = 4 << 20

// maxMessage is how much of a message is shown, in bytes.
const maxMessage = 200

// readErrors reads the stream's error output.
func (a *auditor) readErrors(ctx context.Context) error {
	if a.errors == nil {
		return nil
	}
	var found int64
	list := func(visit func(Object) error) error {
		return a.errors.List(ctx, a.objectWindow(), func(o Object) error {
			found++
			return visit(o)
		})
	}
	if err := a.readEach(ctx, a.errors, list, a.readErrorObject); err != nil {
		return fmt.Errorf("-errors: %w", err)
	}
	if found == 0 {
		// That is how it should be, or it is the wrong prefix. Only a reader can know.
		a.mu.Lock()
		defer a.mu.Unlock()
		a.notes = append(a.notes, fmt.Sprintf("%s has no object: nothing was refused, or it is not the prefix of the error output", a.errors))
	}
	return nil
}

// readErrorObject notes the ids of the records in an object of the error output.
func (a *auditor) readErrorObject(_ string, content io.Reader) error {
	in := &limitedReader{r: content}
	documents := json.NewDecoder(in)
	for {
		in.limit = documents.InputOffset() + maxErrorDocument
		var d errorDocument
		switch err := documents.Decode(&d); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("it is no error output of Firehose: %w", err)
		}
		if d.RawData == nil {
			a.counts.errorsOther.Add(1)
			continue
		}
		a.counts.errorDocuments.Add(1)
		if err := a.noteError(d); err != nil {
			return fmt.Errorf("rawData at byte %d: %w", documents.InputOffset(), err)
		}
	}
}

func (a *auditor) noteError(d errorDocument) error {
	code := cmp.Or(briefText(d.ErrorCode), briefText(d.LastErrorCode), "(none)")
	ids := 0
	s := &documentScanner{id: a.id, visit: func(found document) error {
		if id, ok := parseID(found.id); ok {
			ids++
			if p := a.partitionOf(id); p != nil {
				p.addRefused(id.offset, code)
			}
		}
		return nil
	}}
	content, err := contentOf(base64.NewDecoder(base64.StdEncoding, strings.NewReader(*d.RawData)))
	if err != nil {
		return err
	}
	if err := s.readAll(content, make([]byte, readBuffer)); err != nil {
		return err
	}
	if ids == 0 {
		a.counts.errorsOther.Add(1)
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.messages[code]; !known && len(a.messages) < maxCodes {
		a.messages[code] = cmp.Or(briefText(d.ErrorMessage), briefText(d.LastErrorMessage))
	}
	return nil
}

// briefText is a text of Firehose's fit for one line.
func briefText(text any) string {
	if text == nil {
		return ""
	}
	line := awsconfig.CleanMessage(fmt.Sprint(text))
	if len(line) > maxMessage {
		line = strings.ToValidUTF8(line[:maxMessage], "") + "..."
	}
	return line
}

// limitedReader ends a reader at a limit, with an error.
type limitedReader struct {
	r         io.Reader
	at, limit int64
}

var errErrorDocument = fmt.Errorf("a document has more than %d bytes", maxErrorDocument)

// Read implements io.Reader.
func (b *limitedReader) Read(p []byte) (int, error) {
	if b.at >= b.limit {
		return 0, errErrorDocument
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.limit-b.at)])
	b.at += int64(n)
	return n, err
}
