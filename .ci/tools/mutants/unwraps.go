package main

// unwrappedRecords are records that are taken out of an envelope.
func unwrappedRecords() []mutant {
	const rows = "a row is sent with its own operation, or not at all"
	return []mutant{
		{
			rows, "a delete is an update",
			"connector/convert/unwrap/debezium.go", `		return "delete", e.before, nil
`, `		return "update", e.before, nil
`,
			"connector/convert/unwrap", "TestChangeEvents", "Postgres, deleted",
		},
		{
			rows, "a column takes the place of the operation",
			"connector/convert/unwrap/debezium.go", "		case operationName, offsetName, timeName, sourceName:\n", "		case offsetName:\n",
			"connector/convert/unwrap", "TestNoChangeEvents", "a column with the name of the operation",
		},
		{
			rows, "a column whose name has escapes is another column",
			"connector/convert/unwrap/unwrap.go", "	return jsontext.UnquoteText(quoted)\n", "	return quoted[1 : len(quoted)-1]\n",
			"connector/convert/unwrap", "TestNoChangeEvents", "a column with that name in escapes",
		},
		{
			rows, "a value in another envelope is sent as it is",
			"connector/convert/transform.go", `	case !errors.Is(err, unwrap.ErrNull):
		return nil, &BadRecord{`, `	case !errors.Is(err, unwrap.ErrNull):
		return t.record.Value, nil
	case false:
		return nil, &BadRecord{`,
			"connector/convert", "TestUnwrap", "planted",
		},
		{
			rows, "a payload that is null is no tombstone",
			"connector/convert/transform.go", `	case t.c.tombstone != nil:
		return nil, t.c.tombstone
`, "",
			"connector/convert", "TestUnwrapNull", "want tombstone",
		},
		{
			"a masked member is never sent", "the mask looks for members in the envelope",
			"connector/convert/transform.go", `	case t.c.unwraps():
		return t.loadUnwrapped()
`, `	case t.c.unwraps() && t.c.masker == nil:
		return t.loadUnwrapped()
`,
			"connector/convert", "TestOrderOfTransformations", "planted",
		},
		{
			"what needs no delivery is passed over, nothing else is", "a large value is bad before the filter is asked",
			"connector/convert/transform.go", "t.decode(t.c.maxDecoded())", "t.decode(t.c.maxBytes())",
			"connector/convert", "TestLargeBeforeTransformation", "too_large, want filtered",
		},
	}
}
