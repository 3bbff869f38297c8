package awsconfig

import "strings"

// sources are the SDK's names for where credentials come from, and ours.
var sources = []struct{ provider, name string }{
	{"EnvConfigCredentials", "the environment (AWS_ACCESS_KEY_ID)"},
	{"SharedConfigCredentials", "a profile's file"},
	{"WebIdentityCredentials", "a token file (AWS_WEB_IDENTITY_TOKEN_FILE, as with IRSA)"},
	{"CredentialsEndpointProvider", "a container's endpoint (Pod Identity, ECS)"},
	{"EC2RoleProvider", "the instance's role"},
	{"AssumeRoleProvider", "an assumed role"},
	{"SSOProvider", "a login to SSO"},
	{"LoginProvider", "a login"},
	{"ProcessProvider", "a process that the profile names"},
}

// SourceOf puts aws.Credentials.Source into words. An unknown source is returned unchanged.
func SourceOf(source string) string {
	for _, s := range sources {
		if strings.HasPrefix(source, s.provider) {
			return s.name
		}
	}
	if source == "" {
		return "a source without a name"
	}
	return Clean(source)
}
