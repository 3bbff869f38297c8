package filter

import (
	"reflect"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"kafka-firehose/connector/convert/jsontext"
)

// list is an array in JSON.
type list struct {
	json   []byte
	budget *budget
}

var _ traits.Lister = (*list)(nil)

// whole returns all elements.
func (l *list) whole() traits.Lister {
	l.budget.charge(len(l.json))
	var all []ref.Val
	for value := range jsontext.Elements(l.json) {
		l.budget.charge(elementCost)
		all = append(all, l.budget.value(value))
	}
	return types.NewRefValList(types.DefaultTypeAdapter, all)
}

// Get implements traits.Indexer.
func (l *list) Get(index ref.Val) ref.Val {
	at, err := types.IndexOrError(index)
	if err != nil {
		return types.NewErrFromString("no such overload")
	}
	l.budget.charge(len(l.json))
	for value := range jsontext.Elements(l.json) {
		if at == 0 {
			return l.budget.value(value)
		}
		at--
	}
	return types.NewErrFromString("index out of bounds")
}

// Size implements traits.Sizer.
func (l *list) Size() ref.Val {
	l.budget.charge(len(l.json))
	n := types.Int(0)
	for range jsontext.Elements(l.json) {
		n++
	}
	return n
}

// Add implements traits.Adder.
func (l *list) Add(other ref.Val) ref.Val { return l.whole().Add(other) }

// Contains implements traits.Container.
func (l *list) Contains(value ref.Val) ref.Val { return l.whole().Contains(value) }

// Iterator implements traits.Iterable.
func (l *list) Iterator() traits.Iterator { return l.whole().Iterator() }

// Equal implements ref.Val.
func (l *list) Equal(other ref.Val) ref.Val { return l.whole().Equal(other) }

// ConvertToNative implements ref.Val.
func (l *list) ConvertToNative(t reflect.Type) (any, error) { return l.whole().ConvertToNative(t) }

// ConvertToType implements ref.Val.
func (l *list) ConvertToType(t ref.Type) ref.Val { return l.whole().ConvertToType(t) }

// Type implements ref.Val.
func (l *list) Type() ref.Type { return types.ListType }

// Value implements ref.Val.
func (l *list) Value() any { return l.whole().Value() }
