package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMotoExamples runs the examples of the emulator's page as a user would, in Python with the boto3 that moto brings along.
func TestMotoExamples(t *testing.T) {
	moto := os.Getenv("MOTO_SERVER")
	if moto == "" {
		t.Skip("MOTO_SERVER is not set; .ci/run moto sets it")
	}
	page, err := os.ReadFile(filepath.FromSlash("../../deploy/docs/emulator.md"))
	if err != nil {
		t.Fatal(err)
	}
	url, stop := start(t, noEnv)
	defer func() {
		if code, out := stop(); code != 0 {
			t.Errorf("the emulator ended with %d:\n%s", code, out)
		}
	}()
	blocks := regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	ran := map[string]int{}
	for _, block := range blocks {
		language, text := block[1], strings.ReplaceAll(block[2], "http://127.0.0.1:4573", url)
		if text == block[2] {
			t.Errorf("an example in %s doesn't name the emulator's address:\n%s", language, text)
		}
		var cmd *exec.Cmd
		switch language {
		case "sh":
			if _, err := exec.LookPath("aws"); err != nil && strings.Contains(text, "aws firehose") {
				t.Log("no AWS CLI here: its example is not run")
				continue
			}
			cmd = exec.CommandContext(t.Context(), "sh", "-euc", text)
		case "python":
			cmd = exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(moto), "python"), "-c", text)
		case "go":
			program := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(program, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd = exec.CommandContext(t.Context(), "go", "run", program) // with the modules of this one
		default:
			t.Errorf("nothing here runs an example in %s", language)
			continue
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("the example in %s: %v\n%s%s", language, err, text, out)
		}
		ran[language]++
	}
	if ran["sh"] == 0 || ran["python"] != 1 || ran["go"] != 1 {
		t.Errorf("ran the examples %v, want one or two in sh, and one each in python and go", ran)
	}
}
