package awsconfig

import "strings"

// These are sources that assume a role.
const webIdentitySource, assumedSource = "WebIdentityCredentials", "AssumeRoleProvider"

// sources are the SDK's names for where credentials come from, and ours.
var sources = []struct{ provider, name string }{
	{"StaticCredentials", "keys of the program's own"},
	{"EnvConfigCredentials", "the environment (AWS_ACCESS_KEY_ID)"},
	{"SharedConfigCredentials", "a profile's file"},
	{webIdentitySource, "a token file (AWS_WEB_IDENTITY_TOKEN_FILE, as with IRSA)"},
	{"CredentialsEndpointProvider", "a container's endpoint (Pod Identity, ECS)"},
	{"EC2RoleProvider", "the instance's role"},
	{assumedSource, "an assumed role"},
	{"SSOProvider", "a login to SSO"},
	{"LoginProvider", "a login"},
	{"ProcessProvider", "a process that the profile names"},
}

// SourceOf puts aws.Credentials.Source into words. An unknown source is returned unchanged.
func SourceOf(source string) string {
	source, role := splitSource(source)
	if role != "" {
		return SourceOf(source) + ", with the role " + CleanMessage(role)
	}
	for _, s := range sources {
		if strings.HasPrefix(source, s.provider) {
			return s.name
		}
	}
	if source == "" {
		return "a source without a name"
	}
	return CleanMessage(source)
}
