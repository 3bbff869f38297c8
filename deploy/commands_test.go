package deploy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// script is a block of shell commands of a document, or a command inside of a sentence.
type script struct {
	where    string // such as deploy/docs/audit.md:19
	commands []string
}

var (
	// program matches the beginning of a command: variables that are set for it, and a program that the documents use.
	program = regexp.MustCompile(`^(\$ )?([A-Z_]+=\S+ )*(\./)?(kafka-firehose|kafka-[a-z-]+(\.sh)?|firehose-emulator|sandbox|bin/release|\.ci/run|go|make|helm|kubectl|docker|` +
		`terraform|aws|curl|cosign|openssl|sha256sum|base64|tar|install|systemctl|systemd-run|systemd-analyze|journalctl|export|sleep|cd|git|kcat|promtool|argocd|flux|kill|echo)( |$)`)
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	fence      = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
)

// scripts returns the shell commands of the README, the documentation and the runbooks: fenced and indented blocks that
// begin with a program, and commands with an argument inside of sentences and tables.
func scripts(t *testing.T) (found []script) {
	t.Helper()
	for _, file := range documents(t) {
		name := strings.TrimPrefix(file, "../")
		if strings.HasPrefix(name, ".") || name == "CHANGELOG.md" {
			continue
		}
		if !strings.Contains(file, "/") {
			name = "deploy/" + name
		}
		if strings.HasPrefix(file, "docs/") || strings.HasPrefix(file, "runbooks/") {
			name = "deploy/" + file
		}
		found = append(found, scriptsOf(name, read(t, file))...)
	}
	return found
}

// scriptsOf returns the shell commands of one document.
func scriptsOf(name, text string) (found []script) {
	where := func(at int) string { return fmt.Sprintf("%s:%d", name, 1+strings.Count(text[:at], "\n")) }
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		language, block := text[m[2]:m[3]], text[m[4]:m[5]]
		if commands := logicalLines(block); language == "sh" || language == "console" || language == "" && isScript(block, commands) {
			found = append(found, script{where(m[4]), commands})
		}
	}
	for _, m := range regexp.MustCompile(`(?m)(^    \S.*\n( {4,}.*\n)*)`).FindAllStringSubmatchIndex(fencedBlanked(text), -1) {
		block := regexp.MustCompile(`(?m)^    `).ReplaceAllString(text[m[2]:m[3]], "")
		if commands := logicalLines(block); isScript(block, commands) {
			found = append(found, script{where(m[2]), commands})
		}
	}
	prose := fencedBlanked(text)
	for _, m := range inlineCode.FindAllStringSubmatchIndex(prose, -1) {
		code := strings.ReplaceAll(prose[m[2]:m[3]], `\|`, "|")
		if program.MatchString(code) && strings.Contains(code, " ") && !strings.HasPrefix(prose[strings.LastIndex(prose[:m[0]], "\n")+1:], "    ") {
			found = append(found, script{where(m[2]), []string{code}})
		}
	}
	return found
}

// fencedBlanked returns the text with fenced blocks replaced by spaces, so that positions stay.
func fencedBlanked(text string) string {
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllStringFunc(text, func(block string) string {
		return regexp.MustCompile(`[^\n]`).ReplaceAllString(block, " ")
	})
}

// isScript reports whether a block has commands: its first line begins with a prompt or a program.
func isScript(block string, commands []string) bool {
	return len(commands) > 0 && (strings.HasPrefix(block, "$ ") || program.MatchString(commands[0]))
}

// logicalLines returns the commands of a block: continued lines and quoted text over several lines are joined, comments are
// left out, and so is the output that follows a command with a prompt.
func logicalLines(block string) (commands []string) {
	command, prompt := "", strings.HasPrefix(block, "$ ")
	for line := range strings.Lines(block) {
		line = strings.TrimSpace(line)
		if command == "" && (line == "" || strings.HasPrefix(line, "#") || prompt && !strings.HasPrefix(line, "$ ")) {
			continue
		}
		command = strings.TrimSpace(strings.TrimSuffix(command, `\`) + " " + strings.TrimPrefix(line, "$ "))
		if strings.HasSuffix(command, `\`) || strings.Count(command, "'")%2 == 1 {
			continue
		}
		if at := regexp.MustCompile(` {2,}#`).FindStringIndex(command); at != nil {
			command = command[:at[0]]
		}
		commands = append(commands, strings.TrimSpace(regexp.MustCompile(` {2,}`).ReplaceAllString(command, " ")))
		command = ""
	}
	return commands
}

// registered is a section of commands.txt.
type registered struct {
	kind, by string // run, dry, step or marked; the test, or the reason
	commands []string
}

// register reads commands.txt.
func register(t *testing.T) (sections []registered) {
	t.Helper()
	for line := range strings.Lines(read(t, "commands.txt")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if m := regexp.MustCompile(`^(run|dry|step|marked): (.+)$`).FindStringSubmatch(line); m != nil {
			sections = append(sections, registered{kind: m[1], by: m[2]})
			continue
		}
		last := &sections[len(sections)-1]
		last.commands = append(last.commands, line)
	}
	return sections
}

// registeredFor returns the commands that a test of this package runs.
func registeredFor(t *testing.T) []string {
	t.Helper()
	for _, section := range register(t) {
		if section.kind == "run" && strings.HasPrefix(section.by, t.Name()+" in deploy/") {
			return section.commands
		}
	}
	t.Fatalf("commands.txt has no commands for %s", t.Name())
	return nil
}

// A command that nobody has run is wrong sooner or later, and is found out at night.
func TestCommands(t *testing.T) {
	t.Parallel()
	where := map[string]string{} // :: command -> the first place that has it
	for _, s := range scripts(t) {
		for _, command := range s.commands {
			if _, ok := where[command]; !ok {
				where[command] = s.where
			}
			if out, err := exec.CommandContext(t.Context(), "sh", "-nc", command).CombinedOutput(); err != nil {
				t.Errorf("%s: %s\nis no command of a shell: %v\n%s", s.where, command, err, out)
			}
			wantLogin(t, s.where, command)
		}
	}
	seen, count := map[string]bool{}, map[string]int{}
	for _, section := range register(t) {
		count[section.kind] += len(section.commands)
		if test, file, ok := strings.Cut(section.by, " in "); section.kind == "run" && (!ok || !strings.Contains(read(t, "../"+file), "\nfunc "+test+"(")) {
			t.Errorf("commands.txt: there is no %s", section.by)
		}
		for _, command := range section.commands {
			if where[command] == "" {
				t.Errorf("commands.txt has a command that no document has: %s", command)
			}
			if seen[command] {
				t.Errorf("commands.txt has this command twice: %s", command)
			}
			seen[command] = true
		}
	}
	for command, place := range where {
		if !seen[command] {
			t.Errorf("%s: no test runs this command, and commands.txt has no reason why not:\n%s", place, command)
		}
	}
	if len(where) < 100 {
		t.Errorf("found %d commands; there are more", len(where))
	}
	t.Logf("%d commands: %v", len(where), count)
}

// wantLogin fails the test for a command of Kafka's tools, which are called as in Kafka's archive, if it does not say where the cluster is and how to
// log in. kafka-dump-log.sh reads files.
func wantLogin(t *testing.T, where, command string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?:^|[|;] *)(kafka-[a-z-]+(?:\.sh)?) `).FindAllStringSubmatch(command, -1) {
		switch tool := m[1]; {
		case tool == "kafka-firehose" || tool == "kafka-dump-log.sh":
		case !strings.HasSuffix(tool, ".sh") || !strings.Contains(command, " --bootstrap-server ") || !strings.Contains(command, " --command-config "):
			t.Errorf("%s: %s\nwants .sh, --bootstrap-server and --command-config: most clusters ask for a login", where, command)
		}
	}
}

// The short names of CONTRIBUTING.md are targets, and the steps that it names are steps.
func TestMakeTargets(t *testing.T) {
	t.Parallel()
	ci := read(t, "../.ci/run")
	for _, section := range register(t) {
		for _, command := range section.commands {
			name, arguments, _ := strings.Cut(command, " ")
			switch {
			case section.kind == "dry":
				makeTool := lookTool(t, "make")
				_, arguments, _ = strings.Cut(command, "make ")
				if out, err := runTool(t, "", makeTool, append([]string{"-n", "-C", ".."}, strings.Fields(arguments)...)...); err != nil {
					t.Errorf("%s: %v\n%s", command, err, out)
				}
			case section.kind != "step":
			case name == ".ci/run" && arguments != "help":
				for step := range strings.FieldsSeq(arguments) {
					if !strings.Contains(ci, "\nstep_"+step+"() {") {
						t.Errorf("%s: there is no step %s", command, step)
					}
				}
			case command == "go test ./..." && !strings.Contains(ci, "\nstep_test() { tests test ./...; }"):
				t.Errorf("no step of CI runs %s", command)
			}
		}
	}
}

// What SECURITY.md says about a download, done with files that are signed as those of a release are.
func TestVerifyCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	const archive = "kafka-firehose_v0.2.0_linux_amd64.tar.gz"
	checksums := fmt.Sprintf("%x  %s\n%064x  another\n", sha256.Sum256([]byte("archive")), archive, 0)
	digest := sha256.Sum256([]byte(checksums))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		archive: "archive", "checksums.txt": checksums, "checksums.txt.sig": base64.StdEncoding.EncodeToString(signature),
		"cosign.pub": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
	} {
		write(t, filepath.Join(dir, name), text)
	}
	lookTool(t, "openssl")
	verify := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.Join(registeredFor(t), "\n"))
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := verify(); err != nil || !strings.Contains(out, archive+": OK") || !strings.Contains(out, "Verified OK") {
		t.Errorf("%v\n%s", err, out)
	}
	write(t, filepath.Join(dir, archive), "changed")
	if out, err := verify(); err == nil {
		t.Errorf("a changed archive passes\n%s", out)
	}
	write(t, filepath.Join(dir, archive), "archive")
	write(t, filepath.Join(dir, "checksums.txt"), checksums+"\n")
	if out, err := verify(); err == nil {
		t.Errorf("changed checksums pass\n%s", out)
	}
}
