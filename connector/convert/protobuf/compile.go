// Package protobuf compiles .proto files as a Schema Registry has them and reads messages with them.
//
// Registries return files that no compiler accepts: their own renderers, and those of their clients, have
// rewritten them, and they accept imports that don't exist. So only the parts needed to read messages are
// compiled: the syntax is that of a parser, and the rest of a file is left out before its types are
// resolved (scrub, relax). A field whose type is missing is an error of the records that have it.
package protobuf

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// File is a compiled file with the messages that a payload may hold.
type File struct {
	messages []*messageNode
	sorted   []protoreflect.MessageDescriptor // all of the file, with the entries of maps, by full name
	named    map[string]protoreflect.MessageDescriptor
	types    *dynamicpb.Types // of all files, for Any and extensions
	names    enumNames
	holes    fieldHoles
	weight   int
}

// Weight estimates the memory that f holds, in bytes: half of it that was taken to
// compile it.
func (f *File) Weight() int { return f.weight }

// CompileFile compiles text, that of a .proto file or its descriptor in base64; imports holds the files that it
// imports, by the names under which it does so.
func CompileFile(text string, imports map[string]string) (*File, error) {
	main := "schema.proto"
	for imports[main] != "" {
		main = "_" + main
	}
	l := fileLinker{
		texts: maps.Clone(imports), sources: map[string]*sourceFile{}, missing: map[string]string{},
		messages: map[protoreflect.FullName]declaredSymbol{}, names: enumNames{}, holes: fieldHoles{}, all: new(protoregistry.Files),
	}
	if l.texts == nil {
		l.texts = map[string]string{}
	}
	for path := range imports { // the library's have what its types need
		if strings.HasPrefix(path, "google/protobuf/") && knownFile(path) != nil {
			delete(l.texts, path)
		}
	}
	l.texts[main] = text
	// References that no file imports come last: an import may be lost, or have another name.
	for _, path := range append([]string{main}, slices.Sorted(maps.Keys(imports))...) {
		if err := l.loadFile(path); err != nil {
			return nil, err
		}
	}
	if reason := l.missing[main]; reason != "" {
		return nil, errors.New(reason)
	}
	imported := l.importedPaths(main)
	for _, path := range slices.Sorted(maps.Keys(l.sources)) {
		l.linkFile(l.sources[path])
	}
	if err := l.buildFile(l.sources[main]); err != nil {
		return nil, err
	}
	if err := l.buildImported(imported); err != nil {
		return nil, err
	}
	s := l.sources[main]
	f := &File{types: dynamicpb.NewTypes(l.all), names: l.names, holes: l.holes, sorted: sortedMessages(s.built), weight: l.costs.bytes / 2}
	f.messages = listMessages(s, s.proto.MessageType, s.built.Messages())
	f.named = byName(f.sorted)
	if len(f.messages) == 0 {
		return nil, errors.New("it defines no message")
	}
	return f, nil
}

// importedPaths lists the files that a file imports, with all that those import, in the order of the text.
func (l *fileLinker) importedPaths(main string) (paths []string) {
	seen := map[string]bool{main: true}
	for next := []string{main}; len(next) > 0; next = next[1:] {
		s := l.sources[next[0]]
		if s == nil {
			continue
		}
		for _, path := range s.proto.Dependency {
			if !seen[path] {
				seen[path] = true
				paths, next = append(paths, path), append(next, path)
			}
		}
	}
	return paths
}

// buildImported adds files whose types may be in an Any, or extend others. One that can't be built is needed
// for nothing else.
func (l *fileLinker) buildImported(paths []string) error {
	for _, path := range paths {
		if s := l.sources[path]; s != nil {
			if err := l.buildFile(s); err != nil {
				continue
			}
		} else if f := knownFile(path); f != nil {
			if err := registerFile(l.all, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// EnumNames returns the names of an enum's values.
func (f *File) EnumNames(e protoreflect.EnumDescriptor) map[protoreflect.EnumNumber]string {
	if names := f.names[e.FullName()]; names != nil {
		return names
	}
	names := map[protoreflect.EnumNumber]string{}
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		if _, ok := names[v.Number()]; !ok {
			names[v.Number()] = string(v.Name())
		}
	}
	return names
}

// FieldHoles returns the numbers of fields of a message that can't be read.
func (f *File) FieldHoles(m protoreflect.FullName) map[protoreflect.FieldNumber]string {
	return f.holes[m]
}

// Types finds the types that an Any or an extension names.
func (f *File) Types() *dynamicpb.Types { return f.types }

// listMessages pairs the messages of a file with their types.
func listMessages(s *sourceFile, written []*descriptorpb.DescriptorProto, types protoreflect.MessageDescriptors) (all []*messageNode) {
	for i, m := range written {
		t := types.Get(i)
		all = append(all, &messageNode{typ: t, unwritten: s.unwritten[m], inside: listMessages(s, m.NestedType, t.Messages())})
	}
	return all
}
