package filter

import (
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/twmb/franz-go/pkg/kgo"
)

// recordVariables resolves the variables of one evaluation. What an expression does not reach is not decoded.
type recordVariables struct {
	source     Source
	budget     costBudget
	key, value ref.Val // nil before they are resolved
	err        error   // of source, the first
}

func (v *recordVariables) beginRecord(s Source) { v.source, v.budget.left = s, maxCost }

func (v *recordVariables) endRecord() { *v = recordVariables{} }

// Parent implements cel.Activation.
func (v *recordVariables) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (v *recordVariables) ResolveName(name string) (any, bool) {
	r := v.source.Record()
	switch name {
	case budgetName:
		return &v.budget, true
	case "topic":
		return types.String(r.Topic), true
	case "partition":
		return types.Int(r.Partition), true
	case "offset":
		return types.Int(r.Offset), true
	case "timestamp":
		return types.Timestamp{Time: r.Timestamp}, true
	case "size":
		return types.Int(len(r.Value)), true
	case "headers":
		return headerMap(r.Headers), true
	case "key":
		if !v.source.SchemaKeys() {
			return textOrBytes(r.Key), true
		}
		return v.resolve(&v.key, v.source.Key), true
	case "value":
		return v.resolve(&v.value, v.source.Value), true
	}
	return nil, false
}

// resolve returns a part of the record, and reads it if this is the first time.
func (v *recordVariables) resolve(part *ref.Val, read func() ([]byte, error)) ref.Val {
	if *part != nil {
		return *part
	}
	json, err := read()
	switch {
	case err != nil:
		if v.err == nil {
			v.err = err
		}
		*part = types.NewErrFromString("the record can't be read")
	case json == nil:
		*part = types.NullValue
	default:
		*part = v.budget.lazyValue(json)
	}
	return *part
}

// headerMap returns the headers by name, the last of each name.
func headerMap(headers []kgo.RecordHeader) ref.Val {
	all := make(map[ref.Val]ref.Val, len(headers))
	for _, h := range headers {
		all[types.String(h.Key)] = textOrBytes(h.Value)
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, all)
}

// textOrBytes returns UTF-8 as a string, other bytes as bytes, and nil as null.
func textOrBytes(b []byte) ref.Val {
	switch {
	case b == nil:
		return types.NullValue
	case utf8.Valid(b):
		return types.String(b)
	}
	return types.Bytes(b)
}
