package schema

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/env"
	"kafka-firehose/connector/schema/glue"
)

// glueRegistry is the protocol of AWS Glue Schema Registry.
type glueRegistry struct{ client *glue.Client }

func newGlue(cfg Config, o Options) (*glueRegistry, error) {
	c, err := glue.New(glue.Options{
		Region: cfg.Region, Role: cfg.assumedRole(), Timeout: requestTimeout, Log: o.Log,
		Shorten: shortenBody, Client: o.Glue,
	})
	if errors.Is(err, glue.ErrNoRegion) {
		err = env.MissingFault("AWS_REGION", "want the region of AWS Glue, or "+regionName).WithSettings(regionName)
	}
	return &glueRegistry{c}, err
}

// CheckEnvironment returns the faults of the SDK's own environment and files that keep AWS Glue from being asked: no region, no
// such profile. It connects to nothing.
func (c Config) CheckEnvironment() []*env.Fault {
	if c.Framing() != convert.Glue {
		return nil
	}
	_, err := newGlue(c, Options{Log: slog.New(slog.DiscardHandler)})
	return env.FaultsOf(err)
}

func (c Config) assumedRole() awsconfig.Role {
	return awsconfig.Role{Variable: roleName, ARN: c.RoleARN, ExternalID: c.RoleExternalID, SessionName: c.RoleSessionName}
}

// fetchDefinition implements nodeProtocol. Schemas of AWS Glue refer to no others.
func (g *glueRegistry) fetchDefinition(ctx context.Context, ref convert.SchemaRef) (convert.SchemaDefinition, error) {
	v, err := g.client.GetVersion(ctx, ref.String())
	return convert.SchemaDefinition{Kind: v.Format, Text: v.Text, SizedBytes: true}, g.classifyError(err)
}

// hasSchema implements nodeProtocol.
func (g *glueRegistry) hasSchema(ctx context.Context, ref convert.SchemaRef) error {
	_, err := g.fetchDefinition(ctx, ref)
	return err
}

// isFilled implements nodeProtocol. To see whether there is any schema would take a permission more: what
// AWS Glue itself says of a version is enough.
func (*glueRegistry) isFilled(context.Context) error { return nil }

func (g *glueRegistry) classifyError(err error) error {
	f, ok := errors.AsType[*glue.Failure](err)
	switch {
	case !ok:
		return err
	case f.Kind == glue.Absent:
		return &unusableError{convert.UnknownSchema, true, fmt.Errorf("%s does not have it (%s)", g.registryName(), f.Code)}
	}
	return &nodeError{blocked: f.Kind == glue.Blocked, throttled: f.Kind == glue.Throttled, err: fmt.Errorf("%s: %w", g.registryName(), f)}
}

// Credentials returns the state of the AWS credentials that the registry is asked with, and false if it is not AWS Glue.
func (r *Registry) Credentials() (awsconfig.CredentialState, bool) {
	if g, ok := r.client.nodes[0].nodeProtocol.(*glueRegistry); ok {
		return g.client.Credentials(), true
	}
	return awsconfig.CredentialState{}, false
}

func (g *glueRegistry) registryName() string { return "AWS Glue in " + g.client.Region() }
