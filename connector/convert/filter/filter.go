// Package filter decides by an expression in CEL, the Common Expression Language, which records are sent. The
// expression is checked once, and its evaluation is bounded in time and memory for any record. It is pure.
package filter

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// maxExpression is the length of an expression, in characters.
	maxExpression = 10_000
	// maxNesting is how deep an expression may be nested.
	maxNesting = 100
)

// Filter is a compiled expression. Its zero value is no filter. It has no state and is safe for concurrent use.
type Filter struct {
	expression string
	program    cel.Program
	source     *ast.SourceInfo
}

// Source is the record that an expression is evaluated for.
type Source interface {
	// Record is the record as Kafka has it.
	Record() *kgo.Record
	// Value returns the value as valid, trimmed JSON, nil for null. It is called only if an evaluation needs it.
	Value() (json []byte, err error)
	// Key does the same with a key that has a schema. It is not called without SchemaKeys.
	Key() (json []byte, err error)
	// SchemaKeys reports whether keys have schemas.
	SchemaKeys() bool
}

// SourceError is an error of Source.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return e.Err.Error() }

// Unwrap returns the error of Source.
func (e *SourceError) Unwrap() error { return e.Err }

// CompileFilter checks an expression and makes it ready. The error names the fault and its position.
func CompileFilter(expression string) (Filter, error) {
	env, err := cel.NewEnv(
		cel.Variable("topic", cel.StringType),
		cel.Variable("partition", cel.IntType),
		cel.Variable("offset", cel.IntType),
		cel.Variable("timestamp", cel.TimestampType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("size", cel.IntType),
		cel.Variable("key", cel.DynType),
		cel.Variable("value", cel.DynType),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxNesting),
	)
	if err != nil {
		return Filter{}, err
	}
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		return Filter{}, issueError(expression, issues)
	}
	if checked.OutputType() != cel.BoolType {
		return Filter{}, fmt.Errorf("its result is of type %s; want a bool, with a comparison such as value.status == \"paid\" or value.paid == true", checked.OutputType())
	}
	f := Filter{expression: expression, source: checked.NativeRep().SourceInfo()}
	if err := f.inspectPatterns(checked.NativeRep()); err != nil {
		return Filter{}, err
	}
	f.program, err = env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CustomDecoratorV2(chargeSteps))
	if err != nil {
		return Filter{}, err
	}
	return f, nil
}

// issueError is the first issue on one line, without the list of all that CEL would take in its place.
func issueError(expression string, issues *cel.Issues) error {
	first := issues.Errors()[0]
	line, column := first.Location.Line(), first.Location.Column()
	message, _, _ := strings.Cut(first.Message, " expecting ")
	return fmt.Errorf("line %d, column %d: %s%s", line, max(column, 0)+1, message, hintOf(expression, message, line, column))
}

// Decode compiles the expression of a setting; envconfig calls it.
func (f *Filter) Decode(expression string) (err error) {
	compiled, err := CompileFilter(expression)
	if err != nil {
		return err
	}
	*f = compiled
	return nil
}

// String returns the expression.
func (f Filter) String() string { return f.expression }

// Equal compares expressions, for package cmp.
func (f Filter) Equal(o Filter) bool { return f.expression == o.expression }

// IsSet reports whether there is an expression.
func (f Filter) IsSet() bool { return f.program != nil }

var variablesPool sync.Pool // of *recordVariables

// MatchesRecord evaluates the expression for a record. The error is a *SourceError, or says which part of the
// expression failed, without anything of the record.
func (f Filter) MatchesRecord(s Source) (matches bool, err error) {
	v, ok := variablesPool.Get().(*recordVariables)
	if !ok {
		v = new(recordVariables)
	}
	v.beginRecord(s)
	defer func() {
		v.endRecord()
		variablesPool.Put(v)
	}()
	result, _, err := f.program.Eval(v)
	switch {
	case v.err != nil:
		return false, &SourceError{v.err}
	case v.budget.exceeded:
		return false, errExpensive
	case err != nil:
		return false, f.evaluationError(err)
	}
	matches, ok = result.Value().(bool)
	if !ok {
		return false, errors.New("the result is no bool")
	}
	return matches, nil
}

var (
	// errExpensive is the error of an evaluation that costs more than maxCost.
	errExpensive = errors.New("the evaluation takes too many steps for this record")
	errInternal  = errors.New("the evaluation failed by a fault of the program, which you may want to report")
)

// evaluationError describes a failed evaluation without the text of CEL's error, which may repeat a value of the record.
func (f Filter) evaluationError(err error) error {
	failed, ok := errors.AsType[*types.Err](err)
	if !ok {
		return errInternal // CEL turns a panic into an error, whose text may hold a value
	}
	reason := reasonOf(failed)
	if at := f.source.GetStartLocation(failed.NodeID()); at.Line() > 0 {
		return fmt.Errorf("line %d, column %d: %s", at.Line(), at.Column()+1, reason)
	}
	return errors.New(reason)
}
