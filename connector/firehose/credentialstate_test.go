package firehose

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/firehose/firehosetest"
)

// TestCredentialState: people see where credentials come from, which role signs, and until when, and never a value.
func TestCredentialState(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("planted-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	const reader = "arn:aws:iam::123456789012:role/reader"
	service := httptest.NewServer(firehosetest.NewSTS(firehosetest.STSOptions{
		Callers: []firehosetest.Credentials{{AccessKey: "AKID", SecretKey: "secret"}},
		Roles:   []firehosetest.Role{{ARN: writer, ExternalID: "right"}, {ARN: reader, Tokens: []string{"planted-token"}}},
	}))
	defer service.Close()
	for name, tt := range map[string]struct {
		cfg          Config
		env          map[string]string
		source, role string
		ends         bool
		failure      string
	}{
		"keys":           {source: "the environment (AWS_ACCESS_KEY_ID)"},
		"role":           {cfg: Config{RoleARN: writer, RoleExternalID: "right"}, source: "the environment (AWS_ACCESS_KEY_ID)", role: writer, ends: true},
		"token file":     {env: map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ROLE_ARN": reader, "AWS_WEB_IDENTITY_TOKEN_FILE": token}, source: "a token file", role: reader, ends: true},
		"wrong external": {cfg: Config{RoleARN: writer, RoleExternalID: "wrong"}, failure: "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, service.URL)
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			keys := awsconfig.CacheCredentials(awsconfig.CredentialsChain("", tt.cfg.assumedRole(), time.Second), slog.New(slog.DiscardHandler))
			if s := keys.State(); s != (awsconfig.CredentialState{}) {
				t.Errorf("before the first fetch: %+v", s)
			}
			got, err := keys.Retrieve(t.Context())
			if (err != nil) != (tt.failure != "") {
				t.Fatal(err)
			}
			s := keys.State()
			if !strings.HasPrefix(s.Source, tt.source) || s.Role != tt.role || !strings.Contains(s.Failure, tt.failure) || tt.failure == "" && s.Failure != "" {
				t.Errorf("%+v", s)
			}
			if ends := time.Until(s.Expires); tt.ends && (ends < 10*time.Minute || ends > 61*time.Minute || !s.Expires.After(got.Expires)) || !tt.ends && !s.Expires.IsZero() {
				t.Errorf("valid until %v, renewed at %v", s.Expires, got.Expires)
			}
		})
	}
}
