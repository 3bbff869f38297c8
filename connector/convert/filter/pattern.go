package filter

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// maxPattern is how many instructions a regular expression may compile to.
const maxPattern = 2000

// inspectPatterns refuses regular expressions that are no constants: compiling one
// that a record holds could take hundreds of MiB.
func (f *Filter) inspectPatterns(checked *ast.AST) (err error) {
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if err == nil && e.Kind() == ast.CallKind {
			err = f.inspectMatch(e)
		}
	}))
	return err
}

func (f *Filter) inspectMatch(e ast.Expr) error {
	call := e.AsCall()
	if call.FunctionName() != "matches" {
		return nil
	}
	args := call.Args()
	pattern := args[len(args)-1]
	at := f.source.GetStartLocation(pattern.ID())
	position := fmt.Sprintf("line %d, column %d: ", at.Line(), at.Column()+1)
	if pattern.Kind() != ast.LiteralKind {
		return errors.New(position + "the regular expression of matches is no constant; want a string in quotes")
	}
	text, _ := pattern.AsLiteral().Value().(string)
	if _, err := patternSize(text); err != nil {
		return fmt.Errorf("%sthe regular expression of matches: %w", position, err)
	}
	return nil
}

// patternSize returns the number of instructions of a pattern. The error says why it can't be used.
func patternSize(pattern string) (int, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, err
	}
	compiled, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, err
	}
	if n := len(compiled.Inst); n > maxPattern {
		return 0, fmt.Errorf("it compiles to %d instructions; want %d or fewer", n, maxPattern)
	}
	return len(compiled.Inst), nil
}

// matchStep is a call of matches. Its pattern is compiled once.
type matchStep struct {
	id           int64
	text         interpreter.InterpretableV2
	pattern      *regexp.Regexp
	instructions int
}

func newMatchStep(call interpreter.InterpretableCall) (interpreter.InterpretableV2, error) {
	args := call.Args()
	constant, ok := args[len(args)-1].(interpreter.InterpretableConst)
	if !ok {
		return nil, errors.New("the regular expression of matches is no constant")
	}
	text, _ := constant.Value().Value().(string)
	instructions, err := patternSize(text)
	if err != nil {
		return nil, err
	}
	pattern, err := regexp.Compile(text)
	return &matchStep{call.ID(), args[0], pattern, instructions}, err
}

// ID implements interpreter.Interpretable.
func (m *matchStep) ID() int64 { return m.id }

// Exec implements interpreter.InterpretableV2. It charges before it compares.
func (m *matchStep) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := m.text.Exec(frame)
	text, ok := value.(types.String)
	if !ok {
		return types.LabelErrNode(m.id, types.ValOrErr(value, "no such overload"))
	}
	if b := budgetOf(frame); b != nil {
		b.chargeCost(matchCost * len(text) * m.instructions)
	}
	return types.Bool(m.pattern.MatchString(string(text)))
}

// Eval implements interpreter.Interpretable.
func (m *matchStep) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, m.Exec)
}
