package firehosetest

import (
	"net/http"
	"strconv"
	"time"
)

// ending is how an exchange ends for the client.
type ending int

const (
	whole   ending = iota // the answer, all of it
	cut                   // the answer's header and some of its body
	reset                 // the connection is reset
	closed                // the connection is closed, with no answer
	refused               // there was no connection
	left                  // the client has gone already
)

// answer is what leaves the service. The zero value is a 200 without a body.
type answer struct {
	status      int // 0 is 200
	code        string
	contentType string
	body        []byte
	close       bool // announce that the connection will be closed
	requestID   string
	date        time.Time

	ending ending
	unread bool          // the request's body was not read
	keep   int           // for cut: bytes of the body that leave
	slow   time.Duration // the body takes this long
	err    error         // for left: what the request's body gave
}

// header is the answer's header, the same for Do and ServeHTTP.
func (a answer) header() http.Header {
	h := http.Header{}
	h.Set("X-Amzn-Requestid", a.requestID)
	h.Set("X-Amz-Id-2", extendedID(a.requestID))
	h.Set("Date", a.date.UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	if a.close {
		h.Set("Connection", "close")
	}
	return h
}

// extendedID has the looks of an x-amz-id-2: it means something only inside AWS.
func extendedID(requestID string) string {
	return strictBase64.EncodeToString([]byte(requestID + requestID))[:76]
}

// skips reports that the request need not be processed: its records are not
// stored, and its answer does not tell.
func (f *armed) skips() bool {
	switch f.Effect {
	case RefuseRequest, Reset, Close, Hang, Outage:
		return !f.Stored
	}
	return false
}

// replace turns the answer that was due into the fault's.
func (f *armed) replace(a answer) answer {
	a.unread = f.unread()
	switch f.Effect {
	case RefuseRequest:
		b := f.refusal()
		b.unread = a.unread
		return b
	case Reset, Hang: // a Hang that is over resets
		a.ending = reset
	case Close:
		a.ending = closed
	case Outage:
		a.ending = refused
	case EmptyObject:
		a.body = []byte("{}")
	case EmptyBody:
		a.body = nil
	case CutBody:
		a.ending, a.keep = cut, len(a.body)/2
		if f.Bytes > 0 {
			a.keep = min(f.Bytes, len(a.body)-1)
		}
	}
	return a
}

// refusal is the answer of a RefuseRequest.
func (f *armed) refusal() answer {
	e := &apiError{code: f.Code, message: f.Message, status: f.Status}
	if e.code == "" {
		e.code = codeUnavailable
	}
	if e.message == "" {
		e.message = messageOf(e.code)
	}
	a := e.answer()
	switch f.Body {
	case "html":
		title := strconv.Itoa(a.status) + " " + http.StatusText(a.status)
		a.contentType, a.close = "text/html", true
		a.body = []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n")
	case "empty":
		a.contentType, a.body, a.close = "", nil, true
	}
	return a
}
