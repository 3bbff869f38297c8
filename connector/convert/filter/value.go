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
		return &lazyObject{lazyJSON{json, b}}
	case '[':
		return &lazyList{lazyJSON{json, b}}
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

// lazyJSON is an object or an array in JSON. It is read where it is: a tree of it could take many times its size.
type lazyJSON struct {
	json   []byte
	budget *costBudget
}

// wholeValue returns all that is inside.
func (j lazyJSON) wholeValue() interface {
	ref.Val
	traits.Iterable
} {
	if j.json[0] == '[' {
		return j.wholeList()
	}
	return j.wholeObject()
}

// Iterator implements traits.Iterable, over the names of an object.
func (j lazyJSON) Iterator() traits.Iterator { return j.wholeValue().Iterator() }

// Equal implements ref.Val.
func (j lazyJSON) Equal(other ref.Val) ref.Val { return j.wholeValue().Equal(other) }

// ConvertToNative implements ref.Val.
func (j lazyJSON) ConvertToNative(t reflect.Type) (any, error) {
	return j.wholeValue().ConvertToNative(t)
}

// ConvertToType implements ref.Val.
func (j lazyJSON) ConvertToType(t ref.Type) ref.Val { return j.wholeValue().ConvertToType(t) }

// Value implements ref.Val.
func (j lazyJSON) Value() any { return j.wholeValue().Value() }

// lazyObject is an object in JSON.
type lazyObject struct{ lazyJSON }

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

// wholeObject returns all members.
func (j lazyJSON) wholeObject() traits.Mapper {
	j.budget.chargeCost(len(j.json))
	all := map[ref.Val]ref.Val{}
	for name, value := range jsontext.ObjectMembers(j.json) {
		j.budget.chargeCost(elementCost)
		all[types.String(jsontext.UnquoteText(name))] = j.budget.lazyValue(value)
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, all)
}

// Type implements ref.Val.
func (o *lazyObject) Type() ref.Type { return types.MapType }
