package check

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func example() Report {
	r := Report{Took: 1234 * time.Millisecond}
	r.Findings.AddOK(Setting, "", "all can be used")
	r.Findings.AddNote(Topic, "a", "may be <read>", "look at it")
	r.Findings.AddWarning(Broker, "kafka:9092", "said\nsomething\x00 of  two lines", "do something")
	r.Findings.AddError(Stream, "s", "is gone", "")
	return r
}

func TestTable(t *testing.T) {
	const want = `ok       setting            all can be used
ok       topic a            may be <read>
                            -> look at it
warning  broker kafka:9092  said something of two lines
                            -> do something
error    stream s           is gone
1 error, 1 warning: 4 things looked at in 1.234s
`
	var got bytes.Buffer
	if err := example().WriteTable(&got, 0); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

// TestTableIsWrapped: no line exceeds the width but for a word that is longer, and columns stay columns.
func TestTableIsWrapped(t *testing.T) {
	var r Report
	r.Findings.AddWarning(Stream, "ü", "one two three four five six seven eight nine ten eleven", "do this and that with arn:aws:firehose:eu-west-1:123456789012:deliverystream/orders")
	const want = `warning  stream ü  one two three four five six
                   seven eight nine ten eleven
                   -> do this and that with
                      arn:aws:firehose:eu-west-1:123456789012:deliverystream/orders
0 errors, 1 warning: 1 thing looked at in 0s
`
	for width, same := range map[int]bool{50: true, 10: true, 40: true, 0: false, 200: false} {
		var got bytes.Buffer
		if err := r.WriteTable(&got, width); err != nil {
			t.Fatal(err)
		}
		if (got.String() == want) != same {
			t.Errorf("%d characters wide:\n%s", width, &got)
		}
	}
}

// TestJSON holds the shape that programs read: its members have these names for good.
func TestJSON(t *testing.T) {
	const want = `{
  "result": "error",
  "errors": 1,
  "warnings": 1,
  "took_seconds": 1.234,
  "findings": [
    {
      "severity": "ok",
      "kind": "setting",
      "name": "",
      "found": "all can be used"
    },
    {
      "severity": "ok",
      "kind": "topic",
      "name": "a",
      "found": "may be <read>",
      "advice": "look at it"
    },
    {
      "severity": "warning",
      "kind": "broker",
      "name": "kafka:9092",
      "found": "said something of two lines",
      "advice": "do something"
    },
    {
      "severity": "error",
      "kind": "stream",
      "name": "s",
      "found": "is gone"
    }
  ]
}
`
	var got bytes.Buffer
	if err := example().WriteJSON(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
	got.Reset()
	if err := (Report{}).WriteJSON(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(got.Bytes(), []byte(`"findings": []`)) {
		t.Errorf("nothing was found: %s, want an empty list", &got)
	}
}

func TestWorst(t *testing.T) {
	r := example()
	for n, want := range map[int]Severity{0: OK, 2: OK, 3: Warning, 4: Error} {
		if got := (Report{Findings: r.Findings[:n]}).WorstSeverity(); got != want {
			t.Errorf("the worst of %d findings is %s, want %s", n, got, want)
		}
	}
}
