package protobuf

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// messageNode is a message type and those defined inside of it, in the order of the descriptor.
type messageNode struct {
	typ       protoreflect.MessageDescriptor
	unwritten bool // an entry of a map, or a group, which is no message in the text
	inside    []*messageNode
}

// MessagesAt returns the message types that index may lead to: which of the file, which of those inside of
// that one, and so on. Serializers count in two ways: Java's counts the messages in the text, and those
// of Python, Go, .NET and JavaScript all types of the descriptor, where the entries of maps and groups are
// types, too. Nothing in a record says who wrote it. The two results are the same where the ways agree, and
// where one of them leads nowhere.
func (f *File) MessagesAt(index []int32) (byText, byDescriptor protoreflect.MessageDescriptor, err error) {
	if len(index) == 0 {
		return nil, nil, errors.New("the message index is empty")
	}
	byText, err = walkIndex(f.messages, index, func(m *messageNode) bool { return !m.unwritten })
	byDescriptor, _ = walkIndex(f.messages, index, func(*messageNode) bool { return true })
	if byDescriptor != nil && byDescriptor.IsMapEntry() { // an entry is never written alone
		byDescriptor = nil
	}
	switch {
	case byText == nil && byDescriptor == nil:
		return nil, nil, err
	case byText == nil:
		byText = byDescriptor
	case byDescriptor == nil:
		byDescriptor = byText
	}
	return byText, byDescriptor, nil
}

// walkIndex follows an index through those types that count.
func walkIndex(from []*messageNode, index []int32, counts func(*messageNode) bool) (found protoreflect.MessageDescriptor, err error) {
	for at, i := range index {
		var next *messageNode
		for _, m := range from {
			if !counts(m) {
				continue
			}
			if i == 0 {
				next = m
				break
			}
			i--
		}
		if next == nil || i < 0 {
			return nil, fmt.Errorf("its schema has no message %d at depth %d", index[at], at+1)
		}
		found, from = next.typ, next.inside
	}
	return found, nil
}

// EachMessage calls f for each message type that an index can lead to.
func (f *File) EachMessage(do func(protoreflect.MessageDescriptor)) { eachMessage(f.messages, do) }

func eachMessage(messages []*messageNode, do func(protoreflect.MessageDescriptor)) {
	for _, m := range messages {
		do(m.typ)
		eachMessage(m.inside, do)
	}
}
