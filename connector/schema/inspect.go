package schema

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/preflight/check"
	"kafka-firehose/connector/schema/glue"
)

// Inspect asks each address for a schema, as decoding does. That the registry does not
// have it is an answer, too. Of o, only what replaces the network in tests counts.
func Inspect(ctx context.Context, cfg Config, o Options) check.Findings {
	o.Log = slog.New(slog.DiscardHandler)
	if cfg.Framing() == convert.Glue {
		return inspectGlue(ctx, cfg, o)
	}
	errs := make([]error, len(cfg.URLs))
	var looks sync.WaitGroup
	for i, address := range cfg.URLs {
		one := cfg
		one.URLs = []string{address}
		looks.Go(func() { errs[i] = reachRegistry(ctx, one, o) })
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
			found.AddOK(check.Registry, address, "answers, and takes the login")
		case tokenError(err) != nil:
			found.AddError(check.Registry, address, "there is no token to log in with: "+err.Error(), cfg.tokens().RefusedAdvice())
		case good > 0:
			found.AddWarning(check.Registry, address, err.Error(), "another address answers; "+advice)
		default:
			found.AddError(check.Registry, address, err.Error(), advice)
		}
	}
	return found
}

// reachRegistry returns why no schema can be had, nil when one can.
func reachRegistry(ctx context.Context, cfg Config, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
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

// inspectGlue asks for a version that there can't be: the answer to that takes the permission that decoding
// needs. Where the policy allows single schemas alone it is refused, although theirs may be allowed.
func inspectGlue(ctx context.Context, cfg Config, o Options) (found check.Findings) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	g, err := newGlue(cfg, o)
	if err != nil {
		found.AddError(check.Registry, "AWS Glue", err.Error(), "")
		return found
	}
	_, err = g.client.GetVersion(ctx, convert.SchemaRef{GUID: [16]byte{15: 1}}.String())
	f, failed := errors.AsType[*glue.Failure](err)
	if !failed || f.Kind == glue.Absent {
		found.AddOK(check.Registry, g.registryName(), "answers, with credentials from "+g.client.CallerIdentity(ctx))
		return found
	}
	advice := "look at AWS_REGION, " + regionName + ", AWS_ENDPOINT_URL_GLUE, HTTPS_PROXY, and at what is between"
	if f.Kind == glue.Blocked {
		advice = "allow glue:GetSchemaVersion to the role of the process, or to " + roleName + ", and look at where its credentials come from"
	}
	found.AddError(check.Registry, g.registryName(), f.Error(), advice)
	return found
}
