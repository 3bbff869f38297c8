// Package protobuf compiles .proto files as a Schema Registry has them and writes
// messages in the JSON that the Protobuf documentation calls canonical.
package protobuf

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// File is a compiled file with the messages that a payload may hold.
type File struct {
	messages []*message
	sorted   []protoreflect.MessageDescriptor // all of the file, with the entries of maps, by full name
	named    map[string]protoreflect.MessageDescriptor
	types    *dynamicpb.Types // of all files, for Any and extensions
	weight   int
}

// Weight estimates the memory that f holds, in bytes: half of it that was taken to
// compile it.
func (f *File) Weight() int { return f.weight }

// message is a message type and those defined inside of it, in the order of the
// source: serializers count them.
type message struct {
	typ    protoreflect.MessageDescriptor
	inside []*message
}

// bundled are files that Confluent's tools know without being told, beside those of
// google/protobuf.
var bundled = map[string]string{
	"confluent/meta.proto": `syntax = "proto3"; package confluent; import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }`,
	"confluent/type/decimal.proto": `syntax = "proto3"; package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }`,
}

// Compile compiles text; imports holds the files that it imports, by the names under
// which it does so.
func Compile(text string, imports map[string]string) (*File, error) {
	var c costs
	if err := c.add(text); err != nil {
		return nil, err
	}
	for name, imported := range imports {
		if err := c.add(imported); err != nil {
			return nil, fmt.Errorf("with its import %s: %w", name, err)
		}
	}
	main := "schema.proto"
	for imports[main] != "" {
		main = "_" + main
	}
	files := maps.Clone(bundled)
	maps.Copy(files, imports)
	files[main] = text
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)}),
		MaxParallelism: 1,
	}
	// It takes no time that a context could end: all files are here.
	compiled, err := compiler.Compile(context.Background(), main)
	if err != nil {
		return nil, err
	}
	file := compiled.FindFileByPath(main)
	if file == nil {
		return nil, errors.New("nothing was compiled")
	}
	all := new(protoregistry.Files)
	if err := register(all, file); err != nil {
		return nil, err
	}
	f := &File{types: dynamicpb.NewTypes(all), messages: messages(file.Messages()), sorted: sorted(file), weight: c.bytes / 2}
	f.named = byName(f.sorted)
	if len(f.messages) == 0 {
		return nil, errors.New("it defines no message")
	}
	return f, nil
}

// register adds a file and all that it imports.
func register(all *protoregistry.Files, file protoreflect.FileDescriptor) error {
	if _, err := all.FindFileByPath(file.Path()); err == nil {
		return nil
	}
	imports := file.Imports()
	for i := range imports.Len() {
		if err := register(all, imports.Get(i).FileDescriptor); err != nil {
			return err
		}
	}
	return all.RegisterFile(file)
}

// messages leaves out the types that stand for the entries of maps: they are not in
// the source.
func messages(types protoreflect.MessageDescriptors) (all []*message) {
	for i := range types.Len() {
		if t := types.Get(i); !t.IsMapEntry() {
			all = append(all, &message{typ: t, inside: messages(t.Messages())})
		}
	}
	return all
}
