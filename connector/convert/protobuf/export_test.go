package protobuf

// Weigh is the error for a message that is too heavy or too deep to be read.
func (f *File) Weigh(payload []byte, index int32) error {
	return (&messageScale{types: f.types, names: f.names, holes: f.holes}).weighMessage(f.messages[index].typ, payload, 1)
}
