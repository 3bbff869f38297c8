package schema

import (
	"context"
	"errors"
	"log/slog"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/schema/glue"
)

// TryAddress asks one address of the registry for a schema, as decoding does, and returns why it gets none. That the registry does
// not have it is an answer, too. Of o, only the network counts.
func TryAddress(ctx context.Context, cfg Config, address string, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	cfg.URLs, o.Log = []string{address}, slog.New(slog.DiscardHandler)
	c, err := newClient(cfg, o)
	if err != nil {
		return err
	}
	_, err = c.nodes[0].fetchDefinition(ctx, convert.SchemaRef{ID: 1})
	if _, ok := errors.AsType[*unusableError](err); ok {
		return nil
	}
	return err
}

// TokenAdvice says what to do about an error if it is that there is no token to log in with.
func (c Config) TokenAdvice(err error) (advice string, ok bool) {
	if tokenError(err) == nil {
		return "", false
	}
	return c.tokens().RefusedAdvice(), true
}

// TryGlue asks AWS Glue for a version that there can't be: the answer to that takes the permission that decoding
// needs. Where the policy allows single schemas alone it is refused, although theirs may be allowed. It returns the name of the registry and
// the source of the credentials. The error is a *glue.Failure if AWS Glue was asked.
func TryGlue(ctx context.Context, cfg Config, o Options) (name, credentials string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	o.Log = slog.New(slog.DiscardHandler)
	g, err := newGlue(cfg, o)
	if err != nil {
		return "AWS Glue", "", err
	}
	_, err = g.client.GetVersion(ctx, convert.SchemaRef{GUID: [16]byte{15: 1}}.String())
	f, failed := errors.AsType[*glue.Failure](err)
	if !failed || f.Kind == glue.Absent {
		return g.registryName(), g.client.CallerIdentity(ctx), nil
	}
	return g.registryName(), "", f
}
