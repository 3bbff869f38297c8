package auth

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/sasl"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/env"
)

// AWSConfig is for AWS_MSK_IAM, which logs in with credentials of AWS. They are those of the SDK's
// default chain, and have nothing to do with the role that writes to Firehose.
type AWSConfig struct {
	// Region is that of the cluster, where the names of its brokers don't tell.
	Region string `envconfig:"KAFKA_SASL_AWS_REGION" unset:"by the broker's name, or AWS_REGION" desc:"Region of the MSK cluster, for AWS_MSK_IAM, where its brokers have names of yours."`
	// RoleARN is a role to assume for reading, for instance one of the cluster's account.
	RoleARN string `envconfig:"KAFKA_SASL_AWS_ROLE_ARN" unset:"none" desc:"Assume this role to log in, for AWS_MSK_IAM; FIREHOSE_ROLE_ARN has no part in it."`
	// RoleExternalID is what that role's trust policy may ask for.
	RoleExternalID string `envconfig:"KAFKA_SASL_AWS_ROLE_EXTERNAL_ID" unset:"none" desc:"External id for KAFKA_SASL_AWS_ROLE_ARN."`
	// RoleSessionName is what audit logs and trust policies see of that role's session.
	RoleSessionName string `envconfig:"KAFKA_SASL_AWS_ROLE_SESSION_NAME" unset:"AWS_ROLE_SESSION_NAME, or kafka-firehose-HOST" desc:"Session name for KAFKA_SASL_AWS_ROLE_ARN, which its trust policy may ask for."`
}

const (
	awsRegion      = "KAFKA_SASL_AWS_REGION"
	awsRole        = "KAFKA_SASL_AWS_ROLE_ARN"
	awsRoleExt     = "KAFKA_SASL_AWS_ROLE_EXTERNAL_ID"
	awsRoleSession = "KAFKA_SASL_AWS_ROLE_SESSION_NAME"
)

func (c AWSConfig) listSettings() []saslSetting {
	of := []string{mskIAMMechanism}
	return []saslSetting{
		{awsRegion, c.Region != "", c.Region, of},
		{awsRole, c.RoleARN != "", c.RoleARN, of},
		{awsRoleExt, c.RoleExternalID != "", c.RoleExternalID, of},
		{awsRoleSession, c.RoleSessionName != "", c.RoleSessionName, of},
	}
}

func (c AWSConfig) validateAWS(check *env.Check, encrypted bool) {
	if c.Region != "" && !awsconfig.LegalRegion(c.Region) {
		check.AddFault(env.HoldsFault(awsRegion, c.Region, "want a region such as eu-west-1"))
	}
	c.assumedRole().Validate(check, awsRoleExt)
	c.assumedRole().ValidateSession(check, awsRoleSession)
	if !encrypted {
		check.AddFault(env.HoldsFault(saslMechanism, mskIAMMechanism, "MSK takes it with TLS alone; want "+tlsEnabled+"=true too").WithSettings(tlsEnabled))
	}
}

func (c AWSConfig) assumedRole() awsconfig.Role {
	return awsconfig.Role{Variable: awsRole, ARN: c.RoleARN, ExternalID: c.RoleExternalID, SessionName: c.RoleSessionName}
}

// loginSigner signs logins to MSK.
type loginSigner interface {
	SignLogin(ctx context.Context, addr string) ([]byte, error)
	DiscardCredentials()
}

// mskIAM is the mechanism AWS_MSK_IAM: one message, and an answer that is not empty.
type mskIAM struct{ signer loginSigner }

// Name implements sasl.Mechanism.
func (mskIAM) Name() string { return mskIAMMechanism }

// Authenticate implements sasl.Mechanism.
func (m mskIAM) Authenticate(ctx context.Context, addr string) (sasl.Session, []byte, error) {
	first, err := m.signer.SignLogin(ctx, addr)
	return mskSession{}, first, err
}

type mskSession struct{}

// Challenge implements sasl.Session.
func (mskSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) == 0 {
		return false, nil, errors.New("the broker's answer to the login is empty")
	}
	return true, nil, nil
}
