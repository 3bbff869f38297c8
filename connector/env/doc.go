// Package env reads a tree of configuration structs from the environment.
//
// It knows nothing of any setting. A field describes its own variable in tags:
//
//	BatchLinger time.Duration `envconfig:"FIREHOSE_BATCH_LINGER" default:"1s" desc:"The longest a record waits."`
//
//	envconfig  the full name of the variable; fields without it are left alone
//	default    the value when the variable is unset or empty
//	unset      what to show in place of a default when there is none ("required", "unlimited")
//	want       what the variable accepts, where the type alone doesn't tell
//	desc       one sentence or two for the tables
//
// A setting whose name ends in _PASSWORD, _SECRET or _TOKEN is a [Secret], which also comes from a
// file and is never shown.
//
// [Load] and [SetDefaults] fill the tree, [WriteUsage] prints it, [Check] helps a Validate
// method to collect its faults, and [SuggestName] finds the intended variable. Every
// fault is a [Fault], which knows its variable, so that one report can hold them all in the
// order of the table.
package env
