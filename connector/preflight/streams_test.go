package preflight

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/preflight/check"
)

// answering is a Describer that says the same always.
type answering struct {
	description types.DeliveryStreamDescription
	err         error
}

func (a answering) DescribeDeliveryStream(context.Context, *awsfirehose.DescribeDeliveryStreamInput, ...func(*awsfirehose.Options)) (*awsfirehose.DescribeDeliveryStreamOutput, error) {
	if a.err != nil {
		return nil, a.err
	}
	return &awsfirehose.DescribeDeliveryStreamOutput{DeliveryStreamDescription: &a.description}, nil
}

// TestInspectStream: what a description says of a stream, beside what it does with our
// records, which TestSends is about.
func TestInspectStream(t *testing.T) {
	converts := &types.ExtendedS3DestinationDescription{DataFormatConversionConfiguration: &types.DataFormatConversionConfiguration{Enabled: aws.Bool(true)}}
	stream := func(change func(*types.DeliveryStreamDescription)) answering {
		d := types.DeliveryStreamDescription{
			DeliveryStreamStatus: types.DeliveryStreamStatusActive, DeliveryStreamType: types.DeliveryStreamTypeDirectPut,
			Destinations: []types.DestinationDescription{{HttpEndpointDestinationDescription: &types.HttpEndpointDestinationDescription{}}},
		}
		change(&d)
		return answering{description: d}
	}
	encrypted := func(e types.DeliveryStreamEncryptionConfiguration) answering {
		return stream(func(d *types.DeliveryStreamDescription) { d.DeliveryStreamEncryptionConfiguration = &e })
	}
	why := &types.FailureDescription{Type: types.DeliveryStreamFailureTypeDisabledKmsKey, Details: aws.String("the key\nis off")}
	for name, test := range map[string]struct {
		api  answering
		want check.Finding
	}{
		"fine":     {stream(func(*types.DeliveryStreamDescription) {}), check.Finding{Severity: check.OK, Found: "ACTIVE, DirectPut, to HTTP endpoint, no server-side encryption"}},
		"creating": {stream(func(d *types.DeliveryStreamDescription) { d.DeliveryStreamStatus = types.DeliveryStreamStatusCreating }), check.Finding{Severity: check.Warning, Found: "is being created", Advice: "the service waits for up to 2m0s"}},
		"failed": {stream(func(d *types.DeliveryStreamDescription) {
			d.DeliveryStreamStatus, d.FailureDescription = types.DeliveryStreamStatusCreatingFailed, why
		}), check.Finding{Severity: check.Error, Found: "is CREATING_FAILED, not ACTIVE (DISABLED_KMS_KEY: the key is off)", Advice: "create it anew"}},
		"encrypted":     {encrypted(types.DeliveryStreamEncryptionConfiguration{Status: types.DeliveryStreamEncryptionStatusEnabled, KeyType: types.KeyTypeAwsOwnedCmk}), check.Finding{Severity: check.OK, Found: "ACTIVE, DirectPut, to HTTP endpoint, encryption ENABLED with a key of AWS"}},
		"own key":       {encrypted(types.DeliveryStreamEncryptionConfiguration{Status: types.DeliveryStreamEncryptionStatusEnabled, KeyType: types.KeyTypeCustomerManagedCmk, KeyARN: aws.String("arn:k")}), check.Finding{Severity: check.OK, Found: "ACTIVE, DirectPut, to HTTP endpoint, encryption ENABLED with the key arn:k", Advice: keyAdvice}},
		"not encrypted": {encrypted(types.DeliveryStreamEncryptionConfiguration{Status: types.DeliveryStreamEncryptionStatusEnablingFailed, FailureDescription: why}), check.Finding{Severity: check.Warning, Found: "its encryption is ENABLING_FAILED (DISABLED_KMS_KEY: the key is off)", Advice: "look at its key, the key's policy and grants"}},
		"converts": {stream(func(d *types.DeliveryStreamDescription) {
			d.Destinations = []types.DestinationDescription{{ExtendedS3DestinationDescription: converts}}
		}), check.Finding{Severity: check.OK, Found: "ACTIVE, DirectPut, to S3, no server-side encryption; it converts records from JSON, and RECORD_FORMAT is raw", Advice: "see to it that all values are JSON"}},
		"missing": {answering{err: &types.ResourceNotFoundException{Message: aws.String("no stream")}}, check.Finding{Severity: check.Error, Found: "does not exist in this account and region: ResourceNotFoundException: no stream", Advice: "create it, or look at FIREHOSE_STREAM, FIREHOSE_ROUTES and AWS_REGION"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Kind, test.want.Name = check.Stream, "s"
			got, _ := inspectStream(t.Context(), test.api, "s", SentRecords{Delimiter: "\n", Raw: true}, false)
			if len(got) != 1 || got[0] != test.want {
				t.Errorf("found %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestInspectEncryption: a stream that FIREHOSE_REQUIRE_ENCRYPTION would block is an error before it gets a record, and what the key of a stream
// asks for is told beside what else is wrong with the stream.
func TestInspectEncryption(t *testing.T) {
	status := types.DeliveryStreamStatusActive
	look := func(e *types.DeliveryStreamEncryptionConfiguration) check.Findings {
		d := types.DeliveryStreamDescription{DeliveryStreamStatus: status, DeliveryStreamType: types.DeliveryStreamTypeDirectPut, DeliveryStreamEncryptionConfiguration: e}
		found, key := inspectStream(t.Context(), answering{description: d}, "s", SentRecords{}, true)
		if want := firehose.OwnKey(&d); key != want || e != nil && key != aws.ToString(e.KeyARN) {
			t.Errorf("the key is %q, want %q", key, want)
		}
		return found
	}
	own := &types.DeliveryStreamEncryptionConfiguration{Status: types.DeliveryStreamEncryptionStatusEnabled, KeyType: types.KeyTypeCustomerManagedCmk, KeyARN: aws.String("arn:k")}
	for _, e := range []*types.DeliveryStreamEncryptionConfiguration{nil, {Status: types.DeliveryStreamEncryptionStatusDisabled}} {
		if found := look(e); len(found) != 1 || found[0].Severity != check.Error || !strings.Contains(found[0].Found, "FIREHOSE_REQUIRE_ENCRYPTION") {
			t.Errorf("not encrypted: %+v", found)
		}
	}
	if found := look(own); len(found) != 1 || found[0].Severity != check.OK {
		t.Errorf("encrypted: %+v", found)
	}
	status = types.DeliveryStreamStatusCreating
	if found := look(own); len(found) != 2 || found[1].Found != "encryption ENABLED with the key arn:k" || found[1].Advice != keyAdvice {
		t.Errorf("being created: %+v", found)
	}
}

// TestInspectStreamStops: with an answer that never comes, the caller's time is all it takes.
func TestInspectStreamStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, _ := inspectStream(ctx, answering{err: errors.New("never")}, "s", SentRecords{}, false)
	if len(got) != 1 || got[0].Severity != check.Error {
		t.Errorf("found %+v, want one error", got)
	}
}
