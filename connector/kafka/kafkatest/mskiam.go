package kafkatest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MSKIAM checks logins with the mechanism AWS_MSK_IAM as Amazon MSK does. It is
// written from the documents and shares nothing with the SDK.
//
// https://github.com/aws/aws-msk-iam-auth#details
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
type MSKIAM struct {
	Region string
	Keys   map[string]string // :: access key -> secret key
	Tokens map[string]string // :: access key -> session token, for those that have one
}

// mskSkew is how far the client's clock may be ahead, and mskLongest for how long it may
// sign.
const (
	mskSkew    = 5 * time.Minute
	mskLongest = 15 * time.Minute
)

// Verify returns the access key that has signed for the host, or the fault of the login.
func (m MSKIAM) Verify(login []byte, host string) (key string, err error) {
	var f map[string]string
	if err := json.Unmarshal(login, &f); err != nil {
		return "", fmt.Errorf("the login is not a flat JSON object: %w", err)
	}
	for name, want := range map[string]string{
		"version": "2020_10_22", "host": host, "action": "kafka-cluster:Connect",
		"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-signedheaders": "host",
	} {
		if f[name] != want {
			return "", fmt.Errorf("%s is %q, want %q", name, f[name], want)
		}
	}
	if f["user-agent"] == "" {
		return "", fmt.Errorf("there is no user-agent")
	}
	signed, err := time.Parse("20060102T150405Z", f["x-amz-date"])
	if err != nil {
		return "", err
	}
	seconds, err := strconv.Atoi(f["x-amz-expires"])
	life := time.Duration(seconds) * time.Second
	if err != nil || life <= 0 || life > mskLongest {
		return "", fmt.Errorf("x-amz-expires is %q", f["x-amz-expires"])
	}
	if now := time.Now(); now.After(signed.Add(life)) || now.Before(signed.Add(-mskSkew)) {
		return "", fmt.Errorf("signed at %s for %s, it is %s", signed, life, now)
	}
	key, scope, _ := strings.Cut(f["x-amz-credential"], "/")
	if want := signed.Format("20060102") + "/" + m.Region + "/kafka-cluster/aws4_request"; scope != want {
		return "", fmt.Errorf("the scope is %q, want %q", scope, want)
	}
	secret, ok := m.Keys[key]
	if !ok {
		return "", fmt.Errorf("nobody has the access key %q", key)
	}
	if f["x-amz-security-token"] != m.Tokens[key] {
		return "", fmt.Errorf("the session token is not that of %s", key)
	}
	if got := m.sign(f, scope, secret); got != f["x-amz-signature"] {
		return "", fmt.Errorf("the signature is %q, want %q", f["x-amz-signature"], got)
	}
	return key, nil
}

// sign computes the signature of what the fields stand for.
func (m MSKIAM) sign(f map[string]string, scope, secret string) string {
	var query []string
	for name, parameter := range map[string]string{ //nolint:gosec // names of fields
		"action": "Action", "x-amz-algorithm": "X-Amz-Algorithm", "x-amz-credential": "X-Amz-Credential", "x-amz-date": "X-Amz-Date",
		"x-amz-expires": "X-Amz-Expires", "x-amz-signedheaders": "X-Amz-SignedHeaders", "x-amz-security-token": "X-Amz-Security-Token",
	} {
		if value, ok := f[name]; ok {
			query = append(query, parameter+"="+strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
		}
	}
	slices.Sort(query)
	request := "GET\n/\n" + strings.Join(query, "&") + "\nhost:" + f["host"] + "\n\nhost\n" + hash("")
	text := "AWS4-HMAC-SHA256\n" + f["x-amz-date"] + "\n" + scope + "\n" + hash(request)
	key := []byte("AWS4" + secret)
	for _, part := range append(strings.Split(scope, "/"), text) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
