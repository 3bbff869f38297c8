package filter

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"kafka-firehose/connector/convert/jsontext"
)

// lazyList is an array in JSON.
type lazyList struct{ lazyJSON }

var _ traits.Lister = (*lazyList)(nil)

// wholeList returns all elements.
func (j lazyJSON) wholeList() traits.Lister {
	j.budget.chargeCost(len(j.json))
	var all []ref.Val
	for value := range jsontext.ArrayElements(j.json) {
		j.budget.chargeCost(elementCost)
		all = append(all, j.budget.lazyValue(value))
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

// Type implements ref.Val.
func (l *lazyList) Type() ref.Type { return types.ListType }
