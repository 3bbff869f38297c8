package schema

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
)

const (
	// requestTimeout is for one request, its answer included.
	requestTimeout = 10 * time.Second
	// fetchTimeout is for a schema with all that it refers to.
	fetchTimeout = 2 * time.Minute
	// maxAnswer is far above any schema. A larger answer comes from something else.
	maxAnswer = 8 << 20
	// maxHeader is the most bytes of an answer's header.
	maxHeader = 64 << 10
)

// registryClient asks one registry, at any of its addresses.
type registryClient struct {
	nodes []registryNode
	good  atomic.Int32 // the one that has answered last
}

// registryNode is the registry at one address.
type registryNode struct {
	url string
	nodeProtocol
}

// nodeProtocol is how a registry is asked. Errors are *unusableError for what the registry itself says of a
// schema, and *nodeError for everything else.
type nodeProtocol interface {
	// fetchDefinition returns a schema with all that it refers to.
	fetchDefinition(ctx context.Context, ref convert.SchemaRef) (convert.SchemaDefinition, error)
	// hasSchema returns nil if the registry has a schema.
	hasSchema(ctx context.Context, ref convert.SchemaRef) error
	// isFilled returns nil if the registry has any schema, as far as it lets itself be asked for that.
	isFilled(ctx context.Context) error
}

// newClient connects to nothing yet. o.Transport replaces the network, in tests.
func newClient(cfg Config, o Options) (*registryClient, error) {
	if cfg.Framing() == convert.Glue {
		p, err := newGlue(cfg, o)
		return &registryClient{nodes: []registryNode{{"AWS Glue", p}}}, err
	}
	transport := o.Transport
	if transport == nil {
		n, err := newNetwork(cfg, o.Log)
		if err != nil {
			return nil, err
		}
		transport = n
	}
	l := newLogin(cfg, o)
	h := &http.Client{Timeout: requestTimeout, Transport: shortResponse{retried{transport, l}}, CheckRedirect: l.stay}
	c := &registryClient{}
	for _, address := range cfg.URLs {
		var p nodeProtocol = &apicurioProtocol{address, h, l}
		if cfg.Framing() != convert.Apicurio {
			var err error
			if p, err = newConfluent(l, address, h); err != nil {
				return nil, err
			}
		}
		c.nodes = append(c.nodes, registryNode{address, p})
	}
	return c, nil
}

// shortResponse ends answers that are too long to be a schema.
type shortResponse struct{ next http.RoundTripper }

func (s shortResponse) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err == nil {
		shortenBody(resp)
	}
	return resp, err
}

func shortenBody(resp *http.Response) {
	resp.Body = &limitedBody{ReadCloser: resp.Body, left: maxAnswer}
}

type limitedBody struct {
	io.ReadCloser
	left int
}

var errLongAnswer = fmt.Errorf("the answer has more than %s, which no schema has", env.Bytes(maxAnswer))

func (l *limitedBody) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= n; l.left < 0 {
		return n, errLongAnswer
	}
	return n, err
}

// fetchDefinition returns a schema with all that it refers to, from the first address that has it. It
// is absent, an *unusableError, only if every address says so, and each is confirmed to be the
// registry: one that is down, or lags, may be the one that has it. The library asks the next
// address only where it gets no answer at all; one that answers 503, or a proxy in front of
// it that does, is no better than that.
func (c *registryClient) fetchDefinition(ctx context.Context, ref convert.SchemaRef, known []convert.SchemaRef) (convert.SchemaDefinition, error) {
	first := int(c.good.Load())
	var all []*nodeError
	var absent *unusableError
	for i := range c.nodes {
		at := (first + i) % len(c.nodes)
		d, err := c.nodes[at].fetchAll(ctx, ref)
		t, failed := errors.AsType[*nodeError](err)
		gone, _ := errors.AsType[*unusableError](err)
		switch {
		case failed && (ctx.Err() != nil || len(c.nodes) == 1):
			return d, err
		case failed:
			all = append(all, &nodeError{t.blocked, t.throttled, fmt.Errorf("%s: %w", c.nodes[at].url, t.err)})
		case gone != nil && gone.absent:
			absent = cmp.Or(absent, gone)
		default:
			c.good.Store(int32(at))
			return d, err
		}
	}
	if len(all) > 0 {
		return convert.SchemaDefinition{}, joinTroubles(all)
	}
	if err := c.confirmKnown(ctx, known); err != nil {
		return convert.SchemaDefinition{}, err
	}
	return convert.SchemaDefinition{}, absent
}

// joinTroubles is the trouble of all addresses. It may go by itself when that of one may.
func joinTroubles(all []*nodeError) error {
	sum := &nodeError{blocked: true, throttled: true, err: all[0].err}
	for i, t := range all {
		sum.blocked = sum.blocked && t.blocked
		sum.throttled = sum.throttled && t.throttled
		if i > 0 {
			sum.err = fmt.Errorf("%w; %w", sum.err, t.err)
		}
	}
	return sum
}

// fetchAll is fetchDefinition with a limit of time.
func (n registryNode) fetchAll(ctx context.Context, ref convert.SchemaRef) (convert.SchemaDefinition, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	d, err := n.fetchDefinition(ctx, ref)
	if err == nil && d.Text == "" {
		err = &nodeError{blocked: true, err: errors.New("the answer holds no schema")}
	}
	return d, err
}

// unusableError is what the registry itself says of a schema.
type unusableError struct {
	reason convert.Reason
	absent bool // it, or one that it refers to, is not there: that may be for a while
	err    error
}

func (u *unusableError) Error() string { return u.err.Error() }

// nodeError is anything else that keeps a schema away. It says nothing of records.
type nodeError struct {
	blocked   bool // it won't go by itself
	throttled bool // there were too many requests, whatever they asked for
	err       error
}

func (t *nodeError) Error() string { return t.err.Error() }
func (t *nodeError) Unwrap() error { return t.err }
