package protobuf

// scrubText returns a .proto file with blanks in the place of everything that has no effect on how a message
// is read: services, reserved numbers and names, and all options but those in keptOptions. Registries
// render these parts in ways that no compiler accepts, and nothing that a record needs is lost with
// them. Line numbers stay.
func scrubText(text string) string {
	s := textScrubber{text: text, out: []byte(text)}
	for begin := true; s.at < len(text); {
		switch b := text[s.at]; {
		case b == ' ' || b == '\n' || b == '\t' || b == '\r':
			s.at++
		case b == '/':
			s.at = behindComment(text, s.at)
		case b == '[':
			s.scrubList()
			begin = false
		case isLetter(b):
			if !begin || !s.scrubStatement() {
				s.at = behindWord(text, s.at)
				begin = false
			}
		default:
			begin = b == ';' || b == '{' || b == '}'
			s.at = behindToken(text, s.at)
		}
	}
	return string(s.out)
}

// keptOptions are the first names of the options that decide how a message is read or written.
var keptOptions = map[string]bool{"json_name": true, "map_entry": true, "message_set_wire_format": true, "features": true}

type textScrubber struct {
	text string
	out  []byte
	at   int
}

func (s *textScrubber) blankRange(from, to int) {
	for i := from; i < min(to, len(s.out)); i++ {
		if s.out[i] != '\n' {
			s.out[i] = ' '
		}
	}
}

// scrubStatement reports whether a statement without effect begins here, and blanks it. An option that is
// kept is skipped. Values, fields and types may have the same names as statements.
func (s *textScrubber) scrubStatement() bool {
	word := s.text[s.at:behindWord(s.text, s.at)]
	next := s.nextToken(s.at + len(word))
	var end int
	switch word {
	case "option":
		if next < len(s.text) && s.text[next] == '=' {
			return false
		}
		end = s.behindStatement(next, true)
		if keptOptions[s.text[next:behindWord(s.text, next)]] {
			s.at = end
			return true
		}
	case "service":
		if brace := s.nextToken(behindWord(s.text, next)); brace == next || brace >= len(s.text) || s.text[brace] != '{' {
			return false
		}
		end = s.behindStatement(next, false)
	case "reserved":
		if end = s.behindReserved(next); end < 0 {
			return false
		}
	default:
		return false
	}
	s.blankRange(s.at, end)
	s.at = end
	return true
}

// behindStatement is the place behind the semicolon or, where braces are not around a value, the closing brace
// that ends a statement.
func (s *textScrubber) behindStatement(from int, value bool) int {
	depth := 0
	for i := from; i < len(s.text); {
		switch s.text[i] {
		case '/':
			i = behindComment(s.text, i)
			continue
		case '{':
			depth++
		case '}':
			if depth--; depth < 0 {
				return i
			}
			if depth == 0 && !value {
				return i + 1
			}
		case ';':
			if depth == 0 {
				return i + 1
			}
		}
		i = behindToken(s.text, i)
	}
	return len(s.text)
}

// behindReserved is the place behind reserved numbers and names, -1 for something else.
func (s *textScrubber) behindReserved(from int) int {
	for i := from; i < len(s.text); {
		switch s.text[i] {
		case '/':
			i = behindComment(s.text, i)
			continue
		case '=', '{', '}':
			return -1
		case ';':
			return i + 1
		}
		i = behindToken(s.text, i)
	}
	return len(s.text)
}

// nextToken is the place of the next token.
func (s *textScrubber) nextToken(i int) int {
	for i < len(s.text) {
		switch s.text[i] {
		case ' ', '\n', '\t', '\r':
			i++
		case '/':
			i = behindComment(s.text, i)
		default:
			return i
		}
	}
	return i
}

// scrubList blanks the options in brackets that begin here, but not those that are kept.
func (s *textScrubber) scrubList() {
	type span struct{ comma, from, to int }
	var kept []span
	begin, one := s.at, span{comma: -1, from: s.at + 1}
	depth, end := 0, len(s.text)
	done := func(i int) {
		first := s.nextToken(one.from)
		if first < i && keptOptions[s.text[first:behindWord(s.text, first)]] {
			kept = append(kept, span{one.comma, one.from, i})
		}
		one = span{comma: i, from: i + 1}
	}
scan:
	for i := s.at; i < len(s.text); {
		switch s.text[i] {
		case '/':
			i = behindComment(s.text, i)
			continue
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				done(i)
				end = i + 1
				break scan
			}
		case ',':
			if depth == 1 {
				done(i)
			}
		}
		i = behindToken(s.text, i)
	}
	s.blankRange(begin, end)
	for n, k := range kept {
		copy(s.out[k.from:k.to], s.text[k.from:k.to])
		if n > 0 {
			s.out[k.comma] = ','
		}
	}
	if len(kept) > 0 {
		s.out[begin], s.out[end-1] = '[', ']'
	}
	s.at = end
}

// behindWord is the place behind the name, or the number, that begins at i.
func behindWord(s string, i int) int {
	for i < len(s) && isLetter(s[i]) {
		i++
	}
	return i
}

// behindToken is the place behind the string, the word or the sign that begins at i.
func behindToken(s string, i int) int {
	switch b := s[i]; {
	case b == '"' || b == '\'':
		return min(behindText(s, i), len(s))
	case isLetter(b):
		return behindWord(s, i)
	}
	return i + 1
}
