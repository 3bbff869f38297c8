package protobuf

// Weigh is the error for a message that is too heavy or too deep to be read.
func (f *File) Weigh(payload []byte, index int32) error {
	return (&scale{types: f.types, names: f.names, holes: f.holes}).message(f.messages[index].typ, payload, 1)
}
