package preflight

import (
	"context"
	"errors"
	"slices"
	"sync"

	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/preflight/check"
	"kafka-firehose/connector/schema"
	"kafka-firehose/connector/schema/glue"
)

// tryRegistry asks each address for a schema, as decoding does. Of o, only the network counts.
func tryRegistry(ctx context.Context, cfg schema.Config, o schema.Options) (found check.Findings) {
	if cfg.Framing() == convert.Glue {
		return tryGlue(ctx, cfg, o)
	}
	errs := make([]error, len(cfg.URLs))
	var looks sync.WaitGroup
	for i, address := range cfg.URLs {
		looks.Go(func() { errs[i] = schema.TryAddress(ctx, cfg, address, o) })
	}
	looks.Wait()
	good := slices.ContainsFunc(errs, func(err error) bool { return err == nil })
	for i, address := range cfg.URLs {
		const advice = "look at SCHEMA_REGISTRY_URL, its login and its certificate"
		tokenAdvice, noToken := cfg.TokenAdvice(errs[i])
		switch err := errs[i]; {
		case err == nil:
			found.AddOK(check.Registry, address, "answers, and takes the login")
		case noToken:
			found.AddError(check.Registry, address, "there is no token to log in with: "+err.Error(), tokenAdvice)
		case good:
			found.AddWarning(check.Registry, address, err.Error(), "another address answers; "+advice)
		default:
			found.AddError(check.Registry, address, err.Error(), advice)
		}
	}
	return found
}

// tryGlue asks AWS Glue for a version that it does not have.
func tryGlue(ctx context.Context, cfg schema.Config, o schema.Options) (found check.Findings) {
	name, credentials, err := schema.TryGlue(ctx, cfg, o)
	failure, failed := errors.AsType[*glue.Failure](err)
	switch {
	case err == nil:
		found.AddOK(check.Registry, name, "answers, with credentials from "+credentials)
	case !failed:
		found.AddError(check.Registry, name, err.Error(), "")
	case failure.Kind == glue.Blocked:
		found.AddError(check.Registry, name, failure.Error(), "allow glue:GetSchemaVersion to the role of the process, or to SCHEMA_REGISTRY_ROLE_ARN, and look at where its credentials come from")
	default:
		found.AddError(check.Registry, name, failure.Error(), "look at AWS_REGION, SCHEMA_REGISTRY_REGION, AWS_ENDPOINT_URL_GLUE, HTTPS_PROXY, and at what is between")
	}
	return found
}
