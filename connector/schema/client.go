package schema

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/logging"
	"kafka-firehose/connector/origin"
)

const (
	// requestTimeout is for one request, its answer included.
	requestTimeout = 10 * time.Second
	// fetchTimeout is for a schema with all that it refers to.
	fetchTimeout = 2 * time.Minute
	// mostAnswer is far above any schema. What is larger comes from something else.
	mostAnswer = 8 << 20
	// maxHeader is the most bytes of an answer's header.
	maxHeader = 64 << 10
)

// client asks one registry, at any of its addresses.
type client struct {
	nodes []node
	good  atomic.Int32 // the one that has answered last
}

// node is the registry at one address.
type node struct {
	url string
	sr  *sr.Client
}

// newClient connects to nothing yet. Transport replaces the network, in tests.
func newClient(cfg Config, log *slog.Logger, transport http.RoundTripper) (*client, error) {
	if transport == nil {
		n, err := newNetwork(cfg, log)
		if err != nil {
			return nil, err
		}
		transport = n
	}
	c := &client{}
	for _, address := range cfg.URLs {
		n, err := sr.NewClient(
			sr.URLs(address),
			sr.UserAgent("kafka-firehose"),
			sr.HTTPClient(&http.Client{Timeout: requestTimeout, Transport: short{transport}, CheckRedirect: origin.Stay}),
			sr.PreReq(cfg.authorize),
		)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, node{address, n})
	}
	return c, nil
}

// authorize logs a request in.
func (c Config) authorize(r *http.Request) error {
	switch {
	case c.Token.IsSet():
		token, err := c.Token.Read()
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	case c.Username != "":
		password, err := c.Password.Read()
		if err != nil {
			return err
		}
		r.SetBasicAuth(c.Username, password)
	}
	return nil
}

// short ends answers that are too long to be a schema.
type short struct{ next http.RoundTripper }

func (s short) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err == nil {
		resp.Body = &limited{ReadCloser: resp.Body, left: mostAnswer}
	}
	return resp, err
}

type limited struct {
	io.ReadCloser
	left int
}

var errLongAnswer = fmt.Errorf("the answer has more than %s, which no schema has", env.Bytes(mostAnswer))

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= n; l.left < 0 {
		return n, errLongAnswer
	}
	return n, err
}

// fetch returns a schema with all that it refers to, from the first address that has it. It
// is absent, an *unusable, only if every address says so, and each is confirmed to be the
// registry: one that is down, or lags, may be the one that has it. The library asks the next
// address only where it gets no answer at all; one that answers 503, or a proxy in front of
// it that does, is no better than that.
func (c *client) fetch(ctx context.Context, ref convert.Ref, known []convert.Ref) (convert.Definition, error) {
	first := int(c.good.Load())
	var all []*trouble
	var absent *unusable
	for i := range c.nodes {
		at := (first + i) % len(c.nodes)
		d, err := c.nodes[at].fetch(ctx, ref)
		t, failed := errors.AsType[*trouble](err)
		gone, _ := errors.AsType[*unusable](err)
		switch {
		case failed && (ctx.Err() != nil || len(c.nodes) == 1):
			return d, err
		case failed:
			all = append(all, &trouble{t.blocked, fmt.Errorf("%s: %w", c.nodes[at].url, t.err)})
		case gone != nil && gone.absent:
			absent = cmp.Or(absent, gone)
		default:
			c.good.Store(int32(at))
			return d, err
		}
	}
	if len(all) > 0 {
		return convert.Definition{}, together(all)
	}
	if err := c.confirm(ctx, known); err != nil {
		return convert.Definition{}, err
	}
	return convert.Definition{}, absent
}

// together is the trouble of all addresses. It may go by itself when that of one may.
func together(all []*trouble) error {
	sum := &trouble{blocked: true, err: all[0].err}
	for i, t := range all {
		sum.blocked = sum.blocked && t.blocked
		if i > 0 {
			sum.err = fmt.Errorf("%w; %w", sum.err, t.err)
		}
	}
	return sum
}

// get returns a schema as the registry has it.
func (n node) get(ctx context.Context, ref convert.Ref) (answer, error) {
	if ref.ByGUID() {
		return ask(ctx, n.sr, "/schemas/guids/"+ref.String())
	}
	return ask(ctx, n.sr, fmt.Sprintf("/schemas/ids/%d", ref.ID))
}

func ask(ctx context.Context, client *sr.Client, path string) (a answer, err error) {
	err = client.Do(ctx, http.MethodGet, path, nil, &a)
	return a, classify(err)
}

func (n node) fetch(ctx context.Context, ref convert.Ref) (convert.Definition, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	s, err := n.get(ctx, ref)
	if err != nil {
		return convert.Definition{}, err
	}
	d := convert.Definition{Kind: kind(s.Type), Text: s.Schema}
	if d.Text == "" {
		return d, &trouble{blocked: true, err: errors.New("the answer holds no schema")}
	}
	w := walk{client: n.sr, names: map[string]bool{}, subjects: map[string]bool{}}
	err = w.follow(ctx, s.References, 0)
	d.References = w.found
	return d, err
}

func kind(t sr.SchemaType) string {
	switch t {
	case sr.TypeAvro:
		return "avro"
	case sr.TypeProtobuf:
		return "protobuf"
	case sr.TypeJSON:
		return "json-schema"
	}
	return "of a type that is not known here"
}

// walk collects references, each after those that it refers to itself.
type walk struct {
	client   *sr.Client
	names    map[string]bool // that were found
	subjects map[string]bool // that are being followed
	found    []convert.Reference
	bytes    int // of their texts
}

const mostDepth = 50

var errReferences = &unusable{reason: convert.Undecodable, err: errors.New("its schema refers to too many others, or to itself")}

// errReferenceBytes keeps them from being held until the schema is compiled, which they
// could not be.
var errReferenceBytes = &unusable{reason: convert.Undecodable, err: fmt.Errorf("its schema refers to more than %s of others", env.Bytes(convert.MaxDefinitionBytes))}

func (w *walk) follow(ctx context.Context, refs []sr.SchemaReference, depth int) error {
	for _, r := range refs {
		at := fmt.Sprintf("%s/%d", r.Subject, r.Version)
		switch {
		case w.names[r.Name]:
			continue
		case w.subjects[at], depth == mostDepth, len(w.found) == convert.MaxReferences:
			return errReferences
		}
		w.subjects[at] = true
		// One that was deleted since is still what the schema refers to.
		path := fmt.Sprintf("/subjects/%s/versions/%d", url.PathEscape(r.Subject), r.Version)
		s, err := ask(sr.WithParams(ctx, sr.ShowDeleted), w.client, path)
		if err != nil {
			if gone, ok := errors.AsType[*unusable](err); ok && gone.absent {
				return &unusable{convert.Undecodable, true, fmt.Errorf("its schema refers to %s version %d: %w", r.Subject, r.Version, gone.err)}
			}
			return err
		}
		if err := w.follow(ctx, s.References, depth+1); err != nil {
			return err
		}
		if w.bytes += len(s.Schema); w.bytes > convert.MaxDefinitionBytes {
			return errReferenceBytes
		}
		delete(w.subjects, at)
		w.names[r.Name] = true
		w.found = append(w.found, convert.Reference{Name: r.Name, Text: s.Schema})
	}
	return nil
}

// unusable is what the registry itself says of a schema.
type unusable struct {
	reason convert.Reason
	absent bool // it, or one that it refers to, is not there: that may be for a while
	err    error
}

func (u *unusable) Error() string { return u.err.Error() }

// trouble is anything else that keeps a schema away. It says nothing of records.
type trouble struct {
	blocked bool // it won't go by itself
	err     error
}

func (t *trouble) Error() string { return t.err.Error() }
func (t *trouble) Unwrap() error { return t.err }

// classify says what an error of the client means: *unusable or *trouble, nil for none.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if bad, ok := errors.AsType[*unusable](err); ok { // found while the answer was read
		return bad
	}
	answer, ok := errors.AsType[*sr.ResponseError](err)
	if !ok {
		_, read := errors.AsType[*env.Fault](err)              // a file of ours
		if request, ok := errors.AsType[*url.Error](err); ok { // of an address that a redirect led to, perhaps
			err = &url.Error{Op: request.Op, URL: origin.Scrub(request.URL), Err: request.Err}
		}
		return &trouble{blocked: read || strings.Contains(err.Error(), "unable to decode ok response body"), err: err}
	}
	said := fmt.Errorf("%d %s: %s", answer.StatusCode, http.StatusText(answer.StatusCode), logging.Line(answer.Message))
	switch code := answer.StatusCode; {
	case code >= 300 && code < 400:
		return &trouble{blocked: true, err: fmt.Errorf("it answers %d %s and points to another scheme, host or port, where the login does not go: set %s to the address of the registry itself", code, http.StatusText(code), urlName)}
	case code == http.StatusNotFound && answer.ErrorCode > 40400 && answer.ErrorCode < 40500:
		return &unusable{convert.UnknownSchema, true, fmt.Errorf("the Schema Registry does not have it (%d)", answer.ErrorCode)}
	case code == http.StatusNotFound:
		// Whoever answered like that is no registry, or not at this path.
		return &trouble{blocked: true, err: fmt.Errorf("this is not the address of a Schema Registry: %w", said)}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return &trouble{blocked: true, err: fmt.Errorf("the login is refused: %w", said)}
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return &trouble{err: said}
	default:
		return &trouble{blocked: true, err: said}
	}
}
