package schema

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/logging"
	"kafka-firehose/connector/origin"
)

// confluent is the protocol of Confluent's Schema Registry.
type confluent struct{ sr *sr.Client }

func newConfluent(l *login, address string, h *http.Client) (*confluent, error) {
	c, err := sr.NewClient(sr.URLs(address), sr.UserAgent(userAgent), sr.HTTPClient(h), sr.PreReq(l.authorize))
	return &confluent{c}, err
}

// fetch implements protocol.
func (c *confluent) fetch(ctx context.Context, ref convert.Ref) (convert.Definition, error) {
	s, err := c.get(ctx, ref)
	if err != nil {
		return convert.Definition{}, err
	}
	d := convert.Definition{Kind: kind(s.Type), Text: s.Schema}
	if d.Text == "" {
		return d, nil
	}
	w := newWalk(func(ctx context.Context, r reference) (string, []reference, error) {
		// One that was deleted since is still what the schema refers to.
		s, err := ask(sr.WithParams(ctx, sr.ShowDeleted), c.sr, fmt.Sprintf("/subjects/%s/versions/%s", url.PathEscape(r.subject), r.version))
		return s.Schema, s.references(), err
	})
	err = w.follow(ctx, s.references(), 0)
	d.References = w.found
	return d, err
}

// has implements protocol.
func (c *confluent) has(ctx context.Context, ref convert.Ref) error {
	_, err := c.get(ctx, ref)
	return err
}

// filled implements protocol.
func (c *confluent) filled(ctx context.Context) error {
	var subjects someList
	err := classify(c.sr.Do(ctx, http.MethodGet, "/subjects", nil, &subjects))
	switch _, gone := errors.AsType[*unusable](err); {
	case gone:
		return errNotFound
	case err != nil:
		return err
	case !bool(subjects):
		return errEmpty
	}
	return nil
}

// get returns a schema as the registry has it.
func (c *confluent) get(ctx context.Context, ref convert.Ref) (answer, error) {
	if ref.ByGUID() {
		return ask(ctx, c.sr, "/schemas/guids/"+ref.String())
	}
	return ask(ctx, c.sr, fmt.Sprintf("/schemas/ids/%d", ref.ID))
}

func ask(ctx context.Context, client *sr.Client, path string) (a answer, err error) {
	err = client.Do(ctx, http.MethodGet, path, nil, &a)
	return a, classify(err)
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

// classify says what an error of the client means: *unusable or *trouble, nil for none.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if bad, ok := errors.AsType[*unusable](err); ok { // found while the answer was read
		return bad
	}
	if failed := tokenError(err); failed != nil {
		return &trouble{blocked: failed.Refused, err: failed}
	}
	answer, ok := errors.AsType[*sr.ResponseError](err)
	if !ok {
		_, read := errors.AsType[*env.Fault](err)              // a file of ours
		if request, ok := errors.AsType[*url.Error](err); ok { // of an address that a redirect led to, perhaps
			err = &url.Error{Op: request.Op, URL: origin.Scrub(request.URL), Err: request.Err}
		}
		return &trouble{blocked: read || strings.Contains(err.Error(), "unable to decode ok response body"), err: err}
	}
	absent := ""
	if answer.StatusCode == http.StatusNotFound && answer.ErrorCode > 40400 && answer.ErrorCode < 40500 {
		absent = strconv.Itoa(answer.ErrorCode)
	}
	return refusal(answer.StatusCode, answer.Message, absent)
}

// refusal says what an answer with an error means. absent is the registry's own word for a schema that
// it does not have, empty for anything else.
func refusal(code int, message, absent string) error {
	said := fmt.Errorf("%d %s: %s", code, http.StatusText(code), logging.Line(message))
	switch {
	case code >= 300 && code < 400:
		return &trouble{blocked: true, err: fmt.Errorf("it answers %d %s and points to another scheme, host or port, where the login does not go: set %s to the address of the registry itself", code, http.StatusText(code), urlName)}
	case absent != "":
		return &unusable{convert.UnknownSchema, true, fmt.Errorf("the Schema Registry does not have it (%s)", absent)}
	case code == http.StatusNotFound:
		// Such an answer is not from a registry, or not at this path.
		return &trouble{blocked: true, err: fmt.Errorf("this is not the address of a Schema Registry: %w", said)}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return &trouble{blocked: true, err: fmt.Errorf("the login is refused: %w", said)}
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return &trouble{throttled: code == http.StatusTooManyRequests, err: said}
	default:
		return &trouble{blocked: true, err: said}
	}
}
