package protobuf

// ErrJSON is the error of what can be read and has no form as JSON.
var ErrJSON = errJSON

// Weigh is the error for a message that is too heavy or too deep to be read.
func (f *File) Weigh(payload []byte, index int32) error {
	return (&scale{types: f.types}).message(f.messages[index].typ, payload, 1)
}
