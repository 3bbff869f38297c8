package firehosetest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sigAlgorithm = "AWS4-HMAC-SHA256"
	sigEnd       = "aws4_request"
	sigTime      = "20060102T150405Z"

	// maxSkew is how far a signature's time may be from the service's.
	maxSkew = 5 * time.Minute
)

// signature is a parsed Authorization header.
type signature struct {
	accessKey string
	scope     []string // date, region, service, terminator
	signed    []string // header names, lower case, sorted
	hex       string
	date      string // X-Amz-Date
}

// verify checks the signer of r, and that r was not changed after it was signed, for a service in a
// region. now is the service's clock, which a fault may have skewed.
func (k *keys) verify(r *http.Request, body []byte, region, service string, now time.Time) *apiError {
	sig, err := parseSignature(r)
	if err != nil {
		return err
	}
	if err := sig.checkScope(region, service); err != nil {
		return err
	}
	cred, err := k.find(sig.accessKey, r.Header.Get("X-Amz-Security-Token"), now)
	if err != nil {
		return err
	}
	if err := sig.checkTime(now); err != nil {
		return err
	}
	if cred == nil {
		return nil
	}
	if !hmac.Equal([]byte(sig.sign(r, body, cred.SecretKey)), []byte(sig.hex)) {
		return fail(codeInvalidSignature, "The request signature we calculated does not match the signature you provided."+
			" Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// parseSignature takes the Authorization header apart. All that is missing from
// it is reported at once.
func parseSignature(r *http.Request) (*signature, *apiError) {
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return nil, fail(codeMissingToken, "%s", messageOf(codeMissingToken))
	}
	rest, ok := strings.CutPrefix(auth, sigAlgorithm+" ")
	if !ok {
		return nil, fail(codeIncomplete, "Unsupported AWS 'algorithm'; this service takes %s.", sigAlgorithm)
	}
	parts := make(map[string]string) // :: parameter name -> value
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = value
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	sig := &signature{hex: parts["Signature"], date: r.Header.Get("X-Amz-Date")}
	if sig.date == "" {
		missing = append(missing, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if len(missing) > 0 {
		return nil, fail(codeIncomplete, "%s", strings.Join(missing, " "))
	}
	cred := strings.Split(parts["Credential"], "/")
	if len(cred) != 5 {
		return nil, fail(codeIncomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	if b, err := hex.DecodeString(sig.hex); err != nil || len(b) != sha256.Size {
		return nil, fail(codeIncomplete, "Signature must be %d hexadecimal digits.", 2*sha256.Size)
	}
	sig.accessKey, sig.scope = cred[0], cred[1:]
	sig.signed = strings.Split(parts["SignedHeaders"], ";")
	if err := sig.checkSigned(r); err != nil {
		return nil, err
	}
	return sig, nil
}

// checkSigned demands that the host and every x-amz- header is signed.
func (sig *signature) checkSigned(r *http.Request) *apiError {
	if !slices.Contains(sig.signed, "host") {
		return fail(codeInvalidSignature, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	if !slices.IsSorted(sig.signed) {
		return fail(codeInvalidSignature, "SignedHeaders must be in alphabetical order.")
	}
	var names []string
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !slices.Contains(sig.signed, lower) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		return fail(codeInvalidSignature, "'%s' must be a 'SignedHeader' in the AWS Authorization.", strings.Join(names, "', '"))
	}
	return nil
}

// checkScope compares the credential scope with this service.
func (sig *signature) checkScope(region, service string) *apiError {
	date, _, _ := strings.Cut(sig.date, "T")
	switch {
	case sig.scope[0] != date:
		return fail(codeInvalidSignature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			sig.scope[0], date, sig.date)
	case sig.scope[1] != region:
		return fail(codeInvalidSignature, "Credential should be scoped to a valid region, not '%s'. ", sig.scope[1])
	case sig.scope[2] != service:
		return fail(codeInvalidSignature, "Credential should be scoped to correct service: '%s'. ", service)
	case sig.scope[3] != sigEnd:
		return fail(codeInvalidSignature, "Credential should be scoped with a valid terminator: '%s', not '%s'.", sigEnd, sig.scope[3])
	}
	return nil
}

// checkTime refuses a signature that is too old or from the future.
func (sig *signature) checkTime(now time.Time) *apiError {
	at, err := time.Parse(sigTime, sig.date)
	if err != nil {
		return fail(codeIncomplete, "Date must be in ISO-8601 'basic format'. Got '%s'.", sig.date)
	}
	now = now.UTC().Truncate(time.Second)
	if early := now.Add(-maxSkew); at.Before(early) {
		return fail(codeInvalidSignature, "Signature expired: %s is now earlier than %s (%s - 5 min.)",
			sig.date, early.Format(sigTime), now.Format(sigTime))
	}
	if late := now.Add(maxSkew); at.After(late) {
		return fail(codeInvalidSignature, "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			sig.date, late.Format(sigTime), now.Format(sigTime))
	}
	return nil
}

// sign computes what the signature should have been. The hash is that of the
// body that came, whatever X-Amz-Content-Sha256 claims.
func (sig *signature) sign(r *http.Request, body []byte, secret string) string {
	sum := sha256.Sum256(body)
	var c strings.Builder
	c.WriteString(r.Method + "\n" + cmp.Or(r.URL.EscapedPath(), "/") + "\n" + strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20") + "\n")
	for _, name := range sig.signed {
		c.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	c.WriteString("\n" + strings.Join(sig.signed, ";") + "\n" + hex.EncodeToString(sum[:]))
	canonical := sha256.Sum256([]byte(c.String()))
	text := sigAlgorithm + "\n" + sig.date + "\n" + strings.Join(sig.scope, "/") + "\n" + hex.EncodeToString(canonical[:])
	key := []byte("AWS4" + secret)
	for _, part := range sig.scope {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// headerValue is a header as it enters a signature. Two live outside
// http.Header.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		if r.Host != "" {
			return r.Host
		}
		return r.URL.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ",")
}
