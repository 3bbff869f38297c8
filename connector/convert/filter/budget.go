package filter

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// An evaluation is charged for each step, for each byte that it passes over, and for each byte and element that it
// makes. The same record and expression always cost the same, so that a record does not become bad by a busy machine. CEL's
// own accounting takes minutes where it is needed most: its time grows with the square of the steps.
const (
	// maxCost is the most that one evaluation may cost. It takes half a second at worst, and some tens of MiB.
	maxCost = 64 << 20
	// stepCost is the cost of a variable or a call.
	stepCost = 64
	// elementCost is the cost of an element or a member that is kept in memory.
	elementCost = 256
	// visitCost is the cost of an element that a function may look at.
	visitCost = 8
	// matchCost is the cost of one byte and one instruction of a regular expression.
	matchCost = 4
)

// costBudget is the rest of maxCost.
type costBudget struct {
	left     int
	exceeded bool
}

// chargeCost takes n off the budget. When it is exceeded, chargeCost ends the evaluation in the way that CEL has for that:
// a panic that its Eval recovers. An error would let loops continue.
func (b *costBudget) chargeCost(n int) {
	if b.left -= n; b.left < 0 {
		b.exceeded = true
		panic(interpreter.EvalCancelledError{Cause: interpreter.CostLimitExceeded, Message: errExpensive.Error()})
	}
}

// chargeResult charges for a value that a function may read. Objects and lists of JSON charge when they are read.
func (b *costBudget) chargeResult(v ref.Val) {
	n := stepCost
	switch v := v.(type) {
	case types.String:
		n += len(v)
	case types.Bytes:
		n += len(v)
	case *lazyObject, *lazyList:
	case traits.Sizer:
		if size, ok := v.Size().(types.Int); ok {
			n += visitCost * int(size)
		}
	}
	b.chargeCost(n)
}

// budgetName is the variable that holds the budget; no expression can name it.
const budgetName = "#budget"

// budgetOf returns the budget of an evaluation, nil while the expression is compiled.
func budgetOf(frame *interpreter.ExecutionFrame) *costBudget {
	v, _ := frame.ResolveName(budgetName)
	b, _ := v.(*costBudget)
	return b
}

func chargeResult(frame *interpreter.ExecutionFrame, v ref.Val) ref.Val {
	if b := budgetOf(frame); b != nil {
		b.chargeResult(v)
	}
	return v
}

// chargeSteps makes the steps of an expression charge for their results.
func chargeSteps(step interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch step := step.(type) {
	case chargedCall, chargedAttribute:
		return step, nil
	case interpreter.InterpretableCall:
		if step.Function() == "matches" {
			return newMatchStep(step)
		}
		return chargedCall{step}, nil
	case interpreter.InterpretableAttribute:
		return chargedAttribute{step}, nil
	}
	return step, nil
}

// chargedCall is a call of a function.
type chargedCall struct{ interpreter.InterpretableCall }

// Exec implements interpreter.InterpretableV2.
func (c chargedCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return chargeResult(frame, c.InterpretableCall.Exec(frame))
}

// Eval implements interpreter.Interpretable.
func (c chargedCall) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, c.Exec)
}

// chargedAttribute is a variable with the members that are selected of it.
type chargedAttribute struct {
	interpreter.InterpretableAttribute
}

// Exec implements interpreter.InterpretableV2.
func (c chargedAttribute) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return chargeResult(frame, c.InterpretableAttribute.Exec(frame))
}

// Eval implements interpreter.Interpretable.
func (c chargedAttribute) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, c.Exec)
}
