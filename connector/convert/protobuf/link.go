package protobuf

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// fileLinker resolves the types of files. A field whose type is missing becomes a hole: its message can be read
// as long as the field is not in it.
type fileLinker struct {
	costs    textCosts
	texts    map[string]string
	sources  map[string]*sourceFile // by their paths
	missing  map[string]string      // why files that are imported can't be used, by their paths
	messages map[protoreflect.FullName]declaredSymbol
	names    enumNames
	holes    fieldHoles
	all      *protoregistry.Files
}

// declaredSymbol is a message or an enum of a source.
type declaredSymbol struct {
	in      *sourceFile
	message *descriptorpb.DescriptorProto // nil for an enum
	enum    *descriptorpb.EnumDescriptorProto
}

// enumNames are the names of enums' values. Of two names for a number the first counts.
type enumNames map[protoreflect.FullName]map[protoreflect.EnumNumber]string

// fieldHoles are the fields of messages that can't be read, with the reason.
type fieldHoles map[protoreflect.FullName]map[protoreflect.FieldNumber]string

// WholeMessage is the number of the hole that a message is as a whole.
const WholeMessage protoreflect.FieldNumber = 0

func (l *fileLinker) addHole(message protoreflect.FullName, field protoreflect.FieldNumber, reason string) {
	if l.holes[message] == nil {
		l.holes[message] = map[protoreflect.FieldNumber]string{}
	}
	l.holes[message][field] = reason
}

// loadFile reads a file with all that it imports. Only a file that exceeds a bound is an error; any other
// that can't be used is missing.
func (l *fileLinker) loadFile(path string) error {
	if l.sources[path] != nil || l.missing[path] != "" || l.texts[path] == "" && knownFile(path) != nil {
		return nil
	}
	text, ok := l.texts[path]
	if !ok {
		text, ok = bundled[path]
	}
	if !ok {
		l.missing[path] = "it is not among the references of the schema"
		return nil
	}
	s, err := l.costs.parseSource(path, text)
	if err == nil {
		err = l.declareSymbols(s)
	}
	bound, exceeds := errors.AsType[boundError](err)
	switch {
	case exceeds:
		return bound
	case err != nil:
		l.missing[path] = err.Error()
		return nil //nolint:nilerr // an import that can't be used may not be needed
	}
	l.sources[path] = s
	for _, imported := range s.proto.Dependency {
		if err := l.loadFile(imported); err != nil {
			return fmt.Errorf("with its import %s: %w", imported, err)
		}
	}
	return nil
}

// declareSymbols adds the types of a file, unless another file has one of them.
func (l *fileLinker) declareSymbols(s *sourceFile) error {
	scope := protoreflect.FullName(s.proto.GetPackage())
	for _, m := range s.proto.MessageType {
		if _, again := l.messages[childName(scope, m.GetName())]; again {
			return fmt.Errorf("%s is declared in another file, too", childName(scope, m.GetName()))
		}
	}
	for _, e := range s.proto.EnumType {
		if _, again := l.messages[childName(scope, e.GetName())]; again {
			return fmt.Errorf("%s is declared in another file, too", childName(scope, e.GetName()))
		}
	}
	return l.relaxFile(s)
}

// linkFile resolves the types of a file.
func (l *fileLinker) linkFile(s *sourceFile) {
	scope := protoreflect.FullName(s.proto.GetPackage())
	for _, m := range s.proto.MessageType {
		l.linkMessage(s, childName(scope, m.GetName()), m)
	}
	s.proto.Extension = l.linkExtensions(s, scope, s.proto.Extension)
}

func (l *fileLinker) linkMessage(s *sourceFile, name protoreflect.FullName, m *descriptorpb.DescriptorProto) {
	for _, inside := range m.NestedType {
		l.linkMessage(s, childName(name, inside.GetName()), inside)
	}
	m.Field = slices.DeleteFunc(m.Field, func(f *descriptorpb.FieldDescriptorProto) bool {
		reason := l.linkField(s, name, f)
		if reason != "" {
			l.addHole(name, protoreflect.FieldNumber(f.GetNumber()), f.GetName()+": "+reason)
		}
		return reason != ""
	})
	m.Extension = l.linkExtensions(s, name, m.Extension)
	dropOneofs(m)
}

// dropOneofs drops those without fields.
func dropOneofs(m *descriptorpb.DescriptorProto) {
	filled := map[int32]bool{}
	for _, f := range m.Field {
		filled[f.GetOneofIndex()] = filled[f.GetOneofIndex()] || f.OneofIndex != nil
	}
	used := map[int32]int32{}
	var kept []*descriptorpb.OneofDescriptorProto
	for i, o := range m.OneofDecl {
		if filled[int32(i)] {
			used[int32(i)] = int32(len(kept))
			kept = append(kept, o)
		}
	}
	for _, f := range m.Field {
		if at, ok := used[f.GetOneofIndex()]; ok && f.OneofIndex != nil {
			f.OneofIndex = new(at)
		}
	}
	m.OneofDecl = kept
}

// linkField resolves the type of a field. It returns why the type can't be used, nothing for one that can.
func (l *fileLinker) linkField(s *sourceFile, scope protoreflect.FullName, f *descriptorpb.FieldDescriptorProto) (reason string) {
	if f.TypeName == nil {
		return ""
	}
	name, d, file := l.findSymbol(scope, f.GetTypeName())
	switch {
	case name == "":
		return l.undefinedReason(s, f.GetTypeName())
	case d.enum != nil || d.in == nil && file.enum:
		f.Type = descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum()
		if d.enum != nil && s.proto.GetSyntax() == "proto3" && d.in.proto.GetSyntax() == "proto2" {
			openEnum(d.enum)
		}
	default:
		if f.GetType() != descriptorpb.FieldDescriptorProto_TYPE_GROUP {
			f.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		}
		if d.message != nil && d.message.Options.GetMapEntry() {
			for _, reason := range l.holes[name] { // at most two
				d.message.Options.MapEntry = nil
				return reason
			}
		}
	}
	f.TypeName = new("." + string(name))
	if file.path != s.proto.GetName() {
		s.needs[file.path] = true
	}
	return ""
}

// undefinedReason is the reason for a type that no file defines.
func (l *fileLinker) undefinedReason(s *sourceFile, name string) string {
	reason := fmt.Sprintf("its type %.200s is not defined", name)
	for _, path := range s.proto.Dependency {
		if why := l.missing[path]; why != "" {
			return fmt.Sprintf("%s; the import %.100s can't be used: %.200s", reason, path, why)
		}
	}
	return reason
}

// openEnum lets a file of proto3 use an enum of proto2, as a file that has lost its syntax line is.
func openEnum(e *descriptorpb.EnumDescriptorProto) {
	if e.Options.Features == nil {
		e.Options.Features = new(descriptorpb.FeatureSet)
	}
	e.Options.Features.EnumType = descriptorpb.FeatureSet_OPEN.Enum()
	if len(e.Value) == 0 || e.Value[0].GetNumber() != 0 {
		e.Value = slices.Insert(e.Value, 0, enumValue(e, len(e.Value), 0))
	}
}

// foundIn is the file of a type.
type foundIn struct {
	path string
	enum bool
}

// findSymbol finds a message or an enum: in the innermost scope that has one of this name.
func (l *fileLinker) findSymbol(scope protoreflect.FullName, ref string) (protoreflect.FullName, declaredSymbol, foundIn) {
	if len(ref) > 0 && ref[0] == '.' {
		scope, ref = "", ref[1:]
	}
	for {
		name := childName(scope, ref)
		if d, ok := l.messages[name]; ok {
			return name, d, foundIn{d.in.proto.GetName(), d.enum != nil}
		}
		if d := knownType(name); d != nil {
			_, enum := d.(protoreflect.EnumDescriptor)
			if _, message := d.(protoreflect.MessageDescriptor); enum || message {
				return name, declaredSymbol{}, foundIn{d.ParentFile().Path(), enum}
			}
		}
		if scope == "" {
			return "", declaredSymbol{}, foundIn{}
		}
		scope = scope.Parent()
	}
}

// linkExtensions keeps the extensions of messages that payloads hold. Those of options are needed for nothing.
func (l *fileLinker) linkExtensions(s *sourceFile, scope protoreflect.FullName, fields []*descriptorpb.FieldDescriptorProto) []*descriptorpb.FieldDescriptorProto {
	return slices.DeleteFunc(fields, func(f *descriptorpb.FieldDescriptorProto) bool {
		name, d, file := l.findSymbol(scope, f.GetExtendee())
		if d.message == nil || s.proto.GetSyntax() == "proto3" || !slices.ContainsFunc(d.message.ExtensionRange, func(r *descriptorpb.DescriptorProto_ExtensionRange) bool {
			return r.GetStart() <= f.GetNumber() && f.GetNumber() < r.GetEnd()
		}) {
			return true
		}
		if reason := l.linkField(s, scope, f); reason != "" {
			l.addHole(name, protoreflect.FieldNumber(f.GetNumber()), f.GetName()+": "+reason)
			return true
		}
		f.Extendee = new("." + string(name))
		if file.path != s.proto.GetName() {
			s.needs[file.path] = true
		}
		return false
	})
}

// buildFile makes a file usable, after those whose types it uses.
func (l *fileLinker) buildFile(s *sourceFile) error {
	switch {
	case s.built != nil:
		return nil
	case s.building:
		return fmt.Errorf("%s: its types and those of other files are made of one another", s.proto.GetName())
	}
	s.building = true
	paths := slices.Sorted(maps.Keys(s.needs))
	for _, path := range paths {
		var err error
		if other := l.sources[path]; other != nil {
			err = l.buildFile(other)
		} else {
			err = registerFile(l.all, knownFile(path))
		}
		if err != nil {
			return err
		}
	}
	s.proto.Dependency, s.proto.PublicDependency = paths, nil
	f, err := protodesc.NewFile(s.proto, l.all)
	if err != nil {
		return fmt.Errorf("%s: %w", s.proto.GetName(), err)
	}
	s.built = f
	return l.all.RegisterFile(f)
}

// registerFile adds a file that needs no reference, and all that it imports.
func registerFile(all *protoregistry.Files, file protoreflect.FileDescriptor) error {
	if _, err := all.FindFileByPath(file.Path()); err == nil {
		return nil
	}
	imports := file.Imports()
	for i := range imports.Len() {
		if err := registerFile(all, imports.Get(i).FileDescriptor); err != nil {
			return err
		}
	}
	return all.RegisterFile(file)
}
