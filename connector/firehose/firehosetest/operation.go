package firehosetest

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// input is a decoded body: of a put, or of a control operation.
type input struct {
	put     putInput
	control controlInput
	err     error // a SerializationException
}

// decode parses the body, and notes its stream and records for the log and the
// faults. Its faults are answered later: the caller's permission is checked first.
func (x *exchange) decode(body []byte) (in input) {
	var name *string
	switch x.log.Operation {
	case opPutRecordBatch, opPutRecord:
		in.put, in.err = decodePut(x.log.Operation, body)
		name = in.put.stream
		x.log.Records = len(in.put.records)
		for _, r := range in.put.records {
			x.log.Bytes += len(r.data)
		}
	case opDescribe, opList:
		in.control, in.err = decodeControl(body)
		name = in.control.stream
	}
	if name != nil {
		x.log.Stream = *name
	}
	if enc := x.r.Header.Get("Content-Encoding"); enc != "" && in.err == nil {
		in.err = fail(codeSerialization, "Content-Encoding %q is not accepted", enc)
	}
	return in
}

// process is the service proper, from the front end to the operation.
func (x *exchange) process(body []byte, in input) answer {
	if err := frontEnd(x.r); err != nil {
		return err.answer()
	}
	if err := x.s.keys.verify(x.r, body, x.s.opt.Region, sigService, time.Now().Add(x.skew)); err != nil {
		return err.answer()
	}
	if in.err != nil {
		return asAPI(in.err).answer()
	}
	switch x.log.Operation {
	case opPutRecordBatch, opPutRecord:
		return x.put(x.log.Operation, in.put, len(body))
	case opDescribe:
		return x.describe(in.control)
	default:
		return x.list(in.control)
	}
}

// frontEnd refuses a request that is no call of a known operation.
func frontEnd(r *http.Request) *apiError {
	unknown := &apiError{code: codeUnknownOperation}
	contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if r.Method != http.MethodPost || r.URL.Path != "/" && r.URL.Path != "" || strings.TrimSpace(contentType) != amzJSON {
		unknown.status = http.StatusNotFound
		return unknown
	}
	op, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if !ok {
		return unknown
	}
	switch op {
	case opPutRecordBatch, opPutRecord, opDescribe, opList:
		return nil
	}
	return unknown
}

// authorize refuses a caller who may not use the stream. An ARN in the place of
// a name ends here too, before validation: no policy names such a resource.
func (s *Service) authorize(op string, name *string) *apiError {
	if name == nil {
		return nil
	}
	s.mu.Lock()
	st := s.streams[*name]
	s.mu.Unlock()
	if !strings.HasPrefix(*name, "arn:") && (st == nil || st.Refusal != codeAccessDenied) {
		return nil
	}
	return s.denied("firehose:"+op, s.arn(*name))
}

// denied is the error of IAM for a caller who may not use a resource.
func (s *Service) denied(action, resource string) *apiError {
	return fail(codeAccessDenied, "User: arn:aws:iam::%s:user/emulated is not authorized to perform: %s on resource: %s"+
		" because no identity-based policy allows the %s action", s.opt.Account, action, resource, action)
}

// arn is a stream's Amazon resource name.
func (s *Service) arn(name string) string {
	return "arn:aws:firehose:" + s.opt.Region + ":" + s.opt.Account + ":deliverystream/" + name
}

// notFound is the error for a stream that is not there.
func (s *Service) notFound(name string) *apiError {
	return fail(codeNotFound, "Firehose %s not found under account %s.", name, s.opt.Account)
}

// checkStream refuses puts to a stream that is not there or takes none.
func (s *Service) checkStream(name string) *apiError {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[name]
	switch {
	case st == nil:
		return s.notFound(name)
	case st.Type != directPut:
		return fail(codeInvalidArgument, "This operation is not permitted on %s delivery stream type.", st.Type)
	case st.Status != "ACTIVE" && st.Status != "DELETING":
		// Not seen in public: a stream that is not there yet is taken for one that
		// is not there. A stream under deletion takes puts, says the service's
		// documentation, but promises nothing about them.
		return s.notFound(name)
	case st.Refusal != "":
		return fail(st.Refusal, "%s", messageOf(st.Refusal))
	}
	return nil
}

// asAPI is err, all of which are made by fail in this package.
func asAPI(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return fail(codeInternal, "%v", err)
}
