package jsontext

import (
	"bytes"
	"encoding/json"
	"iter"
)

// TrimSpace returns JSON without the blanks around it.
func TrimSpace(b []byte) []byte {
	from, to := nextToken(b, 0), len(b)
	for to > from && b[to-1] <= ' ' {
		to--
	}
	return b[from:to]
}

// ObjectMembers yields the members of an object: the names as they are written, with quotes and escapes, and the
// values without blanks around them. The object has to be valid JSON and trimmed.
func ObjectMembers(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := nextToken(object, 1); object[i] != '}'; {
			end := behindText(object, i)
			name := object[i:end]
			i = nextToken(object, nextToken(object, end)+1) // behind the colon
			end = behindValue(object, i)
			if !yield(name, object[i:end]) {
				return
			}
			if i = nextToken(object, end); object[i] == ',' {
				i = nextToken(object, i+1)
			}
		}
	}
}

// ArrayElements yields the elements of an array without blanks around them. The array has to be valid JSON and trimmed.
func ArrayElements(array []byte) iter.Seq[[]byte] {
	return func(yield func(value []byte) bool) {
		for i := nextToken(array, 1); array[i] != ']'; {
			end := behindValue(array, i)
			if !yield(array[i:end]) {
				return
			}
			if i = nextToken(array, end); array[i] == ',' {
				i = nextToken(array, i+1)
			}
		}
	}
}

// FindMember returns the value of the last member of that name, which is the one that most readers take if a name
// comes twice. The object has to be valid JSON and trimmed.
func FindMember(object []byte, name string) (value []byte, ok bool) {
	for quoted, v := range ObjectMembers(object) {
		if IsText(quoted, name) {
			value, ok = v, true
		}
	}
	return value, ok
}

// nextToken returns the index of the first byte from i on that is no blank, len(b) if there is none.
func nextToken(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' {
		i++
	}
	return i
}

// behindValue returns the index behind the value that begins at i.
func behindValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return behindText(b, i)
	case '{', '[':
		return behindContainer(b, i)
	}
	for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	return i
}

// behindContainer returns the index behind the object or array that begins at i.
func behindContainer(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = behindText(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

// behindText returns the index behind the string whose opening quote is at i.
func behindText(b []byte, i int) int {
	for i = IndexSpecial(b, i+1); b[i] != '"'; i = IndexSpecial(b, i+2) {
	}
	return i + 1
}

// IsText reports whether a JSON string, with quotes and escapes, stands for this text.
func IsText(quoted []byte, text string) bool {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner) == text
	}
	return string(UnquoteText(quoted)) == text
}

// UnquoteText returns the text that a JSON string stands for: a part of it or, if it has escapes, a new slice. Half of a
// surrogate pair becomes U+FFFD.
func UnquoteText(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		panic("jsontext: " + err.Error()) // it is no JSON
	}
	return []byte(text)
}
