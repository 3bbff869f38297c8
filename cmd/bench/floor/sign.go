package floor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Keys sign requests.
type Keys struct{ Access, Secret string }

// signer makes the heads of requests. The key that signs changes once a day.
type signer struct {
	keys         Keys
	region, host string
	day          string
	key          []byte
}

const (
	target      = "Firehose_20150804.PutRecordBatch"
	contentType = "application/x-amz-json-1.1"
	signed      = "content-type;host;x-amz-date;x-amz-target"
)

// head is the request line and the headers for a body with this hash,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
func (s *signer) head(now time.Time, bodyHash string, size int) string {
	at := now.Format("20060102T150405Z")
	if day := at[:8]; day != s.day {
		s.day, s.key = day, []byte("AWS4"+s.keys.Secret)
		for _, part := range []string{day, s.region, "firehose", "aws4_request"} {
			s.key = mac(s.key, part)
		}
	}
	canonical := "POST\n/\n\ncontent-type:" + contentType + "\nhost:" + s.host + "\nx-amz-date:" + at + "\nx-amz-target:" + target + "\n\n" + signed + "\n" + bodyHash
	sum := sha256.Sum256([]byte(canonical))
	scope := s.day + "/" + s.region + "/firehose/aws4_request"
	signature := hex.EncodeToString(mac(s.key, "AWS4-HMAC-SHA256\n"+at+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))
	return "POST / HTTP/1.1\r\nHost: " + s.host + "\r\nContent-Type: " + contentType + "\r\nX-Amz-Date: " + at + "\r\nX-Amz-Target: " + target +
		"\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + s.keys.Access + "/" + scope + ", SignedHeaders=" + signed + ", Signature=" + signature +
		"\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n"
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
