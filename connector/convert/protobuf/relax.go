package protobuf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// relaxFile reduces a file to the parts needed to read messages, in the form that the library takes. The rules that
// it drops protect authors of schemas; the records exist already.
func (l *fileLinker) relaxFile(s *sourceFile) error {
	f := s.proto
	set, err := featureSet(f.GetOptions().GetFeatures(), f.GetOptions().GetUninterpretedOption())
	if err != nil {
		return err
	}
	f.Options = nil
	if set != nil {
		f.Options = &descriptorpb.FileOptions{Features: set}
	}
	f.Service, f.SourceCodeInfo, f.OptionDependency, f.WeakDependency = nil, nil, nil, nil
	if f.Syntax == nil {
		f.Syntax = new("proto2")
	}
	scope := protoreflect.FullName(f.GetPackage())
	for _, m := range f.MessageType {
		if err := l.relaxMessage(s, childName(scope, m.GetName()), m); err != nil {
			return err
		}
	}
	for _, e := range f.EnumType {
		if err := l.relaxEnum(s, childName(scope, e.GetName()), e); err != nil {
			return err
		}
	}
	return l.relaxFields(f.Extension)
}

func childName(scope protoreflect.FullName, name string) protoreflect.FullName {
	if scope == "" {
		return protoreflect.FullName(name)
	}
	return scope + "." + protoreflect.FullName(name)
}

func (l *fileLinker) relaxMessage(s *sourceFile, name protoreflect.FullName, m *descriptorpb.DescriptorProto) error {
	given := m.GetOptions()
	uninterpreted := given.GetUninterpretedOption()
	set, err := featureSet(given.GetFeatures(), uninterpreted)
	if err != nil {
		return err
	}
	m.Options = &descriptorpb.MessageOptions{Features: set}
	if given.GetMapEntry() || optionIsTrue(uninterpreted, "map_entry") {
		m.Options.MapEntry = new(true)
	}
	if given.GetMessageSetWireFormat() || optionIsTrue(uninterpreted, "message_set_wire_format") {
		l.addHole(name, WholeMessage, "it is a MessageSet, which can't be read")
	}
	m.ReservedRange, m.ReservedName = nil, nil
	m.ExtensionRange = mergeRanges(m.ExtensionRange, s.proto.GetSyntax() == "proto3")
	for _, o := range m.OneofDecl {
		if set, err = featureSet(o.GetOptions().GetFeatures(), o.GetOptions().GetUninterpretedOption()); err != nil {
			return err
		}
		o.Options = &descriptorpb.OneofOptions{Features: set}
	}
	if err := l.relaxFields(m.Field); err != nil {
		return err
	}
	for _, f := range m.Field {
		if s.proto.GetSyntax() == "proto3" && f.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REQUIRED {
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()
		}
	}
	if err := l.relaxFields(m.Extension); err != nil {
		return err
	}
	l.messages[name] = declaredSymbol{s, m, nil}
	for _, inside := range m.NestedType {
		if err := l.relaxMessage(s, childName(name, inside.GetName()), inside); err != nil {
			return err
		}
	}
	for _, e := range m.EnumType {
		if err := l.relaxEnum(s, childName(name, e.GetName()), e); err != nil {
			return err
		}
	}
	relaxMaps(m)
	return nil
}

// mergeRanges sorts the ranges of extensions and joins those that overlap. Files of proto3 have none.
func mergeRanges(ranges []*descriptorpb.DescriptorProto_ExtensionRange, proto3 bool) (merged []*descriptorpb.DescriptorProto_ExtensionRange) {
	if proto3 {
		return nil
	}
	slices.SortFunc(ranges, func(a, b *descriptorpb.DescriptorProto_ExtensionRange) int {
		return cmp.Compare(a.GetStart(), b.GetStart())
	})
	for _, r := range ranges {
		from, to := max(r.GetStart(), 1), min(r.GetEnd(), int32(protowire.MaxValidNumber)+1)
		switch last := len(merged) - 1; {
		case from >= to:
		case last >= 0 && from <= merged[last].GetEnd():
			merged[last].End = new(max(to, merged[last].GetEnd()))
		default:
			merged = append(merged, &descriptorpb.DescriptorProto_ExtensionRange{Start: new(from), End: new(to)})
		}
	}
	return merged
}

func (l *fileLinker) relaxFields(fields []*descriptorpb.FieldDescriptorProto) error {
	for _, f := range fields {
		uninterpreted := f.GetOptions().GetUninterpretedOption()
		set, err := featureSet(f.GetOptions().GetFeatures(), uninterpreted)
		if err != nil {
			return err
		}
		f.Options = &descriptorpb.FieldOptions{Features: set}
		f.DefaultValue = nil
		if f.Label == nil {
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()
		}
		if name := jsonName(uninterpreted); name != nil {
			f.JsonName = name
		}
		if f.Extendee != nil {
			f.JsonName, f.OneofIndex, f.Proto3Optional = nil, nil, nil
			if f.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REQUIRED {
				f.Label = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()
			}
		}
	}
	return nil
}

// relaxEnum keeps the first name of each number, and gives the library names that can't be in conflict with
// one another.
func (l *fileLinker) relaxEnum(s *sourceFile, name protoreflect.FullName, e *descriptorpb.EnumDescriptorProto) error {
	set, err := featureSet(e.GetOptions().GetFeatures(), e.GetOptions().GetUninterpretedOption())
	if err != nil {
		return err
	}
	e.Options = &descriptorpb.EnumOptions{Features: set}
	e.ReservedRange, e.ReservedName = nil, nil
	l.messages[name] = declaredSymbol{s, nil, e}
	names := make(map[protoreflect.EnumNumber]string, len(e.Value))
	values := make([]*descriptorpb.EnumValueDescriptorProto, 0, len(e.Value))
	zero := -1
	for _, v := range e.Value {
		n := protoreflect.EnumNumber(v.GetNumber())
		if _, again := names[n]; again {
			continue
		}
		names[n] = v.GetName()
		if n == 0 {
			zero = len(values)
		}
		values = append(values, enumValue(e, len(values), v.GetNumber()))
	}
	switch {
	case zero > 0: // open enums have it first, and the order has no other effect
		at := values[zero]
		values = slices.Insert(slices.Delete(values, zero, zero+1), 0, at)
	case zero < 0 && s.proto.GetSyntax() != "proto2":
		values = slices.Insert(values, 0, enumValue(e, len(values), 0))
	}
	e.Value = values
	l.names[name] = names
	return nil
}

// relaxMaps makes maps of the fields whose entries are written out as messages of their own.
func relaxMaps(m *descriptorpb.DescriptorProto) {
	fields := map[string][]*descriptorpb.FieldDescriptorProto{} // by the names of their types
	for _, f := range m.Field {
		fields[lastName(f.GetTypeName())] = append(fields[lastName(f.GetTypeName())], f)
	}
	for _, entry := range m.NestedType {
		if !entry.Options.GetMapEntry() {
			continue
		}
		of := &descriptorpb.FieldDescriptorProto{}
		if uses := fields[entry.GetName()]; len(uses) == 1 {
			of = uses[0]
		}
		if of.GetLabel() != descriptorpb.FieldDescriptorProto_LABEL_REPEATED || mapEntryName(of.GetName()) != entry.GetName() || !isEntry(entry) {
			entry.Options.MapEntry = nil // a list of messages, which it is on the wire
			continue
		}
		entry.OneofDecl, entry.ExtensionRange = nil, nil
		for i, name := range []string{"key", "value"} {
			f := entry.Field[i]
			f.Name, f.Label = new(name), descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()
			f.OneofIndex, f.Proto3Optional, f.JsonName = nil, nil, nil
		}
	}
}

// isEntry reports whether a message has a key and a value, in this order.
func isEntry(m *descriptorpb.DescriptorProto) bool {
	return len(m.Field) == 2 && len(m.NestedType)+len(m.EnumType)+len(m.Extension) == 0 && m.Field[0].GetNumber() == 1 && m.Field[1].GetNumber() == 2 &&
		m.Field[0].GetLabel() != descriptorpb.FieldDescriptorProto_LABEL_REPEATED && m.Field[1].GetLabel() != descriptorpb.FieldDescriptorProto_LABEL_REPEATED
}

// enumValue is a value with a name of its own.
func enumValue(e *descriptorpb.EnumDescriptorProto, i int, number int32) *descriptorpb.EnumValueDescriptorProto {
	return &descriptorpb.EnumValueDescriptorProto{Name: new(e.GetName() + "__" + strconv.Itoa(i)), Number: new(number)}
}

// lastName is the part of a name behind the last dot.
func lastName(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// mapEntryName is the name of the message that holds the entries of a map field.
func mapEntryName(field string) string {
	var b strings.Builder
	up := true
	for _, c := range []byte(field) {
		switch {
		case c == '_':
			up = true
			continue
		case up && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		up = false
		b.WriteByte(c)
	}
	return b.String() + "Entry"
}
