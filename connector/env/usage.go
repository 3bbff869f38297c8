package env

import (
	"cmp"
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"
)

// Variable is one line of the table.
type Variable struct {
	Name    string
	Default string // empty when there is none
	Unset   string // what an unset variable without a default means, for instance "required"
	Desc    string
}

// ListVariables lists the settings of cfg, a pointer to a struct, in the order of the table.
func ListVariables(cfg any) []Variable {
	var all []Variable
	for _, f := range configFields(reflect.ValueOf(cfg).Elem()) {
		all = append(all, Variable{f.name, f.tag.Get("default"), f.tag.Get("unset"), f.tag.Get("desc")})
		if f.isSecret() {
			when := "whenever the secret is used, so it may change"
			if f.tag.Get("once") != "" {
				when = "at the start"
			}
			all = append(all, Variable{Name: f.name + twin, Unset: "none", Desc: "File that holds " + f.name + " in its place. It is read " + when + "."})
		}
	}
	return all
}

// WriteUsage prints the table of cfg for a terminal.
func WriteUsage(w io.Writer, cfg any) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VARIABLE\tDEFAULT\tMEANING")
	for _, v := range ListVariables(cfg) {
		def := cmp.Or(v.Default, "("+v.Unset+")")
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.Name, def, v.Desc)
	}
	return table.Flush()
}
