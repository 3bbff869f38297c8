package filter

import (
	"reflect"
	"strconv"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"kafka-firehose/connector/convert/jsontext"
)

// value returns trimmed JSON as a value of CEL. Numbers that are whole and have 64 bits are int, others are double.
func (b *budget) value(json []byte) ref.Val {
	switch json[0] {
	case '{':
		return &object{json, b}
	case '[':
		return &list{json, b}
	case '"':
		b.charge(len(json))
		return types.String(jsontext.Text(json))
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

// object is an object in JSON. It is read where it is: a tree of it could take many times its size.
type object struct {
	json   []byte
	budget *budget
}

var _ traits.Mapper = (*object)(nil)

// Find implements traits.Mapper.
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	o.budget.charge(len(o.json))
	value, ok := jsontext.Member(o.json, string(name))
	if !ok {
		return nil, false
	}
	return o.budget.value(value), true
}

// Get implements traits.Indexer.
func (o *object) Get(key ref.Val) ref.Val {
	value, ok := o.Find(key)
	if !ok {
		return types.NewErrFromString("no such key")
	}
	return value
}

// Contains implements traits.Container.
func (o *object) Contains(key ref.Val) ref.Val {
	_, ok := o.Find(key)
	return types.Bool(ok)
}

// Size implements traits.Sizer.
func (o *object) Size() ref.Val { return o.whole().Size() }

// Iterator implements traits.Iterable, over the names.
func (o *object) Iterator() traits.Iterator { return o.whole().Iterator() }

// whole returns all members.
func (o *object) whole() traits.Mapper {
	o.budget.charge(len(o.json))
	all := map[ref.Val]ref.Val{}
	for name, value := range jsontext.Members(o.json) {
		o.budget.charge(elementCost)
		all[types.String(jsontext.Text(name))] = o.budget.value(value)
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, all)
}

// Equal implements ref.Val.
func (o *object) Equal(other ref.Val) ref.Val { return o.whole().Equal(other) }

// ConvertToNative implements ref.Val.
func (o *object) ConvertToNative(t reflect.Type) (any, error) { return o.whole().ConvertToNative(t) }

// ConvertToType implements ref.Val.
func (o *object) ConvertToType(t ref.Type) ref.Val { return o.whole().ConvertToType(t) }

// Type implements ref.Val.
func (o *object) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (o *object) Value() any { return o.whole().Value() }
