package schema

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"kafka-firehose/connector/check"
	"kafka-firehose/connector/convert"
)

// Inspect asks each address for a schema, as decoding does. That the registry does not
// have it is an answer, too. Transport replaces the network, in tests.
func Inspect(ctx context.Context, cfg Config, transport http.RoundTripper) check.Findings {
	errs := make([]error, len(cfg.URLs))
	var looks sync.WaitGroup
	for i, address := range cfg.URLs {
		one := cfg
		one.URLs = []string{address}
		looks.Go(func() { errs[i] = reach(ctx, one, transport) })
	}
	looks.Wait()
	good := 0
	for _, err := range errs {
		if err == nil {
			good++
		}
	}
	var found check.Findings
	for i, address := range cfg.URLs {
		const advice = "look at SCHEMA_REGISTRY_URL, its login and its certificate"
		switch err := errs[i]; {
		case err == nil:
			found.OK(check.Registry, address, "answers, and takes the login")
		case good > 0:
			found.Warn(check.Registry, address, err.Error(), "another address answers; "+advice)
		default:
			found.Fail(check.Registry, address, err.Error(), advice)
		}
	}
	return found
}

// reach returns why no schema can be had, nil when one can.
func reach(ctx context.Context, cfg Config, transport http.RoundTripper) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	c, err := newClient(cfg, slog.New(slog.DiscardHandler), transport)
	if err != nil {
		return err
	}
	_, err = c.nodes[0].fetch(ctx, convert.Ref{ID: 1})
	if _, ok := errors.AsType[*unusable](err); ok {
		return nil
	}
	return err
}
