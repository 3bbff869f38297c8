package protobuf

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// errMapEntry is for a message that no serializer writes by itself.
var errMapEntry = errors.New("its message is the entry of a map")

// sortedMessages returns all message types of a file by their full name, the entries of maps too.
func sortedMessages(file protoreflect.FileDescriptor) (all []protoreflect.MessageDescriptor) {
	var add func(protoreflect.MessageDescriptors)
	add = func(types protoreflect.MessageDescriptors) {
		for i := range types.Len() {
			all = append(all, types.Get(i))
			add(types.Get(i).Messages())
		}
	}
	add(file.Messages())
	slices.SortFunc(all, func(a, b protoreflect.MessageDescriptor) int { return cmp.Compare(a.FullName(), b.FullName()) })
	return all
}

// SortedMessage returns message number i, from 0, of all message types in the file by their full name: the
// count of AWS Glue's serializers.
func (f *File) SortedMessage(i int) (protoreflect.MessageDescriptor, error) {
	switch {
	case i < 0 || i >= len(f.sorted):
		return nil, fmt.Errorf("its schema has %d messages by name, and no number %d among them", len(f.sorted), i)
	case f.sorted[i].IsMapEntry():
		return nil, errMapEntry
	}
	return f.sorted[i], nil
}

// byName finds message types by their full name and by their last name, which Apicurio's serializers write. Of those with the same last
// name it is the one that is not inside of another: the serializers write others only if they are told to validate nothing. If all
// are inside of others, it is nil.
func byName(sorted []protoreflect.MessageDescriptor) map[string]protoreflect.MessageDescriptor {
	all := map[string]protoreflect.MessageDescriptor{}
	outside := func(m protoreflect.MessageDescriptor) bool {
		_, inside := m.Parent().(protoreflect.MessageDescriptor)
		return !inside
	}
	for _, m := range sorted {
		name := string(m.Name())
		switch other, taken := all[name]; {
		case outside(m), !taken && !m.IsMapEntry():
			all[name] = m
		case other != nil && !outside(other) && !m.IsMapEntry():
			all[name] = nil
		}
	}
	for _, m := range sorted {
		all[string(m.FullName())] = m
	}
	return all
}

// NamedMessage returns the message type of a last name, as Apicurio's serializers write it, or else of a full name.
func (f *File) NamedMessage(name string) (protoreflect.MessageDescriptor, error) {
	m, known := f.named[name]
	switch {
	case !known:
		return nil, errors.New("its schema has no message of the name that comes with it")
	case m == nil:
		return nil, errors.New("its schema has several messages of the name that comes with it")
	case m.IsMapEntry():
		return nil, errMapEntry
	}
	return m, nil
}
