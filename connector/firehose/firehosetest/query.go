package firehosetest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

// The Query protocol: a form goes in, XML comes out.

const (
	stsVersion   = "2011-06-15"
	stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

	maxExternalID = 1224 // characters

	minSession, maxSession, defaultSession = 15 * time.Minute, 12 * time.Hour, time.Hour
)

var (
	legalRoleARN     = regexp.MustCompile(`\Aarn:aws:iam::\d{12}:role/[\w+=,.@/-]+\z`)
	legalSessionName = regexp.MustCompile(`\A[\w+=,.@-]{2,64}\z`)
	legalExternalID  = regexp.MustCompile(`\A[\w+=,.@:/-]{2,}\z`)
)

// checkForm holds a call against the model and returns how long a session it
// asks for.
func checkForm(form url.Values) (time.Duration, *apiError) {
	invalid := func(format string, args ...any) *apiError {
		return &apiError{code: "ValidationError", status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
	}
	for name, values := range form {
		if len(values) != 1 {
			return 0, invalid("Duplicate parameter %s", name)
		}
	}
	if v := form.Get("Version"); v != stsVersion {
		return 0, invalid("Version %q is not %s", v, stsVersion)
	}
	if arn := form.Get("RoleArn"); !legalRoleARN.MatchString(arn) {
		return 0, invalid("%s is invalid", arn)
	}
	if name := form.Get("RoleSessionName"); !legalSessionName.MatchString(name) {
		return 0, invalid("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint", name)
	}
	if id := form.Get("ExternalId"); form.Has("ExternalId") && (len(id) > maxExternalID || !legalExternalID.MatchString(id)) {
		return 0, invalid("1 validation error detected: Value at 'externalId' failed to satisfy constraint")
	}
	if !form.Has("DurationSeconds") {
		return defaultSession, nil
	}
	seconds, err := strconv.Atoi(form.Get("DurationSeconds"))
	d := time.Duration(seconds) * time.Second
	if err != nil || d < minSession || d > maxSession {
		return 0, invalid("1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint", form.Get("DurationSeconds"))
	}
	return d, nil
}

// denied is IAM's refusal.
func denied(format string, args ...any) *apiError {
	return &apiError{code: "AccessDenied", status: http.StatusForbidden, message: fmt.Sprintf(format, args...)}
}

// inQueryWords gives a refusal of a signature the name and the status that it has
// in this protocol.
func inQueryWords(e *apiError) *apiError {
	names := map[string]string{
		codeExpiredToken:       "ExpiredToken",
		codeUnrecognizedClient: "InvalidClientTokenId",
		codeInvalidSignature:   "SignatureDoesNotMatch",
		codeMissingToken:       "MissingAuthenticationToken",
		codeIncomplete:         "IncompleteSignature",
	}
	return &apiError{code: names[e.code], status: http.StatusForbidden, message: e.message}
}

func writeQueryError(w http.ResponseWriter, e *apiError) {
	type body struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		Space   string   `xml:"xmlns,attr"`
		Type    string   `xml:"Error>Type"`
		Code    string   `xml:"Error>Code"`
		Message string   `xml:"Error>Message"`
		ID      string   `xml:"RequestId"`
	}
	writeXML(w, e.status, body{Space: stsNamespace, Type: "Sender", Code: e.code, Message: e.message, ID: emptyUUID})
}

// writeSession answers with credentials; the two actions differ in the names of
// the elements around them.
func writeSession(w http.ResponseWriter, action string, form url.Values, c Credentials) {
	type result struct {
		XMLName     xml.Name
		AccessKey   string `xml:"Credentials>AccessKeyId"`
		SecretKey   string `xml:"Credentials>SecretAccessKey"`
		Token       string `xml:"Credentials>SessionToken"`
		Expiration  string `xml:"Credentials>Expiration"`
		AssumedRole string `xml:"AssumedRoleUser>Arn"`
		AssumedID   string `xml:"AssumedRoleUser>AssumedRoleId"`
	}
	type response struct {
		XMLName xml.Name
		Space   string `xml:"xmlns,attr"`
		Result  result
		ID      string `xml:"ResponseMetadata>RequestId"`
	}
	account, role := roleName(form.Get("RoleArn"))
	session := form.Get("RoleSessionName")
	writeXML(w, http.StatusOK, response{
		XMLName: xml.Name{Local: action + "Response"}, Space: stsNamespace, ID: emptyUUID,
		Result: result{
			XMLName:   xml.Name{Local: action + "Result"},
			AccessKey: c.AccessKey, SecretKey: c.SecretKey, Token: c.SessionToken, Expiration: c.Expires.Format(time.RFC3339),
			AssumedRole: "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + session, AssumedID: "AROAEXAMPLE:" + session,
		},
	})
}

const emptyUUID = "00000000-0000-4000-8000-000000000000"

func writeXML(w http.ResponseWriter, status int, v any) {
	body, err := xml.Marshal(v)
	if err != nil { // strings always encode
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
