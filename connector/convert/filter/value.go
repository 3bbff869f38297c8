package filter

import (
	"reflect"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"kafka-firehose/connector/convert/jsontext"
)

// lazyValue returns trimmed JSON as a value of CEL. Numbers that are whole and have 64 bits are int, others are double.
func (b *costBudget) lazyValue(json []byte) ref.Val {
	switch json[0] {
	case '{':
		return &lazyObject{json, b}
	case '[':
		return &lazyList{json, b}
	case '"':
		b.chargeCost(len(json))
		return types.String(jsontext.UnquoteText(json))
	case 't':
		return types.True
	case 'f':
		return types.False
	case 'n':
		return types.NullValue
	}
	if n, err := strconv.ParseInt(string(json), 10, 64); err == nil {
		return types.Int(n)
	}
	n, _ := strconv.ParseFloat(string(json), 64) // an infinity for one that is out of range
	return types.Double(n)
}

// lazyObject is an object in JSON. It is read where it is: a tree of it could take many times its size.
type lazyObject struct {
	json   []byte
	budget *costBudget
}

var _ traits.Mapper = (*lazyObject)(nil)

// Find implements traits.Mapper.
func (o *lazyObject) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	o.budget.chargeCost(len(o.json))
	value, ok := jsontext.FindMember(o.json, string(name))
	if !ok {
		return nil, false
	}
	return o.budget.lazyValue(value), true
}

// Get implements traits.Indexer.
func (o *lazyObject) Get(key ref.Val) ref.Val {
	value, ok := o.Find(key)
	if !ok {
		return types.NewErrFromString("no such key")
	}
	return value
}

// Contains implements traits.Container.
func (o *lazyObject) Contains(key ref.Val) ref.Val {
	_, ok := o.Find(key)
	return types.Bool(ok)
}

// Size implements traits.Sizer.
func (o *lazyObject) Size() ref.Val { return o.wholeObject().Size() }

// Iterator implements traits.Iterable, over the names.
func (o *lazyObject) Iterator() traits.Iterator { return o.wholeObject().Iterator() }

// wholeObject returns all members.
func (o *lazyObject) wholeObject() traits.Mapper {
	o.budget.chargeCost(len(o.json))
	all := map[ref.Val]ref.Val{}
	for name, value := range jsontext.ObjectMembers(o.json) {
		o.budget.chargeCost(elementCost)
		all[types.String(jsontext.UnquoteText(name))] = o.budget.lazyValue(value)
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, all)
}

// Equal implements ref.Val.
func (o *lazyObject) Equal(other ref.Val) ref.Val { return o.wholeObject().Equal(other) }

// ConvertToNative implements ref.Val.
func (o *lazyObject) ConvertToNative(t reflect.Type) (any, error) {
	return o.wholeObject().ConvertToNative(t)
}

// ConvertToType implements ref.Val.
func (o *lazyObject) ConvertToType(t ref.Type) ref.Val { return o.wholeObject().ConvertToType(t) }

// Type implements ref.Val.
func (o *lazyObject) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (o *lazyObject) Value() any { return o.wholeObject().Value() }
