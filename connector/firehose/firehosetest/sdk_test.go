package firehosetest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/firehose/firehosetest"
)

// newClient is the stock client of the AWS SDK.
func newClient(h firehose.HTTPClient, endpoint string, edit func(*firehose.Options)) *firehose.Client {
	o := firehose.Options{
		Region:     "us-east-1",
		HTTPClient: h,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
		}),
	}
	if endpoint != "" {
		o.BaseEndpoint = aws.String(endpoint)
	}
	if edit != nil {
		edit(&o)
	}
	return firehose.New(o)
}

// plainBody hides the WriterTo of the SDK's request body, with which net/http
// may drop a connection whose answer came before the body's end was noticed.
type plainBody struct{ *http.Client }

func (p plainBody) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct {
			io.Reader
			io.Closer
		}{struct{ io.Reader }{r.Body}, r.Body}
	}
	return p.Client.Do(r)
}

func entries(recs ...[]byte) []types.Record {
	var out []types.Record
	for _, r := range recs {
		out = append(out, types.Record{Data: r})
	}
	return out
}

// TestSDK runs the stock client through both transports.
func TestSDK(t *testing.T) {
	s := newService(nil)
	base, client := listen(t, s)
	for name, c := range map[string]*firehose.Client{
		"Do":       newClient(s, "", nil),
		"listener": newClient(plainBody{client}, base, nil),
	} {
		t.Run(name, func(t *testing.T) {
			s.AddStream(firehosetest.Stream{Name: name, Processors: []firehosetest.Processor{{Type: "AppendDelimiterToRecord", Parameters: map[string]string{"Delimiter": `\n`}}}})
			ctx := context.Background()
			out, err := c.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &name, Records: entries(text("a", "", "c")...)})
			if err != nil || *out.FailedPutCount != 0 || len(out.RequestResponses) != 3 || len(*out.RequestResponses[2].RecordId) != 224 {
				t.Fatalf("got %+v, %v", out, err)
			}
			if _, err := c.PutRecord(ctx, &firehose.PutRecordInput{DeliveryStreamName: &name, Record: &types.Record{Data: []byte("d")}}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"a", "", "c", "d"}, stored(s, name)); diff != "" {
				t.Error(diff)
			}
			describe(t, c, name)
			list, err := c.ListDeliveryStreams(ctx, &firehose.ListDeliveryStreamsInput{Limit: aws.Int32(1), ExclusiveStartDeliveryStreamName: aws.String("l")})
			if err != nil || len(list.DeliveryStreamNames) != 1 {
				t.Errorf("got %+v, %v", list, err)
			}
		})
	}
}

func describe(t *testing.T, c *firehose.Client, name string) {
	t.Helper()
	out, err := c.DescribeDeliveryStream(context.Background(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name, Limit: aws.Int32(1)})
	if err != nil {
		t.Fatal(err)
	}
	d := out.DeliveryStreamDescription
	if *d.DeliveryStreamARN != "arn:aws:firehose:us-east-1:123456789012:deliverystream/"+name || *d.DeliveryStreamName != name ||
		d.DeliveryStreamStatus != types.DeliveryStreamStatusActive || d.DeliveryStreamType != types.DeliveryStreamTypeDirectPut ||
		*d.VersionId != "1" || *d.HasMoreDestinations || len(d.Destinations) != 1 || time.Since(*d.CreateTimestamp).Abs() > time.Hour {
		t.Errorf("got %+v", d)
	}
	p := d.Destinations[0].ExtendedS3DestinationDescription.ProcessingConfiguration
	if !*p.Enabled || p.Processors[0].Type != types.ProcessorTypeAppendDelimiterToRecord || *p.Processors[0].Parameters[0].ParameterValue != `\n` {
		t.Errorf("got %+v", p)
	}
}

// TestSDKErrors gets the SDK's own types for the service's errors.
func TestSDKErrors(t *testing.T) {
	ctx := context.Background()
	one := func(o *firehose.Options) { o.Retryer = aws.NopRetryer{} }
	s := newService(func(o *firehosetest.Options) {
		o.Streams = append(o.Streams, firehosetest.Stream{Name: "kms", Refusal: "InvalidKMSResourceException"},
			firehosetest.Stream{Name: "logs", Refusal: "InvalidSourceException"})
	})
	c := newClient(s, "", one)
	put := func(stream string, recs ...[]byte) error {
		_, err := c.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: append([]types.Record{}, entries(recs...)...)})
		return err
	}
	x := []byte("x")
	if _, ok := errors.AsType[*types.ResourceNotFoundException](put("nope", x)); !ok {
		t.Error(put("nope", x))
	}
	if _, ok := errors.AsType[*types.InvalidArgumentException](put("orders", sized(5, 1_000_000)...)); !ok {
		t.Error("4 MB")
	}
	if _, ok := errors.AsType[*types.InvalidKMSResourceException](put("kms", x)); !ok {
		t.Error(put("kms", x))
	}
	if _, ok := errors.AsType[*types.InvalidSourceException](put("logs", x)); !ok {
		t.Error(put("logs", x))
	}
	if e, ok := errors.AsType[smithy.APIError](put("orders")); !ok || e.ErrorCode() != "ValidationException" {
		t.Error(put("orders"))
	}
	s.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseRequest}})
	if _, ok := errors.AsType[*types.ServiceUnavailableException](put("orders", x)); !ok {
		t.Error(put("orders", x))
	}
	s.SetFaults([]firehosetest.Fault{{Effect: firehosetest.RefuseRequest, Code: "AccessDeniedException", Message: "no"}})
	if e, ok := errors.AsType[smithy.APIError](put("orders", x)); !ok || e.ErrorCode() != "AccessDeniedException" || e.ErrorMessage() != "no" {
		t.Error(put("orders", x))
	}
}

// TestSDKOwnKey: a stream with a key of its own is described with it, and an unusable key is told in both of the service's forms.
func TestSDKOwnKey(t *testing.T) {
	const key, name = "arn:aws:kms:us-east-1:123456789012:key/own", "keyed"
	s := newService(func(o *firehosetest.Options) {
		o.Streams = append(o.Streams, firehosetest.Stream{Name: name, Key: key})
	})
	c := newClient(s, "", func(o *firehose.Options) { o.Retryer = aws.NopRetryer{} })
	out, err := c.DescribeDeliveryStream(t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	e := out.DeliveryStreamDescription.DeliveryStreamEncryptionConfiguration
	if e.Status != types.DeliveryStreamEncryptionStatusEnabled || e.KeyType != types.KeyTypeCustomerManagedCmk || aws.ToString(e.KeyARN) != key {
		t.Errorf("described with %+v", e)
	}
	put := func() error {
		out, err := c.PutRecordBatch(t.Context(), &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String(name), Records: entries([]byte("x"))})
		if err == nil && !aws.ToBool(out.Encrypted) {
			t.Error("the answer says that it is not encrypted")
		}
		return err
	}
	faults, err := firehosetest.ParseFaults(strings.NewReader(`[{"effect": "refuse-key", "times": 1}, {"effect": "refuse-key", "code": "AccessDeniedException", "from": 2, "to": 2}]`))
	if err != nil {
		t.Fatal(err)
	}
	s.SetFaults(faults)
	if e, ok := errors.AsType[*types.InvalidKMSResourceException](put()); !ok || !strings.HasPrefix(e.ErrorMessage(), "The grant for the CMK to this delivery stream might") {
		t.Error(e)
	}
	if e, ok := errors.AsType[smithy.APIError](put()); !ok || e.ErrorCode() != "AccessDeniedException" || !strings.Contains(e.ErrorMessage(), "not authorized to perform: kms:GenerateDataKey on resource: "+key+" because") {
		t.Error(e)
	}
	if n := len(s.Stored(name)); n != 0 {
		t.Errorf("%d records are stored", n)
	}
	if err := put(); err != nil {
		t.Error(err)
	}
	if _, err := firehosetest.ParseFaults(strings.NewReader(`[{"effect": "refuse-key", "code": "Other"}]`)); err == nil || !strings.Contains(err.Error(), "AccessDeniedException") {
		t.Error(err)
	}
	if err := (firehosetest.Stream{Name: name, Key: "arn:aws:kms:us-east-1:123456789012:alias/own"}).Validate(); err == nil {
		t.Error("an alias is taken for a key")
	}
}

// TestSDKClockSkew lets the stock client find out the service's time.
func TestSDKClockSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(func(o *firehosetest.Options) {
			o.Faults = []firehosetest.Fault{{Effect: firehosetest.ClockSkew, Skew: -time.Hour}}
		})
		c := newClient(s, "", nil)
		for range 2 {
			if _, err := c.PutRecordBatch(context.Background(), &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String("orders"), Records: entries([]byte("x"))}); err != nil {
				t.Error(err)
			}
		}
		if got := s.Stats().Outcomes; got["200"] != 2 || got["InvalidSignatureException"] != 1 {
			t.Errorf("got %v", got)
		}
	})
}

// TestSDKRetries has an outage, and a store-then-reset that the stock client
// turns into a duplicate.
func TestSDKRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(func(o *firehosetest.Options) {
			o.Faults = []firehosetest.Fault{{Effect: firehosetest.Outage, To: 1}, {Effect: firehosetest.Reset, Stored: true, To: 1}}
		})
		c := newClient(s, "", nil)
		if _, err := c.PutRecordBatch(context.Background(), &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String("orders"), Records: entries([]byte("x"))}); err != nil {
			t.Fatal(err)
		}
		got := s.Stored("orders")
		if len(got) != 2 || got[0].Answered || !got[1].Answered {
			t.Errorf("got %+v", got)
		}
	})
}

// TestControlPlane has the five calls a second, for each operation by itself,
// and the members that lists and descriptions take.
func TestControlPlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(func(o *firehosetest.Options) {
			o.Streams = append(o.Streams, firehosetest.Stream{Name: "msk", Type: "MSKAsSource"})
		})
		describe := call{op: "DescribeDeliveryStream", body: `{"DeliveryStreamName":"orders","Limit":1}`}
		list := call{op: "ListDeliveryStreams", body: `{}`}
		for range 5 {
			if r := do(t, s, describe); r.status != 200 {
				t.Fatalf("got %s", r.body)
			}
		}
		do(t, s, describe).wantError(t, 400, "ThrottlingException", "Please slow down. Max limit of 5 RPS has breached for DescribeDeliveryStream")
		f := func(c call, want string) {
			t.Helper()
			if r := do(t, s, c); r.status != 200 || string(r.body) != want {
				t.Errorf("got  %s\nwant %s", r.body, want)
			}
			time.Sleep(time.Second)
		}
		f(list, `{"DeliveryStreamNames":["msk","orders"],"HasMoreDeliveryStreams":false}`)
		list.body = `{"Limit":1,"ExclusiveStartDeliveryStreamName":null}`
		f(list, `{"DeliveryStreamNames":["msk"],"HasMoreDeliveryStreams":true}`)
		list.body = `{"Limit":1,"ExclusiveStartDeliveryStreamName":"msk"}`
		f(list, `{"DeliveryStreamNames":["orders"],"HasMoreDeliveryStreams":false}`)
		list.body = `{"DeliveryStreamType":"MSKAsSource"}`
		f(list, `{"DeliveryStreamNames":["msk"],"HasMoreDeliveryStreams":false}`)

		bad := func(c call, code, message string) {
			t.Helper()
			do(t, s, c).wantError(t, 400, code, message)
			time.Sleep(time.Second)
		}
		list.body = `{"DeliveryStreamType":"Kafka","Limit":0}`
		bad(list, "ValidationException", "2 validation errors detected: "+
			violation("'Kafka'", "deliveryStreamType", "satisfy enum value set: [DirectPut, KinesisStreamAsSource, MSKAsSource, DatabaseAsSource]")+"; "+
			violation("'0'", "limit", "have value greater than or equal to 1"))
		describe.body = `{"Limit":10001}`
		bad(describe, "ValidationException", "2 validation errors detected: "+violation("null", "deliveryStreamName", "not be null")+"; "+
			violation("'10001'", "limit", "have value less than or equal to 10000"))
		describe.body = `{"DeliveryStreamName":"nope"}`
		bad(describe, "ResourceNotFoundException", "Firehose nope not found under account 123456789012.")
		describe.body = `{"DeliveryStreamName":"orders","Limit":"1"}`
		bad(describe, "SerializationException", "Limit is not an integer")
	})
}
