package main

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// test is one test of one package; the package itself has no name.
type test struct{ pkg, name string }

func (t test) String() string {
	if t.name == "" {
		return t.pkg
	}
	return t.pkg + " " + t.name
}

// run is what a file says: the last word on each test, and its output.
type run struct {
	outcome map[test]string // "run" until there is an end
	output  map[test]*strings.Builder
}

func read(r io.Reader) (*run, error) {
	out := &run{outcome: map[test]string{}, output: map[test]*strings.Builder{}}
	for d := json.NewDecoder(r); ; {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		if e.Package == "" { // a build's output; the package fails in an event of its own
			continue
		}
		t := test{e.Package, e.Test}
		switch e.Action {
		case "start", "run", "pass", "fail", "skip":
			out.outcome[t] = e.Action
		case "output":
			b := out.output[t]
			if b == nil {
				b = &strings.Builder{}
				out.output[t] = b
			}
			b.WriteString(e.Output)
		}
	}
}

// tally counts the run that was read from the named file.
func (r *run) tally(name string) tally {
	var sum tally
	each := map[string]*tally{} // by package
	for _, t := range slices.SortedFunc(maps.Keys(r.outcome), compare) {
		in := each[t.pkg]
		if in == nil { // the package itself sorts first
			in = &tally{ran: map[test]bool{}}
			each[t.pkg] = in
		}
		if t.name == "" {
			continue
		}
		switch r.outcome[t] {
		case "pass":
			in.passed++
			in.ran[t] = true
		case "skip":
			in.skipped = append(in.skipped, skip{t, reason(r.output[t])})
		default: // failed, or cut off by a panic, an exit or the timeout
			in.failed++
			in.ran[t] = true
			in.failures = append(in.failures, failure{t, end(r.output[t])})
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(each)) {
		in := each[pkg]
		if r.outcome[test{pkg, ""}] != "pass" && r.outcome[test{pkg, ""}] != "skip" && in.failed == 0 {
			// It did not build, or ended outside of a test.
			in.failed++
			in.failures = append(in.failures, failure{test{pkg, ""}, end(r.output[test{pkg, ""}])})
		}
		if len(in.skipped) > 0 && in.passed+in.failed == 0 {
			in.complaints = append(in.complaints, pkg+": all tests were skipped")
		}
		sum.add(*in)
	}
	if sum.passed+sum.failed == 0 {
		sum.complaints = append(sum.complaints, name+": no test ran")
	}
	return sum
}

func compare(a, b test) int {
	return strings.Compare(a.pkg+"\x00"+a.name, b.pkg+"\x00"+b.name)
}

// reason is what a skipped test said.
func reason(output *strings.Builder) string {
	lines := said(output)
	if len(lines) == 0 {
		return "no reason"
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, " ")
}

// end is the last of what a failed test said: so many lines, of so many characters.
func end(output *strings.Builder) string {
	const mostLines, mostLength = 25, 300
	lines := said(output)
	var b strings.Builder
	for _, line := range lines[max(0, len(lines)-mostLines):] {
		if r := []rune(line); len(r) > mostLength {
			line = string(r[:mostLength]) + "…"
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// said is the output of a test without the lines that go test adds, and without blank
// ones.
func said(output *strings.Builder) (lines []string) {
	if output == nil {
		return nil
	}
	for line := range strings.Lines(output.String()) {
		text := strings.TrimSpace(line)
		if text == "" || strings.HasPrefix(text, "=== ") || strings.HasPrefix(text, "--- ") {
			continue
		}
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	return lines
}
