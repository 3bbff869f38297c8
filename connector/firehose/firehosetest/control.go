package firehosetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// controlInput is a decoded DescribeDeliveryStream or ListDeliveryStreams.
type controlInput struct {
	stream     *string // DeliveryStreamName
	after      *string // ExclusiveStartDeliveryStreamName
	streamType *string // DeliveryStreamType
	limit      *int64  // Limit
}

// maxControlLimit is the model's bound on Limit.
const maxControlLimit = 10_000

// listDefault is how many names ListDeliveryStreams gives without a Limit.
const listDefault = 10

func decodeControl(body []byte) (in controlInput, err error) {
	c, err := newScanner(body)
	if err != nil {
		return in, err
	}
	text := func(to **string) error {
		*to = nil
		if c.null() {
			return nil
		}
		s, err := c.text()
		*to = &s
		return err
	}
	err = c.object(func(name string) error {
		switch name {
		case "DeliveryStreamName":
			return text(&in.stream)
		case "ExclusiveStartDeliveryStreamName":
			return text(&in.after)
		case "DeliveryStreamType":
			return text(&in.streamType)
		case "Limit":
			start := c.i
			if err := c.skip(); err != nil {
				return err
			}
			if json.Unmarshal(c.b[start:c.i], &in.limit) != nil {
				return fail(codeSerialization, "Limit is not an integer")
			}
			return nil
		}
		return c.skip()
	})
	if err == nil {
		err = c.end()
	}
	return in, err
}

// limit checks a Limit.
func (v *violations) limit(n *int64) {
	switch {
	case n == nil:
	case *n < 1:
		v.add(fmt.Sprintf("'%d'", *n), "limit", fmt.Sprintf(valueMin, 1))
	case *n > maxControlLimit:
		v.add(fmt.Sprintf("'%d'", *n), "limit", fmt.Sprintf(valueMax, maxControlLimit))
	}
}

// describe is DescribeDeliveryStream.
func (x *exchange) describe(in controlInput) answer {
	if err := x.s.authorize(opDescribe, in.stream); err != nil {
		return err.answer()
	}
	if err := x.s.admitControl(opDescribe); err != nil {
		return err.answer()
	}
	var v violations
	v.name("deliveryStreamName", in.stream)
	v.limit(in.limit)
	if err := v.err(); err != nil {
		return err.answer()
	}
	x.s.mu.Lock()
	st := x.s.streams[*in.stream]
	x.s.mu.Unlock()
	if st == nil {
		return x.s.notFound(*in.stream).answer()
	}
	return jsonAnswer(map[string]any{"DeliveryStreamDescription": x.s.description(st.Stream, float64(st.created.UnixMilli())/1000)})
}

// description has all members that the model requires, and one S3 destination.
func (s *Service) description(st Stream, created float64) map[string]any {
	encryption := map[string]any{"Status": "DISABLED"}
	switch {
	case st.Key != "":
		encryption = map[string]any{"Status": "ENABLED", "KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": st.Key}
	case st.Encrypted:
		encryption = map[string]any{"Status": "ENABLED", "KeyType": "AWS_OWNED_CMK"}
	}
	processors := make([]map[string]any, 0, len(st.Processors))
	for _, p := range st.Processors {
		parameters := []map[string]string{}
		for name, value := range p.Parameters {
			parameters = append(parameters, map[string]string{"ParameterName": name, "ParameterValue": value})
		}
		slices.SortFunc(parameters, func(a, b map[string]string) int { return strings.Compare(a["ParameterName"], b["ParameterName"]) })
		processors = append(processors, map[string]any{"Type": p.Type, "Parameters": parameters})
	}
	return map[string]any{
		"DeliveryStreamARN":                     s.arn(st.Name),
		"DeliveryStreamName":                    st.Name,
		"DeliveryStreamStatus":                  st.Status,
		"DeliveryStreamType":                    st.Type,
		"DeliveryStreamEncryptionConfiguration": encryption,
		"VersionId":                             "1",
		"CreateTimestamp":                       created,
		"HasMoreDestinations":                   false,
		"Destinations": []map[string]any{{
			"DestinationId": "destinationId-000000000001",
			"ExtendedS3DestinationDescription": map[string]any{
				"RoleARN":                 "arn:aws:iam::" + s.opt.Account + ":role/emulated",
				"BucketARN":               "arn:aws:s3:::emulated",
				"BufferingHints":          map[string]any{"SizeInMBs": 5, "IntervalInSeconds": 300},
				"CompressionFormat":       "UNCOMPRESSED",
				"EncryptionConfiguration": map[string]any{"NoEncryptionConfig": "NoEncryption"},
				"ProcessingConfiguration": map[string]any{"Enabled": len(processors) > 0, "Processors": processors},
			},
		}},
	}
}

// list is ListDeliveryStreams.
func (x *exchange) list(in controlInput) answer {
	if err := x.s.admitControl(opList); err != nil {
		return err.answer()
	}
	var v violations
	if in.after != nil {
		v.name("exclusiveStartDeliveryStreamName", in.after)
	}
	if in.streamType != nil && !slices.Contains(streamTypes, *in.streamType) {
		v.add("'"+*in.streamType+"'", "deliveryStreamType", fmt.Sprintf(enumSet, strings.Join(streamTypes, ", ")))
	}
	v.limit(in.limit)
	if err := v.err(); err != nil {
		return err.answer()
	}
	limit := int64(listDefault)
	if in.limit != nil {
		limit = *in.limit
	}
	names, more := []string{}, false
	for _, st := range x.s.Streams() {
		if in.after != nil && st.Name <= *in.after || in.streamType != nil && st.Type != *in.streamType {
			continue
		}
		if more = int64(len(names)) == limit; more {
			break
		}
		names = append(names, st.Name)
	}
	return jsonAnswer(map[string]any{"DeliveryStreamNames": names, "HasMoreDeliveryStreams": more})
}

// jsonAnswer is a 200.
func jsonAnswer(v any) answer {
	b, _ := json.Marshal(v) // maps of strings, numbers and bools always encode
	return answer{contentType: amzJSON, body: b}
}
