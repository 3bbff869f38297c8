package floor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

// Keys sign requests.
type Keys struct{ Access, Secret string }

// signer signs requests. The key that signs changes once a day.
type signer struct {
	keys   Keys
	region string
	day    string
	key    []byte
}

const (
	target      = "Firehose_20150804.PutRecordBatch"
	contentType = "application/x-amz-json-1.1"
	signed      = "content-type;host;x-amz-date;x-amz-target"
)

// sign gives r the headers of a request whose body has this hash,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
func (s *signer) sign(r *http.Request, now time.Time, bodyHash string) {
	at := now.Format("20060102T150405Z")
	if day := at[:8]; day != s.day {
		s.day, s.key = day, []byte("AWS4"+s.keys.Secret)
		for _, part := range []string{day, s.region, "firehose", "aws4_request"} {
			s.key = mac(s.key, part)
		}
	}
	canonical := "POST\n/\n\ncontent-type:" + contentType + "\nhost:" + r.URL.Host + "\nx-amz-date:" + at + "\nx-amz-target:" + target + "\n\n" + signed + "\n" + bodyHash
	sum := sha256.Sum256([]byte(canonical))
	scope := s.day + "/" + s.region + "/firehose/aws4_request"
	signature := hex.EncodeToString(mac(s.key, "AWS4-HMAC-SHA256\n"+at+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))
	r.Header = http.Header{
		"Content-Type": {contentType}, "X-Amz-Date": {at}, "X-Amz-Target": {target},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=" + s.keys.Access + "/" + scope + ", SignedHeaders=" + signed + ", Signature=" + signature},
	}
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
