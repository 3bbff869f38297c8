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
	// mostAnswer is far above any schema. A larger answer comes from something else.
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
	protocol
}

// protocol is how a registry is asked. Errors are *unusable for what the registry itself says of a
// schema, and *trouble for everything else.
type protocol interface {
	// fetch returns a schema with all that it refers to.
	fetch(ctx context.Context, ref convert.Ref) (convert.Definition, error)
	// has returns nil if the registry has a schema.
	has(ctx context.Context, ref convert.Ref) error
	// filled returns nil if the registry has any schema, as far as it lets itself be asked for that.
	filled(ctx context.Context) error
}

// newClient connects to nothing yet. o.Transport replaces the network, in tests.
func newClient(cfg Config, o Options) (*client, error) {
	if cfg.Framing() == convert.Glue {
		p, err := newGlue(cfg, o)
		return &client{nodes: []node{{"AWS Glue", p}}}, err
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
	h := &http.Client{Timeout: requestTimeout, Transport: short{retried{transport, l}}, CheckRedirect: l.stay}
	c := &client{}
	for _, address := range cfg.URLs {
		var p protocol = &apicurio{address, h, l}
		if cfg.Framing() != convert.Apicurio {
			var err error
			if p, err = newConfluent(l, address, h); err != nil {
				return nil, err
			}
		}
		c.nodes = append(c.nodes, node{address, p})
	}
	return c, nil
}

// short ends answers that are too long to be a schema.
type short struct{ next http.RoundTripper }

func (s short) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err == nil {
		shorten(resp)
	}
	return resp, err
}

func shorten(resp *http.Response) { resp.Body = &limited{ReadCloser: resp.Body, left: mostAnswer} }

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
		d, err := c.nodes[at].fetchAll(ctx, ref)
		t, failed := errors.AsType[*trouble](err)
		gone, _ := errors.AsType[*unusable](err)
		switch {
		case failed && (ctx.Err() != nil || len(c.nodes) == 1):
			return d, err
		case failed:
			all = append(all, &trouble{t.blocked, t.throttled, fmt.Errorf("%s: %w", c.nodes[at].url, t.err)})
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
	sum := &trouble{blocked: true, throttled: true, err: all[0].err}
	for i, t := range all {
		sum.blocked = sum.blocked && t.blocked
		sum.throttled = sum.throttled && t.throttled
		if i > 0 {
			sum.err = fmt.Errorf("%w; %w", sum.err, t.err)
		}
	}
	return sum
}

// fetchAll is fetch with a limit of time.
func (n node) fetchAll(ctx context.Context, ref convert.Ref) (convert.Definition, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	d, err := n.fetch(ctx, ref)
	if err == nil && d.Text == "" {
		err = &trouble{blocked: true, err: errors.New("the answer holds no schema")}
	}
	return d, err
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
	blocked   bool // it won't go by itself
	throttled bool // there were too many requests, whatever they asked for
	err       error
}

func (t *trouble) Error() string { return t.err.Error() }
func (t *trouble) Unwrap() error { return t.err }
