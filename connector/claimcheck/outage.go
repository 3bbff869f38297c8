package claimcheck

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/retry"
)

var (
	errNoProof      = errors.New("the answer has no ETag: it is not S3 that answers")
	errOtherContent = errors.New("the answer has the checksum of another content")
)

// maxQuietFailures of one object in a row are not logged: they pass.
const maxQuietFailures = 2

// loggedOutage is the last line of the log about an outage.
type loggedOutage int

const (
	loggedNone loggedOutage = iota
	loggedDown
	loggedBlocked
)

// CurrentOutage returns why values wait for the bucket, nil while none waits after a failure. A blocked one comes first, then the
// oldest.
func (u *Uploader) CurrentOutage() *retry.Outage {
	u.mu.Lock()
	defer u.mu.Unlock()
	var worst *retry.Outage
	for _, t := range u.failing {
		if worst == nil || t.Blocked && !worst.Blocked || t.Blocked == worst.Blocked && t.Since.Before(worst.Since) {
			worst = t
		}
	}
	return worst
}

// noteFailure counts an attempt that failed. The log has the beginning of an outage, and once more that it needs a repair.
func (u *Uploader) noteFailure(o *Object, failures int, err error) {
	reason := reasonOf(err)
	if reason == reasonCredentials {
		u.client.InvalidateCredentials()
	}
	u.metrics.Errors.WithLabelValues(reason).Inc()
	u.metrics.Blocked.Set(1)
	u.mu.Lock()
	defer u.mu.Unlock()
	now := retry.ExtendOutage(u.failing[o], u.explainError(reason, err), needsRepair(reason))
	u.failing[o] = now
	switch {
	case now.Blocked && u.logged < loggedBlocked:
		u.logged = loggedBlocked
		u.log.Error("the claim-check bucket takes no objects until this is repaired; trying again every 10 s, and the partitions of large records wait", "error", now.Err, "waiting", len(u.failing))
	case failures > maxQuietFailures && u.logged < loggedDown:
		u.logged = loggedDown
		u.log.Warn("the claim-check bucket takes no objects; trying again until it does, and the partitions of large records wait", "error", now.Err, "waiting", len(u.failing))
	}
}

// endOutage forgets the failures of an object that was uploaded or given up.
func (u *Uploader) endOutage(o *Object) {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.failing[o]
	delete(u.failing, o)
	if t == nil || len(u.failing) > 0 {
		return
	}
	u.metrics.Blocked.Set(0)
	if u.logged > loggedNone {
		u.logged = loggedNone
		u.log.Info("no value waits for the claim-check bucket after a failure any more", "after", time.Since(t.Since).Round(time.Millisecond).String())
	}
}

// The reasons, which are metrics.ClaimCheckErrors.
const (
	reasonNoBucket    = "no_bucket"
	reasonDenied      = "authorization"
	reasonKey         = "kms"
	reasonCredentials = "credentials"
	reasonThrottled   = "throttled"
	reasonUnavailable = "unavailable"
	reasonConnection  = "connection"
	reasonOther       = "other"
)

// reasonsOfCodes has S3's codes with a reason of their own. For others the HTTP status decides.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var reasonsOfCodes = map[string]string{
	"NoSuchBucket": reasonNoBucket,
	"SlowDown":     reasonThrottled, "Throttling": reasonThrottled, "ThrottlingException": reasonThrottled, "RequestLimitExceeded": reasonThrottled, "TooManyRequests": reasonThrottled,
	"InvalidAccessKeyId": reasonCredentials, "SignatureDoesNotMatch": reasonCredentials, "ExpiredToken": reasonCredentials, "InvalidToken": reasonCredentials,
	"TokenRefreshRequired": reasonCredentials, "RequestTimeTooSkewed": reasonCredentials, "RequestExpired": reasonCredentials,
	"RequestTimeout": reasonConnection,
}

// reasonOf is the label of an error.
func reasonOf(err error) string {
	if _, ok := errors.AsType[*awsconfig.FetchError](err); ok {
		return reasonCredentials
	}
	code, message := errorCode(err)
	answer, answered := errors.AsType[*awshttp.ResponseError](err)
	status := 0
	if answered {
		status = answer.HTTPStatusCode()
	}
	reason, known := reasonsOfCodes[code]
	switch {
	case known:
		return reason
	case strings.HasPrefix(code, "KMS."), status == http.StatusForbidden && strings.Contains(message, "kms:"):
		return reasonKey
	case status == http.StatusForbidden:
		return reasonDenied
	case status == http.StatusTooManyRequests:
		return reasonThrottled
	case status >= http.StatusInternalServerError:
		return reasonUnavailable
	case status == 0 && !errors.Is(err, errNoProof) && !errors.Is(err, errOtherContent), errors.Is(err, context.DeadlineExceeded):
		return reasonConnection
	}
	return reasonOther
}

func errorCode(err error) (code, message string) {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode(), api.ErrorMessage()
	}
	return "", ""
}

// needsRepair reports whether only an operator can end a failure.
func needsRepair(reason string) bool {
	return slices.Contains([]string{reasonNoBucket, reasonDenied, reasonKey, reasonCredentials}, reason)
}

// explainError says what to do about an error. Its text holds nothing of a record and no secret.
func (u *Uploader) explainError(reason string, err error) error {
	text := awsconfig.CleanMessage(awsconfig.RootCause(err))
	if code, message := errorCode(err); code != "" && code != awsconfig.UnknownError {
		text = strings.TrimSuffix(awsconfig.CleanMessage(code)+": "+awsconfig.CleanMessage(message), ": ")
	}
	switch reason {
	case reasonNoBucket:
		return fmt.Errorf("bucket %s does not exist: create it, or correct %s: %s", u.bucket, urlName, text)
	case reasonDenied:
		return fmt.Errorf("access is denied: grant s3:PutObject on arn:aws:s3:::%s/%s*, and if a key of KMS encrypts the bucket, kms:GenerateDataKey on it: %s", u.bucket, u.prefix, text)
	case reasonKey:
		return fmt.Errorf("the KMS key of bucket %s can't be used: enable it, or grant kms:GenerateDataKey on it: %s", u.bucket, text)
	case reasonCredentials:
		if fetch, ok := errors.AsType[*awsconfig.FetchError](err); ok {
			text = awsconfig.CleanMessage(fetch.Error())
		}
		return fmt.Errorf("no AWS credentials that S3 accepts: renew them, or look at the clock of this machine: %s", text)
	}
	return errors.New(text)
}
