package jsontest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/convert/jsontest"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := jsontest.Parse([]byte(`{"a":[1.0,null,{"b":"x"}],"c":{}}`))
	want := map[string]any{"a": []any{1.0, nil, map[string]any{"b": "x"}}, "c": map[string]any{}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, text := range []string{``, `{`, `[1`, `{"a":1,"a":1}`, `[{"b":{"a":1,"a":2}}]`, `1 2`, `{"a":}`} {
		if v, err := jsontest.Parse([]byte(text)); err == nil {
			t.Errorf("%s is %v, want an error", text, v)
		}
	}
}
