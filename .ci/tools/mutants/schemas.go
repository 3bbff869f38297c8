package main

import "slices"

// comparing is the package that compares JSON with schemas.
const comparing = "connector/convert/jsonschema"

// schemas are bounds of schemas, and of the work that they make of a record.
func schemas() []mutant {
	return slices.Concat(schemaWork(), schemaSizes(), schemaMemory(), schemaKinds())
}

// schemaKinds are values that are read as something else, or are bad without a verdict of the registry.
func schemaKinds() []mutant {
	return []mutant{{
		"an outage makes no record bad", "a token that can't be had is a schema that there isn't",
		"connector/schema/confluent.go", "return &nodeError{blocked: failed.Refused, err: failed}", "return &unusableError{reason: convert.UnknownSchema, err: failed}",
		"connector/e2e", "TestStandingTokens", "readiness does not say",
	}, {
		"a record is read by its own schema, or is bad", "a schema of another stream's format is used",
		"connector/convert/decoder.go", "ok && s.kind != d.format {", "ok && s.kind == \"\" {",
		"connector/e2e", "TestSchemaOfAnotherStream", "1 records are bad, want 2",
	}}
}

// schemaWork is work that is not counted.
func schemaWork() []mutant {
	const time = "a record takes a bounded time, whatever its schema says"
	return []mutant{
		{
			time, "a rule that is checked costs no step",
			comparing + "/check.go", "	if m.steps--; m.steps < 0 {\n", "	if m.steps < 0 {\n",
			comparing, "TestSteps", "allOf: of \\d+ steps \\d+ are left",
		},
		{
			time, "members are looked at although there are no steps left",
			comparing + "/objects.go", "	if m.steps -= 2; m.steps < 0 {\n		return exhausted\n	}\n	evaluated", "	m.steps -= 2\n	evaluated",
			comparing, "TestSteps", "patterns of names: of \\d+ steps -",
		},
		{
			time, "to match a pattern costs no steps",
			comparing + "/objects.go", "	m.steps -= 3 + n/perStep\n", "	_ = n\n",
			comparing, "TestSteps", "a pattern: of \\d+ steps \\d+ are left",
		},
		{
			time, "rules may be in one another without an end",
			comparing + "/check.go", "	case len(m.frames) == maxFrames:\n		m.steps = -1\n		return exhausted\n", "",
			comparing, "TestDeepRules", "rules were in one another",
		},
		{
			time, "patterns are looked at in no order",
			comparing + "/rule.go", "	slices.SortFunc(r.patterns,", "	_ = slices.SortedFunc(slices.Values(r.patterns),",
			comparing, "TestPatternsHaveAnOrder", "patterns are",
		},
		{
			time, "defaults in Avro schemas are compiled",
			"connector/convert/avro/pruner.go", "		if !keywords[keyword] {\n", "		if !keywords[keyword] && keyword != \"default\" {\n",
			"connector/convert", "TestAvroDefaults", "default",
		},
	}
}

const schemaBounds = "a schema takes a bounded memory"

// schemaSizes are schemas that are compiled although they are too large.
func schemaSizes() []mutant {
	const memory = schemaBounds
	return []mutant{
		{
			memory, "a pattern may have any number of instructions",
			comparing + "/pattern.go", "n > maxPatternSize {\n		return nil, fmt", "false {\n		return nil, fmt",
			comparing, "TestPatternIsNotNeeded", "want .*instructions",
		},
		{
			memory, "a schema of JSON may have any depth",
			comparing + "/schema.go", "	case depth > maxDepth:\n		return fmt.Errorf(\"it is nested more than %d levels deep\", maxDepth)\n", "",
			comparing, "TestBounds", "levels: ",
		},
		{
			memory, "the addresses of subschemas may have any length",
			comparing + "/schema.go", "l.paths > maxPathBytes", "false",
			comparing, "TestBounds", "addresses: ",
		},
		{
			memory, "a reference is counted once, however often it is loaded",
			comparing + "/loader.go", "err == nil && l.loaded[found]", "false",
			comparing, "TestReferenceIsCountedEachTime", "want a bound",
		},
		{
			memory, "a .proto may take any memory to compile",
			"connector/convert/protobuf/bounds.go", "	if c.bytes > maxCompileBytes {\n", "	if false {\n",
			"connector/convert", "TestSchemaBounds", "protobuf: parts: ",
		},
		{
			memory, "the text of a schema may have any length",
			"connector/convert/schema.go", "	if len(d.Text) > MaxSchemaBytes {\n", "	if false {\n",
			"connector/convert", "TestSchemaBounds", "avro: text: ",
		},
	}
}

// schemaMemory is memory beside that of one schema.
func schemaMemory() []mutant {
	const memory = schemaBounds
	return []mutant{
		{
			memory, "references are collected without an end",
			"connector/schema/walk.go", "w.bytes > convert.MaxDefinitionBytes", "false",
			"connector/schema", "TestReferencesTooLarge", "requests, of 1 MiB each|<nil>",
		},
		{
			memory, "a value may become as large as zlib makes it",
			"connector/convert/inflate.go", "N: int64(limit) + 1", "N: 1 << 40",
			"connector/convert", "TestZlibBomb", "bytes took",
		},
		{
			memory, "schemas that are kept are not weighed",
			"connector/schema/registry.go", "len(found) < maxKept && r.kept <= maxKeptBytes", "len(found) < maxKept",
			"connector/schema", "TestKeptByBytes", "are kept, each of a tenth",
		},
		{
			memory, "all schemas are compiled at the same time",
			"connector/schema/registry.go", "compiling: make(chan struct{}, 1)", "compiling: make(chan struct{}, 100)",
			"connector/schema", "TestOneIsCompiledAtATime", "are compiled at a time, want 1",
		},
		{
			memory, "all small schemas are compiled at the same time",
			"connector/schema/registry.go", "compilingSmall: make(chan struct{}, 1)", "compilingSmall: make(chan struct{}, 100)",
			"connector/schema", "TestOneIsCompiledAtATime", "are compiled at a time, want 1",
		},
		{
			memory, "an enum's name is taken for a short one",
			"connector/convert/protobuf/weight.go", "valueWeight+max(len(v.Name()), len(s.names[e.FullName()][v.Number()]))", "valueWeight+0*len(v.Name())",
			"connector/convert", "TestSmallPayloadsOfMuch", "enums in a map: ",
		},
		{
			memory, "packed values are written although they are too large already",
			"connector/convert/protobufjson/value.go", "	case len(r.dst) > r.most:\n		return nil, false, jsontext.ErrTooLong\n", "",
			"connector/convert", "TestSmallPayloadsOfMuch", "packed enums: \\d+ bytes took",
		},
	}
}
