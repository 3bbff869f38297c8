package env_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kafka-firehose/connector/env"
)

type login struct {
	Password env.Secret `envconfig:"T_PASSWORD" unset:"none" desc:"A password."`
	User     string     `envconfig:"T_USER" unset:"none" desc:"A user."`
}

const planted = "hunter2-hunter2"

// loadLogin loads T_PASSWORD and T_PASSWORD_FILE and returns the secret, or what is wrong.
func loadLogin(t *testing.T, value, file string) (string, error) {
	t.Helper()
	t.Setenv("T_PASSWORD", value)
	t.Setenv("T_PASSWORD_FILE", file)
	var l login
	if err := env.Load(&l); err != nil {
		return "", err
	}
	if l.Password.IsSet() != (value != "" || file != "") {
		t.Errorf("IsSet is %v with %q and %q", l.Password.IsSet(), value, file)
	}
	return l.Password.ReadValue()
}

func TestLoadSecret(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name, value, file string
		want, fault       string
	}{
		{"none", "", "", "", ""},
		{"a variable", " as it is\n", "", " as it is\n", ""},
		{"a file", "", file("plain", "secret"), "secret", ""},
		{"a line end", "", file("unix", "secret\n"), "secret", ""},
		{"a line end of Windows", "", file("dos", "secret\r\n"), "secret", ""},
		{"blanks stay", "", file("blanks", " a b \n"), " a b ", ""},
		{"both", planted, file("both", planted), "", "T_PASSWORD_FILE and T_PASSWORD are both set: want only one of them"},
		{"no file", "", filepath.Join(dir, "missing"), "", `T_PASSWORD_FILE holds "DIR/missing": no such file or directory`},
		{"a directory", "", dir, "", `T_PASSWORD_FILE holds "DIR": is a directory`},
		{"empty", "", file("empty", "\n"), "", `T_PASSWORD_FILE holds "DIR/empty": the file is empty`},
		{"something large", "", file("large", strings.Repeat("x", 1<<20)), "", `T_PASSWORD_FILE holds "DIR/large": the file is larger than 64KiB, which no secret is`},
		{"the secret itself", "", planted, "", `T_PASSWORD_FILE holds something that is not shown: want the path of a file, such as /run/secrets/kafka-password`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := loadLogin(t, test.value, test.file)
			fault := ""
			if err != nil {
				fault = strings.ReplaceAll(err.Error(), dir, "DIR")
				if f := env.FaultsOf(err); len(f) != 1 || f[0].Variable != "T_PASSWORD_FILE" {
					t.Errorf("the fault is that of %v", f)
				}
			}
			if got != test.want || fault != test.fault {
				t.Errorf("%q, %s\nwant %q, %s", got, fault, test.want, test.fault)
			}
			if strings.Contains(fault, planted) {
				t.Errorf("the fault shows the secret: %s", fault)
			}
		})
	}
}

// TestSecretFileChanges: the file counts as it is at each use.
func TestSecretFileChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	s := env.NewSecretFile("T_PASSWORD", path)
	for _, want := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := s.ReadValue(); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := s.ReadValue()
	if f, ok := errors.AsType[*env.Fault](err); !ok || f.Variable != "T_PASSWORD_FILE" || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// TestSecretIsNeverShown, whoever prints it and however.
func TestSecretIsNeverShown(t *testing.T) {
	var l login
	t.Setenv("T_PASSWORD", planted)
	if err := env.Load(&l); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%w", "%10.3v"} {
		fmt.Fprintf(&out, verb+"\n", l)
		fmt.Fprintf(&out, verb+"\n", l.Password)
		fmt.Fprintf(&out, verb+"\n", &l.Password)
	}
	fmt.Fprintln(&out, l, l.Password, fmt.Errorf("%v", l), []any{l.Password}, l.Password.String())
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "config", l, "secret", l.Password, "pointer", &l.Password)
	}
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	out.WriteString(cmp.Diff(l, login{}))
	if err := env.WriteUsage(&out, &l); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%X", planted), fmt.Sprintf("%d", []byte(planted))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("it is shown as %q:\n%s", form, &out)
		}
	}
}

func TestSecretHasATwinInTheTable(t *testing.T) {
	var names []string
	for _, v := range env.ListVariables(new(login)) {
		names = append(names, v.Name)
	}
	if diff := cmp.Diff([]string{"T_PASSWORD", "T_PASSWORD_FILE", "T_USER"}, names); diff != "" {
		t.Error(diff)
	}
}

// TestTwinSaysWhenItIsRead: a file that is read once must not seem to be one that may change.
func TestTwinSaysWhenItIsRead(t *testing.T) {
	type keys struct {
		Once  env.Secret `envconfig:"T_ONCE_SECRET" once:"true" unset:"none"`
		Often env.Secret `envconfig:"T_OFTEN_SECRET" unset:"none"`
	}
	all := env.ListVariables(new(keys))
	if !strings.HasSuffix(all[1].Desc, "read at the start.") || !strings.HasSuffix(all[3].Desc, "so it may change.") {
		t.Errorf("%q, %q", all[1].Desc, all[3].Desc)
	}
}

func TestDefaultsPanicsOnASecretThatCouldBeShown(t *testing.T) {
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "T_API_TOKEN") {
			t.Errorf("recovered %q", s)
		}
	}()
	env.SetDefaults(&struct {
		Token string `envconfig:"T_API_TOKEN" unset:"none"`
	}{})
}
