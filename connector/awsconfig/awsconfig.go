// Package awsconfig is what the clients of AWS have in common: the SDK's own
// environment, credentials that last through an outage, roles, and the signature that
// logs in to Amazon MSK.
//
// Each side asks for its own: the role that writes to Firehose differs from the role that
// reads from MSK, unless both settings name the same.
package awsconfig

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/origin"
)

// Application is how we introduce ourselves: in the user agent, and as the beginning
// of the session name of an assumed role, where audit logs show it.
const Application = "kafka-firehose"

// LoadConfig reads what the SDK reads: the environment, and the files of the profile. Requests of its clients follow no
// redirect to another origin, where a login would go with them, and name a proxy that refuses them.
func LoadConfig(ctx context.Context, http *awshttp.BuildableClient, more ...func(*config.LoadOptions) error) (aws.Config, error) {
	loaded, err := config.LoadDefaultConfig(ctx, append(more,
		config.WithAppID(Application),
		config.WithHTTPClient(http.WithTransportOptions(origin.KeepTransport, origin.ReportProxy)),
		config.WithLogger(logging.Nop{}), // it would write lines of its own to our log
	)...)
	return loaded, unreadableFile(err)
}

// unreadableFile says which variable keeps the SDK's configuration from being read, nil for none. It shows no secret.
func unreadableFile(err error) error {
	if err == nil {
		return nil
	}
	if gone, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		return env.HoldsFault("AWS_PROFILE", gone.Profile, "no file of the AWS configuration has this profile; look at AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE")
	}
	text := CleanMessage((&FetchError{badVariable(), err}).Error())
	for _, variable := range os.Environ() { // the SDK tells the name, or ends with the value that it can't use
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "AWS_") && value != "" && (strings.Contains(err.Error(), name) || strings.HasSuffix(err.Error(), value)) {
			return env.HoldsFault(name, value, "the AWS SDK can't use it: "+text)
		}
	}
	return env.HoldsFault("AWS_CONFIG_FILE", os.Getenv("AWS_CONFIG_FILE"), "the AWS configuration can't be read: "+text)
}

// fullURI holds the address of a container's credentials, of which nothing but the host is shown.
const fullURI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"

// badVariable names the variable if it is the address of the container's endpoint that can't be read.
func badVariable() string {
	if _, err := url.Parse(os.Getenv(fullURI)); err != nil {
		return fullURI
	}
	return ""
}

// Role is one to assume on top of the default chain's credentials; without an ARN it
// is none.
type Role struct {
	Variable        string // that holds the ARN
	ARN, ExternalID string
	SessionName     string // empty for that of the environment, or else of this machine
}

// sessionName is the name under which audit logs and trust policies see who has assumed the role.
func (r Role) sessionName() string {
	if name := cmp.Or(r.SessionName, os.Getenv(sessionVariable)); name != "" {
		return name
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return Application
	}
	name := illegalInSession.ReplaceAllString(Application+"-"+host, "-")
	return name[:min(len(name), maxSessionName)]
}

const (
	// maxSessionName is the longest session name that STS takes.
	maxSessionName = 64
	wantSession    = "want 2 to 64 of a-z A-Z 0-9 _ + = , . @ -"
	// sessionVariable is the SDK's own. The SDK uses it for the role of a web identity, and we for the others.
	sessionVariable = "AWS_ROLE_SESSION_NAME"
)

var (
	legalSession     = regexp.MustCompile(`\A[\w+=,.@-]{2,64}\z`)
	illegalInSession = regexp.MustCompile(`[^\w+=,.@-]`)
)

// ValidateSession checks the session name; variable is the one that holds it.
func (r Role) ValidateSession(check *env.Check, variable string) {
	switch {
	case r.SessionName == "":
	case r.ARN == "":
		check.AddFault(env.HoldsFault(variable, r.SessionName, "it has no effect without "+r.Variable).WithSettings(r.Variable))
	case !legalSession.MatchString(r.SessionName):
		check.AddFault(env.HoldsFault(variable, r.SessionName, wantSession))
	}
}

// CheckSessionVariable returns the fault of AWS_ROLE_SESSION_NAME, nil for none. Neither the SDK nor the token service names the variable.
func CheckSessionVariable() *env.Fault {
	name := os.Getenv(sessionVariable)
	if name == "" || legalSession.MatchString(name) {
		return nil
	}
	return env.HoldsFault(sessionVariable, name, wantSession)
}

var (
	legalRole     = regexp.MustCompile(`\Aarn:aws[a-z-]*:iam::\d{12}:role/[\x21-\x7e]+\z`)
	legalExternal = regexp.MustCompile(`\A[\w+=,.@:/-]+\z`) // 2 to 1224 of them
	legalRegion   = regexp.MustCompile(`\A[a-z]{2,}(-[a-z]+)+-\d+\z`)
)

// LegalRegion reports whether there could be such a region: eu-west-1, us-gov-east-1.
func LegalRegion(name string) bool { return legalRegion.MatchString(name) }

// Validate checks the role; external is the variable of its external id.
func (r Role) Validate(check *env.Check, external string) {
	if r.ARN != "" && !legalRole.MatchString(r.ARN) {
		check.AddFault(env.HoldsFault(r.Variable, r.ARN, "want the ARN of a role such as arn:aws:iam::123456789012:role/name"))
	}
	if r.ExternalID == "" {
		return
	}
	if r.ARN == "" {
		check.AddFault(env.HoldsFault(external, r.ExternalID, "it has no effect without "+r.Variable).WithSettings(r.Variable))
	}
	if n := len(r.ExternalID); n < 2 || n > 1224 || !legalExternal.MatchString(r.ExternalID) {
		check.AddFault(env.HoldsFault(external, r.ExternalID, "want 2 to 1224 of a-z A-Z 0-9 _ + = , . @ : / -"))
	}
}
