package iamtest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestAllows(t *testing.T) {
	t.Parallel()
	p, err := Parse(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["s3:PutObject", "s3:Get*"], "Resource": "arn:aws:s3:::BUCKET/PREFIX/*"},
		{"Sid": "All", "Effect": "Allow", "Action": "glue:GetSchemaVersion", "Resource": "*"}]}`, map[string]string{"BUCKET": "b", "PREFIX": "p"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		action, resource string
		want             bool
	}{
		{"s3:PutObject", "arn:aws:s3:::b/p/x/y", true},
		{"S3:putobject", "arn:aws:s3:::b/p/", true},
		{"s3:GetObjectAcl", "arn:aws:s3:::b/p/x", true},
		{"s3:PutObject", "arn:aws:s3:::b/p", false},
		{"s3:PutObject", "arn:aws:s3:::b/P/x", false},
		{"s3:PutObject", "arn:aws:s3:::bb/p/x", false},
		{"s3:PutObjectAcl", "arn:aws:s3:::b/p/x", false},
		{"s3:DeleteObject", "arn:aws:s3:::b/p/x", false},
		{"s3:PutObject", "*", false},
		{"glue:GetSchemaVersion", "*", true},
		{"glue:GetSchema", "*", false},
	} {
		if got := p.Allows(Call{test.action, test.resource}); got != test.want {
			t.Errorf("%s on %s: %v, want %v", test.action, test.resource, got, test.want)
		}
	}
	calls := []Call{{"s3:PutObject", "arn:aws:s3:::b/p/x"}, {"glue:GetSchemaVersion", "*"}}
	if got, want := p.Unused(calls), []Grant{{"s3:Get*", "arn:aws:s3:::b/p/*"}}; !slices.Equal(got, want) {
		t.Errorf("unused are %v, want %v", got, want)
	}
	twice := append(slices.Clone(p), Grant{"s3:PutObject", "*"})
	if got := twice.Unused(calls); len(got) != 3 {
		t.Errorf("of two grants for one call each is needed: unused are %v", got)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `{}`, `{"Version": "2012-10-17", "Statement": []}`, `{"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Action": "a:B", "Resource": "*"}]}`,
		`{"Effect": "Deny", "Action": "a:B", "Resource": "*"}`, `{"Effect": "Allow", "NotAction": "a:B", "Resource": "*"}`, `{"Effect": "Allow", "Action": "a:B"}`,
		`{"Effect": "Allow", "Action": "a:B", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}`,
	} {
		if p, err := Parse(text, nil); err == nil {
			t.Errorf("%s: %v, want an error", text, p)
		}
	}
}

func TestParseTerraform(t *testing.T) {
	t.Parallel()
	const text = `
data "aws_iam_policy_document" "bridge" {
  statement {
    actions   = ["a:B", "a:C"]
    resources = [aws_x.y.arn, "${var.p}/*"]
  }
  dynamic "statement" {
    for_each = var.on ? [1] : []
    content {
      actions   = ["d:E"]
      resources = var.all
    }
  }
}
`
	values := map[string][]string{"aws_x.y.arn": {"x"}, "var.p": {"p"}, "var.all": {"1", "2"}}
	got, err := ParseTerraform(text, "bridge", values)
	want := Policy{{"a:B", "x"}, {"a:B", "p/*"}, {"a:C", "x"}, {"a:C", "p/*"}, {"d:E", "1"}, {"d:E", "2"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for name, bad := range map[string]string{
		"another name": strings.Replace(text, `"bridge"`, `"other"`, 1), "no value": strings.Replace(text, "var.all", "var.some", 1), "no value in a text": strings.Replace(text, "var.p", "var.q", 1),
		"a condition": strings.Replace(text, "    resources = [aws", "    condition {}\n    resources = [aws", 1),
	} {
		if p, err := ParseTerraform(bad, "bridge", values); err == nil {
			t.Errorf("%s: %v, want an error", name, p)
		}
	}
}

// TestGuard: each request needs what the service asks of its caller, and one that is not known is refused.
func TestGuard(t *testing.T) {
	t.Parallel()
	signed := func(method, url, service, target, body string, header ...string) *http.Request {
		r := httptest.NewRequest(method, url, strings.NewReader(body))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260131/eu-west-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
		r.Header.Set("X-Amz-Target", target)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	unsigned := signed("POST", "https://x/", "glue", "AWSGlue.GetSchemaVersion", "")
	unsigned.Header.Del("Authorization")
	for _, test := range []struct {
		request *http.Request
		want    []Call
	}{
		{signed("POST", "https://x/", "firehose", "Firehose_20150804.PutRecordBatch", `{"DeliveryStreamName":"s"}`), []Call{{"firehose:PutRecordBatch", "arn:aws:firehose:eu-west-1:1:deliverystream/s"}}},
		{
			signed("POST", "https://x/", "firehose", "Firehose_20150804.PutRecordBatch", `{"DeliveryStreamName":"e"}`),
			[]Call{{"firehose:PutRecordBatch", "arn:aws:firehose:eu-west-1:1:deliverystream/e"}, {"kms:GenerateDataKey", "k"}, {"kms:Decrypt", "k"}},
		},
		{signed("POST", "https://x/", "firehose", "Firehose_20150804.DescribeDeliveryStream", `{"DeliveryStreamName":"e"}`), []Call{{"firehose:DescribeDeliveryStream", "arn:aws:firehose:eu-west-1:1:deliverystream/e"}}},
		{signed("POST", "https://x/", "glue", "AWSGlue.GetSchemaVersion", ""), []Call{{"glue:GetSchemaVersion", "*"}}},
		{signed("POST", "https://x/service/G/operation/GetMetricData", "monitoring", "", ""), []Call{{"cloudwatch:GetMetricData", "*"}}},
		{signed("POST", "https://x/", "sts", "", "Action=AssumeRole&RoleArn=arn%3Ar"), []Call{{"sts:AssumeRole", "arn:r"}}},
		{signed("PUT", "https://b.s3.eu-west-1.amazonaws.com/p/x?x-id=PutObject", "s3", "", ""), []Call{{"s3:PutObject", "arn:aws:s3:::b/p/x"}}},
		{signed("PUT", "https://x/c/p/x", "s3", "", ""), []Call{{"s3:PutObject", "arn:aws:s3:::c/p/x"}, {"kms:GenerateDataKey", "k"}}},
		{signed("GET", "https://x/c/p/x", "s3", "", ""), []Call{{"s3:GetObject", "arn:aws:s3:::c/p/x"}, {"kms:Decrypt", "k"}}},
		{signed("GET", "https://x/b?list-type=2&prefix=p", "s3", "", ""), []Call{{"s3:ListBucket", "arn:aws:s3:::b"}}},
		{signed("HEAD", "https://x/b", "s3", "", ""), []Call{{"s3:ListBucket", "arn:aws:s3:::b"}}},
		{signed("PUT", "https://x/b/x", "s3", "", "", "X-Amz-Acl", "private"), []Call{{"s3:unknown", "PUT https://x/b/x"}}},
		{signed("POST", "https://x/b/x?uploads", "s3", "", ""), []Call{{"s3:unknown", "POST https://x/b/x?uploads"}}},
		{signed("GET", "https://x/b?acl", "s3", "", ""), []Call{{"s3:unknown", "GET https://x/b?acl"}}},
		{signed("POST", "https://x/", "dynamodb", "D.Get", ""), []Call{{"dynamodb:unknown", "*"}}},
		{unsigned, []Call{{"unsigned", "https://x/"}}},
	} {
		var policy Policy
		for _, c := range test.want {
			policy = append(policy, Grant(c))
		}
		for missing := -1; missing < len(policy); missing++ {
			p := slices.Clone(policy)
			if missing >= 0 {
				p = slices.Delete(p, missing, missing+1)
			}
			g, passed := NewGuard("1", p), 0
			g.Encrypt("arn:aws:firehose:eu-west-1:1:deliverystream/e", "k")
			g.Encrypt("arn:aws:s3:::c", "k")
			w := httptest.NewRecorder()
			g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed++ })).ServeHTTP(w, test.request)
			switch {
			case missing < 0 && (passed != 1 || !slices.Equal(g.Allowed(), test.want) || len(g.Denied()) > 0):
				t.Errorf("%s: %d passed with %v, denied are %v; want %v", test.request.URL, passed, g.Allowed(), g.Denied(), test.want)
			case missing >= 0 && (passed != 0 || w.Code < 400 || !slices.Equal(g.Denied(), test.want[missing:missing+1])):
				body, _ := io.ReadAll(w.Body)
				t.Errorf("%s without %v: %d passed, %d %s, denied are %v", test.request.URL, test.want[missing], passed, w.Code, body, g.Denied())
			}
		}
	}
}
