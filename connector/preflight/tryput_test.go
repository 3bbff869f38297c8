package preflight

import (
	"context"
	"strings"
	"testing"

	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/smithy-go"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/preflight/check"
)

// ownARN is the ARN of a customer managed key.
const ownARN = "arn:aws:kms:us-east-1:123456789012:key/own"

// TestTryPut: what the service says to a request without records. Nothing is stored.
func TestTryPut(t *testing.T) {
	for name, tt := range map[string]struct {
		streams []firehosetest.Stream
		faults  []firehosetest.Fault
		want    string
		worst   check.Severity
	}{
		"authorized": {[]firehosetest.Stream{{Name: "orders"}}, nil, "fine, puts are authorized", check.OK},
		"with a key": {[]firehosetest.Stream{{Name: "orders", Key: ownARN}}, []firehosetest.Fault{{Effect: firehosetest.RefuseKey}}, "fine, puts are authorized, the key was not tried", check.OK},
		"denied":     {[]firehosetest.Stream{{Name: "orders", Refusal: "AccessDeniedException"}}, nil, "may not be written to: User: arn:aws:iam::", check.Error},
		"key":        {[]firehosetest.Stream{{Name: "orders"}}, []firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Code: "InvalidKMSResourceException"}}, "can't be written to: InvalidKMSResourceException", check.Error},
		"key, denied": {
			[]firehosetest.Stream{{Name: "orders"}},
			[]firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Code: "AccessDeniedException", Message: "User: u is not authorized to perform: kms:GenerateDataKey on resource: arn:k"}},
			"can't be written to: AccessDeniedException: User: u is not authorized to perform: kms:GenerateDataKey on resource: arn:k; the caller needs", check.Error,
		},
		"key, not named": {
			[]firehosetest.Stream{{Name: "orders", Key: ownARN}},
			[]firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Code: "InvalidKMSResourceException"}},
			"can't be written to: InvalidKMSResourceException: The grant for the CMK to this delivery stream might have been revoked or caller might not have sufficient permissions for the CMK; " +
				"the caller needs kms:GenerateDataKey and kms:Decrypt on the key that encrypts the stream, and the key has to be enabled; the stream was described with the key " + ownARN, check.Error,
		},
		"busy": {[]firehosetest.Stream{{Name: "orders"}}, []firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Code: "ThrottlingException"}}, "fine, putting was not tried", check.OK},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, firehosetest.Options{Streams: tt.streams, Faults: tt.faults}, func(w *streamWorld) {
				var found check.Findings
				found.AddOK(check.Stream, "orders", "fine")
				tryPut(w.t.Context(), w.client, "orders", w.svc.Streams()[0].Key, &found)
				last := found[len(found)-1]
				if !strings.HasPrefix(last.Found, tt.want) || last.Severity != tt.worst {
					t.Errorf("found %+v, want %q", found, tt.want)
				}
				if strings.HasPrefix(name, "key") && last.Advice != "" {
					t.Errorf("advises %q, which doesn't help with a key", last.Advice)
				}
				if n := len(w.svc.Stored("orders")); n > 0 {
					t.Errorf("%d records are stored", n)
				}
			})
		})
	}
}

// refusing answers every put with an error.
type refusing struct{ code string }

func (r refusing) PutRecordBatch(context.Context, *awsfirehose.PutRecordBatchInput, ...func(*awsfirehose.Options)) (*awsfirehose.PutRecordBatchOutput, error) {
	return nil, &smithy.GenericAPIError{Code: r.code}
}

// TestTryPutSaysNothingTwice: a stream that is missing is told once.
func TestTryPutSaysNothingTwice(t *testing.T) {
	var found check.Findings
	found.AddError(check.Stream, "orders", "does not exist", "create it")
	tryPut(t.Context(), refusing{"ThrottlingException"}, "orders", "", &found)
	if len(found) != 1 || found[0].Found != "does not exist" {
		t.Errorf("found %+v", found)
	}
}
