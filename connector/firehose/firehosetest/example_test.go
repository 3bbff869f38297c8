package firehosetest_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/firehose/firehosetest"
)

// Example uses a service as the AWS SDK's HTTP client. A put whose answer says
// 200 and nothing else has, in this script, stored its record all the same.
func Example() {
	svc := firehosetest.New(firehosetest.Options{
		Credentials: []firehosetest.Credentials{{AccessKey: "AKID", SecretKey: "secret"}},
		Streams:     []firehosetest.Stream{{Name: "orders"}},
	})
	svc.SetFaults([]firehosetest.Fault{
		{Effect: firehosetest.EmptyObject, Stored: true, To: 1},
		{Effect: firehosetest.RefuseRecords, Indexes: []int{1}, From: 2},
	})

	client := firehose.New(firehose.Options{
		Region:     "us-east-1",
		HTTPClient: svc,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
		}),
	})
	for range 2 {
		out, err := client.PutRecordBatch(context.Background(), &firehose.PutRecordBatchInput{
			DeliveryStreamName: aws.String("orders"),
			Records:            []types.Record{{Data: []byte("one")}, {Data: []byte("two")}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(len(out.RequestResponses), "answers,", aws.ToInt32(out.FailedPutCount), "failed")
	}
	for _, r := range svc.Stored("orders") {
		fmt.Printf("call %d, record %d: %s, answered %t\n", r.Call, r.Index, r.Data, r.Answered)
	}
	// Output:
	// 0 answers, 0 failed
	// 2 answers, 1 failed
	// call 1, record 0: one, answered false
	// call 1, record 1: two, answered false
	// call 2, record 0: one, answered true
}
