package gluetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

var authorization = regexp.MustCompile(`\AAWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})\z`)

// maxSkew is how far a signature's time may be from the service's.
const maxSkew = 5 * time.Minute

// verify checks that a request is signed for this service and region, by the keys that it knows.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (r *Registry) verify(req *http.Request, body []byte, now time.Time) error {
	m := authorization.FindStringSubmatch(req.Header.Get("Authorization"))
	if m == nil {
		return errors.New("no signature of version 4")
	}
	key, date, region, service, signed, signature := m[1], m[2], m[3], m[4], strings.Split(m[5], ";"), m[6]
	stamp := req.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", stamp)
	r.mu.Lock()
	secretKey, known := r.keys[key]
	r.mu.Unlock()
	switch {
	case !known:
		return fmt.Errorf("unknown key %s", key)
	case region != Region, service != "glue":
		return fmt.Errorf("signed for %s in %s", service, region)
	case err != nil, !strings.HasPrefix(stamp, date), now.Sub(at).Abs() > maxSkew:
		return fmt.Errorf("signed at %s", stamp)
	case !slices.Contains(signed, "host"), !slices.Contains(signed, "x-amz-target"):
		return fmt.Errorf("only %q are signed", signed)
	}
	var canonical strings.Builder
	canonical.WriteString(req.Method + "\n/\n\n")
	for _, name := range signed {
		value := strings.Join(req.Header.Values(name), ",")
		switch name {
		case "host":
			value = req.Host
			if value == "" {
				value = req.URL.Host
			}
		case "content-length":
			value = fmt.Sprint(len(body))
		}
		canonical.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	canonical.WriteString("\n" + m[5] + "\n" + digest(body))
	secret := []byte("AWS4" + secretKey)
	for _, part := range []string{date, region, service, "aws4_request"} {
		secret = mac(secret, part)
	}
	text := "AWS4-HMAC-SHA256\n" + stamp + "\n" + strings.Join([]string{date, region, service, "aws4_request"}, "/") + "\n" + digest([]byte(canonical.String()))
	if want := hex.EncodeToString(mac(secret, text)); want != signature {
		return errors.New("the signature is another one")
	}
	return nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
