package protobuf

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// sourceFile is a file as the registry has it, before its types are resolved.
type sourceFile struct {
	proto *descriptorpb.FileDescriptorProto
	// unwritten are the types that have no message of their own in a .proto file: the entries of maps, and
	// groups.
	unwritten map[*descriptorpb.DescriptorProto]bool
	needs     map[string]bool // paths of the files with the types that it uses
	building  bool
	built     protoreflect.FileDescriptor
}

// parseSource reads a file: the text of a .proto file, or its descriptor in base64.
func (c *textCosts) parseSource(path, text string) (s *sourceFile, err error) {
	s = &sourceFile{unwritten: map[*descriptorpb.DescriptorProto]bool{}, needs: map[string]bool{}}
	if b := fromBase64(text); b != nil {
		s.proto, err = c.parseDescriptor(b)
	} else {
		s.proto, err = c.parseText(path, text)
	}
	if err != nil {
		return nil, err
	}
	s.proto.Name = new(path)
	for _, m := range s.proto.MessageType {
		s.markGroups(m)
	}
	s.findGroups(s.proto.MessageType, s.proto.Extension)
	return s, nil
}

// parseText parses the text of a .proto file, as far as it has an effect. The parser panics for some that are cut; a
// reference that does so may not be needed.
func (c *textCosts) parseText(path, text string) (_ *descriptorpb.FileDescriptorProto, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the parser fails with %T; want a complete .proto file", v)
		}
	}()
	text = scrubText(text)
	if err := c.addText(text); err != nil {
		return nil, err
	}
	handler := reporter.NewHandler(nil)
	tree, err := parser.Parse(path, strings.NewReader(text), handler)
	if err != nil {
		return nil, err
	}
	result, err := parser.ResultFromAST(tree, false, handler)
	if err != nil {
		return nil, err
	}
	return result.FileDescriptorProto(), nil
}

// fromBase64 decodes the descriptor of a file, nil for the text of one: that has signs that base64 does
// not have.
func fromBase64(text string) []byte {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text, "{;\" ") {
		return nil
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := encoding.DecodeString(text); err == nil {
			return b
		}
	}
	return nil
}

// parseDescriptor reads the descriptor of a file.
func (c *textCosts) parseDescriptor(b []byte) (*descriptorpb.FileDescriptorProto, error) {
	f := new(descriptorpb.FileDescriptorProto)
	s := messageScale{types: dynamicpb.NewTypes(nil)}
	if err := s.weighMessage(f.ProtoReflect().Descriptor(), b, 1); err != nil {
		return nil, boundExceeded("its descriptor is nested more than %d levels deep, or has too many parts", MaxDepth)
	}
	if c.bytes += descriptorFactor * s.weight; c.bytes > maxCompileBytes {
		return nil, boundExceeded("to compile it takes more than %d MiB; want fewer messages and fields, or shorter names", maxCompileBytes>>20)
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, f); err != nil {
		return nil, errors.New("it is base64 of something that is no descriptor of a file")
	}
	return f, nil
}

// markGroups finds the entries of maps, those whose option is not in the text.
func (s *sourceFile) markGroups(m *descriptorpb.DescriptorProto) {
	if m.GetOptions().GetMapEntry() {
		s.unwritten[m] = true
	}
	for _, inside := range m.NestedType {
		s.markGroups(inside)
	}
	s.findGroups(m.NestedType, m.Field)
	s.findGroups(m.NestedType, m.Extension)
}

// findGroups finds the types of the fields that are groups.
func (s *sourceFile) findGroups(types []*descriptorpb.DescriptorProto, fields []*descriptorpb.FieldDescriptorProto) {
	groups := map[string]bool{}
	for _, f := range fields {
		if f.GetType() == descriptorpb.FieldDescriptorProto_TYPE_GROUP {
			groups[lastName(f.GetTypeName())] = true
		}
	}
	for _, m := range types {
		if groups[m.GetName()] {
			s.unwritten[m] = true
		}
	}
}

// optionIsTrue reports whether an option in the text is set.
func optionIsTrue(options []*descriptorpb.UninterpretedOption, name string) bool {
	return slices.ContainsFunc(options, func(o *descriptorpb.UninterpretedOption) bool {
		return isOption(o, name) && o.GetIdentifierValue() == "true"
	})
}

func isOption(o *descriptorpb.UninterpretedOption, name string) bool {
	return len(o.Name) > 0 && o.Name[0].GetNamePart() == name && !o.Name[0].GetIsExtension()
}

// jsonName is the name that an option in the text gives a field, nil for none.
func jsonName(options []*descriptorpb.UninterpretedOption) *string {
	for _, o := range options {
		if isOption(o, "json_name") && o.StringValue != nil {
			return new(string(o.StringValue))
		}
	}
	return nil
}

// featureSet adds those in the text to a set, which may be nil.
func featureSet(set *descriptorpb.FeatureSet, options []*descriptorpb.UninterpretedOption) (*descriptorpb.FeatureSet, error) {
	for _, o := range options {
		if !isOption(o, "features") {
			continue
		}
		if set == nil {
			set = new(descriptorpb.FeatureSet)
		}
		if o.AggregateValue != nil {
			more := new(descriptorpb.FeatureSet)
			if err := (prototext.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(o.GetAggregateValue()), more); err != nil {
				return nil, errors.New("its features can't be read")
			}
			proto.Merge(set, more)
			continue
		}
		if len(o.Name) != 2 || o.Name[1].GetIsExtension() {
			continue // of a language
		}
		m := set.ProtoReflect()
		f := m.Descriptor().Fields().ByName(protoreflect.Name(o.Name[1].GetNamePart()))
		if f == nil || f.Enum() == nil {
			continue
		}
		value := f.Enum().Values().ByName(protoreflect.Name(o.GetIdentifierValue()))
		if value == nil {
			return nil, fmt.Errorf("its feature %s can't be read", f.Name())
		}
		m.Set(f, protoreflect.ValueOfEnum(value.Number()))
	}
	return set, nil
}
