package schema

import (
	"cmp"
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

// confluentProtocol is the protocol of Confluent's Schema Registry.
type confluentProtocol struct{ sr *sr.Client }

func newConfluent(l *login, address string, h *http.Client) (*confluentProtocol, error) {
	c, err := sr.NewClient(sr.URLs(address), sr.UserAgent(userAgent), sr.HTTPClient(h), sr.PreReq(l.authorize))
	return &confluentProtocol{c}, err
}

// fetchDefinition implements nodeProtocol.
func (c *confluentProtocol) fetchDefinition(ctx context.Context, ref convert.SchemaRef) (convert.SchemaDefinition, error) {
	s, err := c.getAnswer(ctx, ref)
	if err != nil {
		return convert.SchemaDefinition{}, err
	}
	d := convert.SchemaDefinition{Kind: schemaKind(s.Type), Text: s.Schema}
	if d.Text == "" {
		return d, nil
	}
	w := newWalk(func(ctx context.Context, r schemaReference) (string, []schemaReference, error) {
		// One that was deleted since is still what the schema refers to.
		s, err := askRegistry(sr.WithParams(ctx, sr.ShowDeleted), c.sr, fmt.Sprintf("/subjects/%s/versions/%s", url.PathEscape(r.subject), r.version))
		return s.Schema, s.allReferences(), err
	})
	err = w.followReferences(ctx, s.allReferences(), 0)
	d.References = w.found
	return d, err
}

// hasSchema implements nodeProtocol.
func (c *confluentProtocol) hasSchema(ctx context.Context, ref convert.SchemaRef) error {
	_, err := c.getAnswer(ctx, ref)
	return err
}

// isFilled implements nodeProtocol.
func (c *confluentProtocol) isFilled(ctx context.Context) error {
	var subjects someList
	err := classifyError(c.sr.Do(ctx, http.MethodGet, "/subjects", nil, &subjects))
	switch _, gone := errors.AsType[*unusableError](err); {
	case gone:
		return errNotFound
	case err != nil:
		return err
	case !bool(subjects):
		return errEmpty
	}
	return nil
}

// getAnswer returns a schema as the registry has it.
func (c *confluentProtocol) getAnswer(ctx context.Context, ref convert.SchemaRef) (schemaAnswer, error) {
	if ref.ByGUID() {
		return askRegistry(ctx, c.sr, "/schemas/guids/"+ref.String())
	}
	return askRegistry(ctx, c.sr, fmt.Sprintf("/schemas/ids/%d", ref.ID))
}

func askRegistry(ctx context.Context, client *sr.Client, path string) (a schemaAnswer, err error) {
	err = client.Do(ctx, http.MethodGet, path, nil, &a)
	return a, classifyError(err)
}

func schemaKind(t sr.SchemaType) string {
	kinds := map[sr.SchemaType]string{sr.TypeAvro: "avro", sr.TypeProtobuf: "protobuf", sr.TypeJSON: "json-schema"}
	return cmp.Or(kinds[t], "of a type that is not known here")
}

// classifyError says what an error of the client means: *unusableError or *nodeError, nil for none.
func classifyError(err error) error {
	if err == nil {
		return nil
	}
	if bad, ok := errors.AsType[*unusableError](err); ok { // found while the answer was read
		return bad
	}
	if failed := tokenError(err); failed != nil {
		return &nodeError{blocked: failed.Refused, err: failed}
	}
	answer, ok := errors.AsType[*sr.ResponseError](err)
	if !ok {
		_, read := errors.AsType[*env.Fault](err)              // a file of ours
		if request, ok := errors.AsType[*url.Error](err); ok { // of an address that a redirect led to, perhaps
			err = &url.Error{Op: request.Op, URL: origin.ScrubMessage(request.URL), Err: request.Err}
		}
		return &nodeError{blocked: read || strings.Contains(err.Error(), "unable to decode ok response body"), err: err}
	}
	absent := ""
	if answer.StatusCode == http.StatusNotFound && answer.ErrorCode > 40400 && answer.ErrorCode < 40500 {
		absent = strconv.Itoa(answer.ErrorCode)
	}
	return refusalError(answer.StatusCode, answer.Message, absent)
}

// refusalError says what an answer with an error means. absent is the registry's own word for a schema that
// it does not have, empty for anything else.
func refusalError(code int, message, absent string) error {
	said := fmt.Errorf("%d %s: %s", code, http.StatusText(code), logging.SingleLine(message))
	switch {
	case code >= 300 && code < 400:
		return &nodeError{blocked: true, err: fmt.Errorf("it answers %d %s and points to another scheme, host or port, where the login does not go: set %s to the address of the registry itself", code, http.StatusText(code), urlName)}
	case absent != "":
		return &unusableError{convert.UnknownSchema, true, fmt.Errorf("the Schema Registry does not have it (%s)", absent)}
	case code == http.StatusNotFound:
		// Such an answer is not from a registry, or not at this path.
		return &nodeError{blocked: true, err: fmt.Errorf("this is not the address of a Schema Registry: %w", said)}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return &nodeError{blocked: true, err: fmt.Errorf("the login is refused: %w", said)}
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return &nodeError{throttled: code == http.StatusTooManyRequests, err: said}
	default:
		return &nodeError{blocked: true, err: said}
	}
}
