package firehose

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRoutesDecode(t *testing.T) {
	for in, want := range map[string][]string{
		"a=s":                     {"a=s"},
		"a=s,b=t":                 {"a=s", "b=t"},
		" a = s ,\n b=t\n":        {"a=s", "b=t"},
		"/a.*/=s":                 {"/a.*/=s"},
		"/a{1,2}/=s,b=t":          {"/a{1,2}/=s", "b=t"},
		"/a=,b/=s":                {"/a=,b/=s"},
		"/x[/]y/=s":               {"/x[/]y/=s"},
		"/a|b/=s":                 {"/a|b/=s"},
		"b=t,/a,b,c/=s,/d/=u,e=v": {"b=t", "/a,b,c/=s", "/d/=u", "e=v"},
		"a=b=c":                   {"a=b=c"}, // the stream's name is Validate's to refuse
	} {
		var got Routes
		if err := got.Decode(in); err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		var texts []string
		for _, r := range got {
			texts = append(texts, r.String())
		}
		if diff := cmp.Diff(want, texts); diff != "" || got.String() != strings.Join(want, ",") {
			t.Errorf("%q as %q: %s", in, got, diff)
		}
	}
}

func TestRoutesDecodeRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":              "entry 1 is empty",
		"a=s,":          "entry 2 is empty",
		"a=s,,b=t":      "entry 2 is empty",
		"a":             `entry 1 has no "="`,
		"a=s,b":         `entry 2 has no "="`,
		"a:s":           `entry 1 has no "="`,
		"=s":            "entry 1 has nothing on one side of its =",
		"a=":            "entry 1 has nothing on one side of its =",
		"//=s":          "entry 1 has nothing on one side of its =",
		"/a=s":          `entry 1 has no "/="`,
		"/a/":           `entry 1 has no "/="`,
		"/[a/=s":        "entry 1 has an expression (RE2) that can't be read",
		"/a)|(b/=s":     "entry 1 has an expression (RE2) that can't be read",
		"/(?!a)/=s":     "entry 1 has an expression (RE2) that can't be read",
		"/a{1001}/=s":   "entry 1 has an expression (RE2) that can't be read",
		"a,/[/=s,b=t,=": `entry 1 has no "="; entry 2 has an expression (RE2) that can't be read; entry 4 has nothing on one side of its =`,
	} {
		got := Routes{{Topic: "before"}}
		err := got.Decode(in)
		if err == nil || err.Error() != want+"; "+wantRoutes || len(got) != 1 {
			t.Errorf("%q: %q, %v; want %s", in, got, err, want)
		}
	}
}

func TestStreamFor(t *testing.T) {
	var c Config
	if err := c.Routes.Decode(`orders=a,/orders-.*/=b,/.*-eu|x/=c,/orders-1|y/=d`); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ topic, fallback, want string }{
		{"orders", "", "a"},
		{"orders-1", "", "b"}, // the first that matches
		{"orders-1-eu", "", "b"},
		{"old-eu", "", "c"},
		{"x", "", "c"},
		{"y", "", "d"},
		{"old-orders", "", ""}, // whole names only
		{"old-orders-1", "", ""},
		{"xx", "", ""},
		{"old-eu2", "", ""},
		{"orders\n", "", ""},
		{"x\n", "", ""},
		{"Orders", "", ""},
		{"", "", ""},
		{"orders", "rest", "a"},
		{"other", "rest", "rest"},
	}
	for _, test := range tests {
		c.Stream = test.fallback
		if got, ok := c.StreamFor(test.topic); got != test.want || ok != (test.want != "") {
			t.Errorf("%q beside %q goes to %q, %v; want %q", test.topic, test.fallback, got, ok, test.want)
		}
	}
}

func TestStreams(t *testing.T) {
	var c Config
	if got := c.StreamNames(); len(got) != 0 {
		t.Errorf("no stream gives %q", got)
	}
	c.Stream = "a"
	if diff := cmp.Diff([]string{"a"}, c.StreamNames()); diff != "" {
		t.Error(diff)
	}
	if err := c.Routes.Decode("t=b,u=a,/v/=b,w=c"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b", "a", "c"}, c.StreamNames()); diff != "" {
		t.Error(diff)
	}
	if len(c.Routes) != 4 {
		t.Errorf("the routes have become %s", c.Routes)
	}
}

func TestRoutesThatAreNeverUsed(t *testing.T) {
	for in, want := range map[string]string{
		"a=s,b=s":     "",
		"/a/=s,/a/=t": "", // nobody can tell in general when two expressions meet
		"a=s,/a/=t":   "",
		"a=s,b=s,a=t": `FIREHOSE_ROUTES holds "a=t": entry 3 is never used: entry 1 takes this topic first`,
		"/.*/=s,a=t":  `FIREHOSE_ROUTES holds "a=t": entry 2 is never used: entry 1 takes this topic first`,
	} {
		c := configForValidate()
		if err := c.Routes.Decode(in); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := c.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s; want %s", in, got, want)
		}
	}
}
