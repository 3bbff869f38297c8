package firehose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/google/go-cmp/cmp"
)

// capture keeps the request and sends nothing.
type capture struct {
	header http.Header
	body   []byte
	length int64
}

func (c *capture) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.header, c.body, c.length = r.Header.Clone(), body, r.ContentLength
	for _, h := range []string{"Amz-Sdk-Invocation-Id", "Authorization", "X-Amz-Date"} {
		c.header.Del(h) // differ from call to call
	}
	return nil, errors.New("captured")
}

func sdk(h aws.HTTPClient, ours bool) *firehose.Client {
	return firehose.New(firehose.Options{
		Region: "us-east-1", HTTPClient: h, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "s"}, nil
		}),
	}, func(o *firehose.Options) {
		if ours {
			o.Protocol = protocol{o.Protocol}
		}
	})
}

// TestBodyIsTheStockOne compares what goes out with the SDK's own serializer: an
// upgrade that moves it must fail here.
func TestBodyIsTheStockOne(t *testing.T) {
	f := func(stream string, data ...[]byte) {
		t.Helper()
		in := &firehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: []types.Record{}}
		for _, d := range data {
			in.Records = append(in.Records, types.Record{Data: d})
		}
		var stock, ours capture
		_, _ = sdk(&stock, false).PutRecordBatch(t.Context(), in)
		_, _ = sdk(&ours, true).PutRecordBatch(t.Context(), in)
		if !bytes.Equal(stock.body, ours.body) || stock.length != ours.length {
			t.Errorf("stream %q, %d records: the body is %d bytes\n%.200q, want %d\n%.200q", stream, len(data), ours.length, ours.body, stock.length, stock.body)
		}
		if diff := cmp.Diff(stock.header, ours.header); diff != "" {
			t.Errorf("the headers differ: %s", diff)
		}
	}
	f("orders", []byte("a"), []byte("ab"), []byte("abc"), []byte{}, []byte("\xff\xfb\xef"))
	f("a.b_C-9")
	f(`odd"name<&>\`, []byte("x"))
	var many [][]byte
	for i := range 500 {
		many = append(many, bytes.Repeat([]byte{byte(i)}, i*7))
	}
	f("orders", many...)
	if body := encode("s", []types.Record{{Data: many[3]}, {Data: many[9]}}); cap(body)-len(body) > 2 {
		t.Errorf("%d bytes of the buffer are left over: its size was not computed", cap(body)-len(body))
	}
}

// BenchmarkPut is a request of 500 records up to the wire, signed:
//
//	go test ./connector/firehose -run - -bench Put -benchmem
func BenchmarkPut(b *testing.B) {
	stream := "orders"
	for _, size := range []int{200, 1 << 10, 8 << 10} {
		in := &firehose.PutRecordBatchInput{DeliveryStreamName: &stream}
		for range 500 {
			in.Records = append(in.Records, types.Record{Data: bytes.Repeat([]byte{'x'}, size)})
		}
		for _, ours := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/%v", size, map[bool]string{false: "stock", true: "ours"}[ours]), func(b *testing.B) {
				client := sdk(discard{}, ours)
				b.ReportAllocs()
				b.SetBytes(int64(500 * size))
				for b.Loop() {
					_, _ = client.PutRecordBatch(context.Background(), in)
				}
			})
		}
	}
}

type discard struct{}

func (discard) Do(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return nil, errors.New("discarded")
}
