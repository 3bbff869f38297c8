package putbatch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/pool"
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
			o.Protocol = batchProtocol{o.Protocol}
			o.APIOptions = append(o.APIOptions, addHash)
		}
	})
}

// TestBodyIsTheStockOne compares what goes out with the SDK's own serializer: an
// upgrade that moves it must fail here. The same must go out of a buffer that was
// used before, and as part of a stream's call.
func TestBodyIsTheStockOne(t *testing.T) {
	x := &callExchange{pool: pool.New[byte](64<<20, 16)}
	f := func(stream string, data ...[]byte) {
		t.Helper()
		in := &firehose.PutRecordBatchInput{DeliveryStreamName: &stream, Records: []types.Record{}}
		for _, d := range data {
			in.Records = append(in.Records, types.Record{Data: d})
		}
		x.pool.Put(bytes.Repeat([]byte{'#'}, encodedLen(stream, in.Records)))
		var stock, ours, again capture
		_, _ = sdk(&stock, false).PutRecordBatch(t.Context(), in)
		_, _ = sdk(&ours, true).PutRecordBatch(t.Context(), in)
		_, _ = sdk(&again, true).PutRecordBatch(x.withExchange(t.Context()), in)
		x.endExchange()
		for _, c := range []capture{ours, again} {
			if !bytes.Equal(stock.body, c.body) || stock.length != c.length {
				t.Errorf("stream %q, %d records: the body is %d bytes\n%.200q, want %d\n%.200q", stream, len(data), c.length, c.body, stock.length, stock.body)
			}
			if diff := cmp.Diff(stock.header, c.header); diff != "" {
				t.Errorf("the headers differ: %s", diff)
			}
		}
		if n := encodedLen(stream, in.Records); plainName(stream) && n != len(ours.body) {
			t.Errorf("stream %q, %d records: %d bytes were expected, and there are %d", stream, len(data), n, len(ours.body))
		}
	}
	f("orders", []byte("a"), []byte("ab"), []byte("abc"), []byte{}, []byte("\xff\xfb\xef"))
	f("a.b_C-9")
	f(`odd"name<&>\`, []byte("x"))
	rng := rand.New(rand.NewPCG(1, 1))
	for _, step := range []int{1, 7, 61} { // by SIMD or not, and each of its ends
		var many [][]byte
		for i := range 500 {
			data := make([]byte, i*step)
			for n := range data {
				data[n] = byte(rng.Uint32())
			}
			many = append(many, data)
		}
		f("orders", many...)
	}
}

// TestBodyIsHashedOnce: the SDK finds the hash when it would make it, it is the right
// one, and nobody reads the body before it is sent. A second call of the same input
// has a body and a hash of its own, and neither has what is in the SDK's way by itself.
func TestBodyIsHashedOnce(t *testing.T) {
	x := &callExchange{pool: pool.New[byte](64<<20, 16)}
	for _, ours := range []bool{true, true, false} {
		var sent capture
		var hash string
		reads := 0
		client := sdk(&sent, ours)
		_, _ = client.PutRecordBatch(x.withExchange(t.Context()), input(3, 1000), firehose.WithAPIOptions(func(s *middleware.Stack) error {
			return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("Look", func(
				ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
			) (middleware.FinalizeOutput, middleware.Metadata, error) {
				hash = v4.GetPayloadHash(ctx)
				req := in.Request.(*smithyhttp.Request)
				counted, err := req.SetStream(&countedReads{req.GetStream(), &reads})
				if err != nil {
					t.Error(err)
				}
				in.Request = counted
				return next.HandleFinalize(ctx, in)
			}), (&v4.ComputePayloadSHA256{}).ID(), middleware.Before)
		}))
		x.endExchange()
		sum := sha256.Sum256(sent.body)
		if want := hex.EncodeToString(sum[:]); ours && hash != want || !ours && hash != "" {
			t.Errorf("ours %v: before the SDK hashes, the hash is %q, of the body it is %s", ours, hash, want)
		}
		if most := 1; ours && reads > most || !ours && reads <= most {
			t.Errorf("ours %v: the body was read %d times", ours, reads)
		}
	}
}

// countedReads counts how often a body is read to its end.
type countedReads struct {
	io.Reader
	n *int
}

func (c *countedReads) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		*c.n++
	}
	return n, err
}

func (c *countedReads) Len() int { return c.Reader.(interface{ Len() int }).Len() }
func (c *countedReads) Seek(to int64, whence int) (int64, error) {
	return c.Reader.(io.Seeker).Seek(to, whence)
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
				client, buffers := sdk(discard{}, ours), pool.New[byte](16<<20, 16)
				b.ReportAllocs()
				b.SetBytes(int64(500 * size))
				for b.Loop() {
					x := &callExchange{pool: buffers}
					_, _ = client.PutRecordBatch(x.withExchange(context.Background()), in)
					x.endExchange()
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
