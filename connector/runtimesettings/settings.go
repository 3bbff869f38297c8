// Package runtimesettings reads RUNTIME_SETTINGS_FILE: what an operator changes without a restart. It says what
// the file holds and notices when that changes; package connector applies it.
package runtimesettings

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"kafka-firehose/connector/env"
	"kafka-firehose/connector/firehose"
)

// Settings are the content of the file. The zero value leaves everything as the environment says.
type Settings struct {
	PausedTopics  []string // sorted
	PausedStreams []string // sorted
	LogLevel      *slog.Level
	// Streams has the limits of single streams, by name. Only those that firehose.StreamOption.SetRate sets.
	Streams map[string]firehose.StreamOption
}

// members are the names at the top of the file.
var members = []string{"paused_topics", "paused_streams", "log_level", "streams"}

// maxFaults bounds the text of an error.
const maxFaults = 20

// maxNames bounds each list and the number of streams.
const maxNames = 10_000

// ParseSettings reads the content of a file. The error names the JSON path of every member that can't be used, its
// value and the accepted ones. An empty file is an error: it is a write that is not complete, or a slip.
func ParseSettings(text []byte) (Settings, error) {
	p := settingsParser{}
	var s Settings
	err := env.EachMember(text, func(name string, value json.RawMessage) {
		switch name {
		case "paused_topics":
			s.PausedTopics = p.parseNames(name, value)
		case "paused_streams":
			s.PausedStreams = p.parseNames(name, value)
		case "log_level":
			s.LogLevel = p.parseLevel(name, value)
		case "streams":
			s.Streams = p.parseStreams(name, value)
		default:
			p.addFault(name, "is no setting; %s", suggestName(name, members))
		}
	})
	if err != nil {
		p.addFault("the file", `%v; want {"paused_topics": ["a topic"], ...}, with any of %s`, err, env.JoinOr(members))
	}
	if len(p.faults) > 0 {
		return Settings{}, errors.New(strings.Join(p.faults, "; "))
	}
	return s, nil
}

type settingsParser struct{ faults []string }

func (p *settingsParser) addFault(path, format string, args ...any) {
	if p.faults = append(p.faults, path+" "+fmt.Sprintf(format, args...)); len(p.faults) > maxFaults {
		p.faults = append(p.faults[:maxFaults], "and more")
	}
}

// heldValue shows a value that can't be used, shortened: a string without the quotes of JSON.
func heldValue(value json.RawMessage) string {
	var text *string
	if json.Unmarshal(value, &text) == nil && text != nil {
		return env.ShowValue("", *text)
	}
	return env.ShowValue("", string(value))
}

func suggestName(name string, known []string) string {
	if meant, ok := env.SuggestMember(name, known); ok {
		return "did you mean " + meant + "?"
	}
	return "want " + env.JoinOr(known)
}

// parseNames reads a list of names. null is not a list: it may be a template's slip, and would resume paused topics.
func (p *settingsParser) parseNames(path string, value json.RawMessage) []string {
	var all []string
	if json.Unmarshal(value, &all) != nil || all == nil {
		p.addFault(path, "holds %s: want a list of names, such as [\"orders\"], or []", heldValue(value))
		return nil
	}
	if len(all) > maxNames {
		p.addFault(path, "has %d names: want %d at most", len(all), maxNames)
		return nil
	}
	for i, name := range all {
		if name == "" || len(name) > 249 || name != strings.TrimSpace(name) {
			p.addFault(fmt.Sprintf("%s[%d]", path, i), "holds %s: want a name, without blanks around it", env.ShowValue("", name))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (p *settingsParser) parseLevel(path string, value json.RawMessage) *slog.Level {
	words := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	var word string
	_ = json.Unmarshal(value, &word)
	level, ok := words[strings.ToLower(word)]
	if !ok {
		p.addFault(path, "holds %s: want \"debug\", \"info\", \"warn\" or \"error\"", heldValue(value))
		return nil
	}
	return &level
}

func (p *settingsParser) parseStreams(path string, value json.RawMessage) map[string]firehose.StreamOption {
	streams := map[string]firehose.StreamOption{}
	err := env.EachMember(value, func(name string, value json.RawMessage) {
		at := memberPath(path, name)
		var o firehose.StreamOption
		err := env.EachMember(value, func(setting string, value json.RawMessage) {
			if err := o.SetRate(setting, value); err != nil {
				p.rateFault(memberPath(at, setting), value, err)
			}
		})
		if err != nil {
			p.addFault(at, "%v: want {\"max_bytes_per_second\": \"1MiB\", ...}", err)
		}
		streams[name] = o
	})
	if err != nil {
		p.addFault(path, "%v: want {\"a stream\": {\"max_bytes_per_second\": \"1MiB\", ...}, ...}", err)
	}
	if len(streams) > maxNames {
		p.addFault(path, "has %d streams: want %d at most", len(streams), maxNames)
	}
	return streams
}

// rateFault shows the value where the error is about it, and not about the name.
func (p *settingsParser) rateFault(path string, value json.RawMessage, err error) {
	if strings.HasPrefix(err.Error(), "want ") {
		p.addFault(path, "holds %s: %v", heldValue(value), err)
		return
	}
	p.addFault(path, "%v", err)
}

var plainName = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_-]*\z`)

// memberPath is the JSON path of a member, with names in quotes that a dot could not separate.
func memberPath(path, name string) string {
	if plainName.MatchString(name) {
		return path + "." + name
	}
	return fmt.Sprintf("%s[%s]", path, env.ShowValue("", name))
}
