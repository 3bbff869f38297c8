package firehose

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"kafka-firehose/connector/env"
)

// Routes send topics to streams; the first that matches a topic wins.
type Routes []Route

// Route sends the topics that it matches to one stream.
type Route struct {
	// Topic is the name of the one topic that the route takes; empty if it takes a Pattern.
	Topic string
	// Pattern matches the whole names of the topics that the route takes, else nil.
	Pattern *regexp.Regexp
	// Stream is the name of the stream that they go to.
	Stream string
}

func (r Route) matchesTopic(topic string) bool {
	if r.Pattern != nil {
		return r.Pattern.MatchString(topic)
	}
	return r.Topic == topic
}

// String returns the route as it is written in the environment.
func (r Route) String() string {
	if r.Pattern != nil {
		p := strings.TrimSuffix(strings.TrimPrefix(r.Pattern.String(), anchorStart), anchorEnd)
		return "/" + p + "/=" + r.Stream
	}
	return r.Topic + "=" + r.Stream
}

// String returns the routes as they are written in the environment.
func (rs Routes) String() string {
	entries := make([]string, len(rs))
	for i, r := range rs {
		entries[i] = r.String()
	}
	return strings.Join(entries, ",")
}

// The expression is anchored, so that /orders/ does not take orders-old along.
const anchorStart, anchorEnd = `\A(?:`, `)\z`

const wantRoutes = "want topic=stream or /regex/=stream, comma separated"

// Decode reads topic=stream,/regex/=stream; envconfig calls it. All entries that it can't read are
// in the one error.
func (rs *Routes) Decode(s string) error {
	var routes Routes
	var problems []string
	for n := 1; ; n++ {
		entry, rest, more := cutEntry(strings.TrimLeft(s, " \t\r\n"))
		r, err := parseRoute(entry)
		if err != nil {
			problems = append(problems, fmt.Sprintf("entry %d %v", n, err))
		}
		routes = append(routes, r)
		if s = rest; !more {
			break
		}
	}
	if problems != nil {
		return fmt.Errorf("%s; %s", strings.Join(problems, "; "), wantRoutes)
	}
	*rs = routes
	return nil
}

// cutEntry takes the first entry off s. In an expression a comma is part of it, as in /a{1,2}/=x:
// it ends at the first /=, which no name of a topic contains.
func cutEntry(s string) (entry, rest string, more bool) {
	from := 0
	if strings.HasPrefix(s, "/") {
		from = max(strings.Index(s[1:], "/=")+1, 0)
	}
	if i := strings.IndexByte(s[from:], ','); i >= 0 {
		return s[:from+i], s[from+i+1:], true
	}
	return s, "", false
}

func parseRoute(entry string) (Route, error) {
	entry = strings.TrimSpace(entry)
	if entry == "" {
		return Route{}, errors.New("is empty")
	}
	source, isPattern := strings.CutPrefix(entry, "/")
	separator := "="
	if isPattern {
		separator = "/="
	}
	source, stream, ok := strings.Cut(source, separator)
	source, stream = strings.TrimSpace(source), strings.TrimSpace(stream)
	switch {
	case !ok:
		return Route{}, fmt.Errorf("has no %q", separator)
	case source == "" || stream == "":
		return Route{}, errors.New("has nothing on one side of its =")
	case !isPattern:
		return Route{Topic: source, Stream: stream}, nil
	}
	// Alone first: a stray ) could close the group around it and still compile.
	if _, err := regexp.Compile(source); err != nil {
		return Route{}, errors.New("has an expression (RE2) that can't be read")
	}
	pattern, err := regexp.Compile(anchorStart + source + anchorEnd)
	if err != nil {
		return Route{}, errors.New("has an expression (RE2) that is too large")
	}
	return Route{Pattern: pattern, Stream: stream}, nil
}

// validateRoutes checks the names of streams, and that every route for one topic can be reached.
func (rs Routes) validateRoutes(check *env.Check) {
	const name = "FIREHOSE_ROUTES"
	for i, r := range rs {
		if !legalStream.MatchString(r.Stream) {
			check.AddFault(env.HoldsFault(name, r, fmt.Sprintf("entry %d: stream: %s", i+1, wantStream(r.Stream))))
		}
		if r.Pattern != nil {
			continue
		}
		for j, earlier := range rs[:i] {
			if earlier.matchesTopic(r.Topic) {
				check.AddFault(env.HoldsFault(name, r, fmt.Sprintf("entry %d is never used: entry %d takes this topic first", i+1, j+1)))
				break
			}
		}
	}
}
