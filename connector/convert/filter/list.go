package filter

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"kafka-firehose/connector/convert/jsontext"
)

// lazyList is an array in JSON.
type lazyList struct {
	json   []byte
	budget *costBudget
}

var _ traits.Lister = (*lazyList)(nil)

// wholeList returns all elements.
func (l *lazyList) wholeList() traits.Lister {
	l.budget.chargeCost(len(l.json))
	var all []ref.Val
	for value := range jsontext.ArrayElements(l.json) {
		l.budget.chargeCost(elementCost)
		all = append(all, l.budget.lazyValue(value))
	}
	return types.NewRefValList(types.DefaultTypeAdapter, all)
}

// Get implements traits.Indexer.
func (l *lazyList) Get(index ref.Val) ref.Val {
	at, err := types.GetOrError(index)
	if err != nil {
		return types.NewErrFromString("no such overload")
	}
	l.budget.chargeCost(len(l.json))
	for value := range jsontext.ArrayElements(l.json) {
		if at == 0 {
			return l.budget.lazyValue(value)
		}
		at--
	}
	return types.NewErrFromString("index out of bounds")
}

// Size implements traits.Sizer.
func (l *lazyList) Size() ref.Val {
	l.budget.chargeCost(len(l.json))
	n := types.Int(0)
	for range jsontext.ArrayElements(l.json) {
		n++
	}
	return n
}

// Add implements traits.Adder.
func (l *lazyList) Add(other ref.Val) ref.Val { return l.wholeList().Add(other) }

// Contains implements traits.Container.
func (l *lazyList) Contains(value ref.Val) ref.Val { return l.wholeList().Contains(value) }

// Iterator implements traits.Iterable.
func (l *lazyList) Iterator() traits.Iterator { return l.wholeList().Iterator() }

// Equal implements ref.Val.
func (l *lazyList) Equal(other ref.Val) ref.Val { return l.wholeList().Equal(other) }

// ConvertToNative implements ref.Val.
func (l *lazyList) ConvertToNative(t reflect.Type) (any, error) {
	return l.wholeList().ConvertToNative(t)
}

// ConvertToType implements ref.Val.
func (l *lazyList) ConvertToType(t ref.Type) ref.Val { return l.wholeList().ConvertToType(t) }

// Type implements ref.Val.
func (l *lazyList) Type() ref.Type { return types.ListType }

// Value implements ref.Val.
func (l *lazyList) Value() any { return l.wholeList().Value() }
