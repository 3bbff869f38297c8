package schema

import (
	"context"
	"errors"
	"fmt"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/convert"
	"kafka-firehose/connector/schema/glue"
)

// glueRegistry is the protocol of AWS Glue Schema Registry.
type glueRegistry struct{ client *glue.Client }

func newGlue(cfg Config, o Options) (*glueRegistry, error) {
	c, err := glue.New(glue.Options{
		Region: cfg.Region, RegionVariable: regionName, Role: cfg.role(), Timeout: requestTimeout, Log: o.Log,
		Shorten: shorten, Client: o.Glue,
	})
	return &glueRegistry{c}, err
}

func (c Config) role() awsconfig.Role {
	return awsconfig.Role{Variable: roleName, ARN: c.RoleARN, ExternalID: c.RoleExternalID}
}

// fetch implements protocol. Schemas of AWS Glue refer to no others.
func (g *glueRegistry) fetch(ctx context.Context, ref convert.Ref) (convert.Definition, error) {
	v, err := g.client.Version(ctx, ref.String())
	return convert.Definition{Kind: v.Format, Text: v.Text, SizedBytes: true}, g.classify(err)
}

// has implements protocol.
func (g *glueRegistry) has(ctx context.Context, ref convert.Ref) error {
	_, err := g.fetch(ctx, ref)
	return err
}

// filled implements protocol. To see whether there is any schema would take a permission more: what
// AWS Glue itself says of a version is enough.
func (*glueRegistry) filled(context.Context) error { return nil }

func (g *glueRegistry) classify(err error) error {
	f, ok := errors.AsType[*glue.Failure](err)
	switch {
	case !ok:
		return err
	case f.Kind == glue.Absent:
		return &unusable{convert.UnknownSchema, true, fmt.Errorf("%s does not have it (%s)", g.name(), f.Code)}
	}
	return &trouble{blocked: f.Kind == glue.Blocked, throttled: f.Kind == glue.Throttled, err: fmt.Errorf("%s: %w", g.name(), f)}
}

// Credentials returns the state of the AWS credentials that the registry is asked with, and false if it is not AWS Glue.
func (r *Registry) Credentials() (awsconfig.CredentialState, bool) {
	if g, ok := r.client.nodes[0].protocol.(*glueRegistry); ok {
		return g.client.Credentials(), true
	}
	return awsconfig.CredentialState{}, false
}

func (g *glueRegistry) name() string { return "AWS Glue in " + g.client.Region() }
