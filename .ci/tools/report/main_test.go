package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	const (
		begin   = `{"Action":"start","Package":"p"}` + "\n"
		passes  = `{"Action":"run","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
		fails   = `{"Action":"fail","Package":"p","Test":"TestB/x"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"
		cutOff  = `{"Action":"run","Package":"p","Test":"TestC"}` + "\n"
		skips   = `{"Action":"output","Package":"p","Test":"TestD","Output":"=== RUN   TestD\n"}` + "\n" + `{"Action":"output","Package":"p","Test":"TestD","Output":"    d_test.go:7: needs a broker\n"}` + "\n" + `{"Action":"output","Package":"p","Test":"TestD","Output":"--- SKIP: TestD (0.00s)\n"}` + "\n" + `{"Action":"skip","Package":"p","Test":"TestD"}` + "\n"
		says    = `{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}` + "\n" + `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: got 1\n"}` + "\n"
		passed  = `{"Action":"pass","Package":"p"}` + "\n"
		failed  = `{"Action":"fail","Package":"p"}` + "\n"
		noTests = `{"Action":"start","Package":"q"}` + "\n" + `{"Action":"skip","Package":"q"}` + "\n"
		noBuild = `{"ImportPath":"p","Action":"build-output","Output":"undefined: x\n"}` + "\n" + `{"ImportPath":"p","Action":"build-fail"}` + "\n" + begin + failed
	)
	for _, tt := range []struct {
		name, run, want string
	}{
		{"a success", begin + passes + passed + noTests, "1 passed, 0 failed\n"},
		{"sub-tests count", begin + passes + fails + failed, "FAIL p TestB\nFAIL p TestB/x\n1 passed, 2 failed\n"},
		{"a failure says why", begin + says + fails + failed, "FAIL p TestB\n    b_test.go:7: got 1\nFAIL p TestB/x\n0 passed, 2 failed\n"},
		{"a failure that says a lot", begin + strings.Repeat(says, 30) + fails + failed, "FAIL p TestB\n" + strings.Repeat("    b_test.go:7: got 1\n", 25) + "FAIL p TestB/x\n0 passed, 2 failed\n"},
		{"a test that never ended", begin + passes + cutOff + failed, "FAIL p TestC\n1 passed, 1 failed\n"},
		{"an exit between tests", begin + passes + failed, "FAIL p\n1 passed, 1 failed\n"},
		{"a run that was cut off", begin + passes, "FAIL p\n1 passed, 1 failed\n"},
		{"a package that does not build", noBuild, "FAIL p\n0 passed, 1 failed\n"},
		{"a skip beside a pass", begin + skips + passes + passed, "SKIP p TestD: d_test.go:7: needs a broker\n1 passed, 0 failed\n"},
		{"nothing but skips", begin + skips + passed, "SKIP p TestD: d_test.go:7: needs a broker\nFAIL p: all tests were skipped\nFAIL FILE: no test ran\n0 passed, 0 failed\n"},
		{"no tests", noTests, "FAIL FILE: no test ran\n0 passed, 0 failed\n"},
		{"an empty file", "", "FAIL FILE: no test ran\n0 passed, 0 failed\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "run.json")
			if err := os.WriteFile(file, []byte(tt.run), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err := report(&out, false, []string{file})
			if got := strings.ReplaceAll(out.String(), file, "FILE"); got != tt.want {
				t.Errorf("got:\n%swant:\n%s", got, tt.want)
			}
			if ok := !strings.Contains(tt.want, "FAIL"); ok != (err == nil) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestReportWithoutRuns(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := report(&out, false, nil); !errors.Is(err, errFailed) {
		t.Errorf("error %v, want %v", err, errFailed)
	}
	if err := report(&out, false, []string{filepath.Join(t.TempDir(), "missing.json")}); err == nil || errors.Is(err, errFailed) {
		t.Errorf("a missing file: error %v", err)
	}
}

// TestReportOfSeveralRuns: a skip counts if no other run has the test.
func TestReportOfSeveralRuns(t *testing.T) {
	t.Parallel()
	run := func(outcomes ...string) string { // of TestA, TestB, ...
		var b strings.Builder
		for i, outcome := range outcomes {
			fmt.Fprintf(&b, `{"Action":%q,"Package":"p","Test":"Test%c"}`+"\n", outcome, 'A'+i)
		}
		return b.String() + `{"Action":"pass","Package":"p"}` + "\n"
	}
	for _, tt := range []struct {
		name  string
		whole bool
		runs  []string
		want  string
	}{
		{"skipped in one", true, []string{run("skip", "pass"), run("pass", "skip")}, "2 passed, 0 failed\n"},
		{"skipped in each", true, []string{run("skip", "pass"), run("skip", "pass")}, "SKIP p TestA: no reason\nFAIL 1 tests were skipped in each run\n2 passed, 0 failed\n"},
		{"skipped in each of some steps", false, []string{run("skip", "pass"), run("skip", "pass")}, "SKIP p TestA: no reason\n2 passed, 0 failed\n"},
		{"skipped once and failed once", true, []string{run("skip", "pass"), run("fail", "pass")}, "FAIL p TestA\n2 passed, 1 failed\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var files []string
			for i, text := range tt.runs {
				files = append(files, filepath.Join(t.TempDir(), fmt.Sprint(i)))
				if err := os.WriteFile(files[i], []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			err := report(&out, tt.whole, files)
			if got := out.String(); got != tt.want {
				t.Errorf("got:\n%swant:\n%s", got, tt.want)
			}
			if ok := !strings.Contains(tt.want, "FAIL"); ok != (err == nil) {
				t.Errorf("error %v", err)
			}
		})
	}
}
