package buckettest

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var authorization = regexp.MustCompile(`\AAWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}\z`)

// maxSkew is how far a signature's time may be from the service's.
const maxSkew = 15 * time.Minute

// unsigned is sent over TLS, for a body whose checksum is signed.
const unsigned = "UNSIGNED-PAYLOAD"

// verify checks that a request, with this body, is signed for S3 in the bucket's region by the keys that are known. It signs the
// headers that were signed once more.
func (b *Bucket) verify(req *http.Request, body []byte) error {
	given := req.Header.Get("Authorization")
	m := authorization.FindStringSubmatch(given)
	if m == nil {
		return errors.New("no signature of version 4 for S3")
	}
	key, region, signed := m[1], m[3], strings.Split(m[4], ";")
	payload := req.Header.Get("X-Amz-Content-Sha256")
	at, err := time.Parse("20060102T150405Z", req.Header.Get("X-Amz-Date"))
	switch {
	case key != b.accessKey:
		return errors.New("unknown key " + key)
	case region != b.Region:
		return fmt.Errorf("signed for region %s", region)
	case err != nil, time.Since(at).Abs() > maxSkew:
		return errors.New("signed at another time")
	case payload != digestOf(body) && (payload != unsigned || req.URL.Scheme != "https" || !slices.Contains(signed, "x-amz-checksum-sha256")):
		return errors.New("neither the body nor its checksum is signed")
	}
	again := req.Clone(req.Context())
	again.Header = http.Header{}
	for _, name := range signed {
		if value := req.Header.Values(name); len(value) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = value
		}
	}
	if again.URL.Host == "" {
		again.URL.Scheme, again.URL.Host = "http", req.Host
	}
	err = v4.NewSigner().SignHTTP(req.Context(), aws.Credentials{AccessKeyID: b.accessKey, SecretAccessKey: b.secretKey}, again, payload, "s3", region, at,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil || again.Header.Get("Authorization") != given {
		return fmt.Errorf("the signature is another one: %w", err)
	}
	return nil
}
