package connector

import (
	"maps"
	"slices"
	"time"

	"kafka-firehose/connector/runtimesettings"
	"kafka-firehose/connector/status"
)

// pausesTopic returns a function that reports whether the settings that hold now pause a topic, or the stream that it is
// routed to.
func (r *runtimeControl) pausesTopic() func(topic string) bool {
	now := r.current()
	if now == nil {
		return noTopic
	}
	return func(topic string) bool {
		_, named := slices.BinarySearch(now.PausedTopics, topic)
		return named || r.pausesStream(r.cfg.streamOf(topic))
	}
}

// pausesStream reports whether the settings pause a stream.
func (r *runtimeControl) pausesStream(name string) bool {
	now := r.current()
	if now == nil {
		return false
	}
	_, named := slices.BinarySearch(now.PausedStreams, name)
	return named
}

// current is the state that status shows, nil without a file. It changes with the settings.
func (r *runtimeControl) current() *status.Runtime {
	if r == nil {
		return nil
	}
	return r.status.Load()
}

// appliedAt is when the settings that hold now were read, zero without a file.
func (r *runtimeControl) appliedAt() time.Time {
	if now := r.current(); now != nil {
		return now.Applied
	}
	return time.Time{}
}

// fault is that of a file that can't be used, without an err while it can.
func (r *runtimeControl) fault() fault {
	if r != nil {
		if f := r.faulty.Load(); f != nil {
			return *f
		}
	}
	return fault{}
}

// publish makes the settings known to other goroutines.
func (r *runtimeControl) publish(s runtimesettings.Settings) {
	now := &status.Runtime{
		File: r.cfg.RuntimeSettingsFile, Applied: r.applied, LogLevel: levelText(r.levelOf(s)),
		PausedTopics: append([]string{}, s.PausedTopics...), PausedStreams: append([]string{}, s.PausedStreams...),
		Changed: []status.RuntimeChange{}, Unknown: append([]string{}, slices.Sorted(maps.Keys(r.unknown))...),
	}
	if err := r.file.Err(); err != nil {
		now.Error = err.Error()
	}
	for _, name := range slices.Sorted(maps.Keys(r.pipelines)) {
		environment, own := r.cfg.Firehose.ForStream(name).Rates(), r.cfg.Firehose.RatesOf(name, s.Streams[name])
		environment.Changes(own, func(setting, _, value string) {
			now.Changed = append(now.Changed, status.RuntimeChange{Stream: name, Setting: setting, Value: value})
		})
	}
	r.status.Store(now)
}

// warnUnknown warns, once for each, of names that are no topic or stream of this process. They have no effect, and
// a topic that appears later is paused then.
func (r *runtimeControl) warnUnknown() {
	unknown := map[string]bool{}
	s := r.file.Settings()
	if topics, known := r.source.ConsumedTopics(); known {
		for _, topic := range s.PausedTopics {
			if _, consumed := slices.BinarySearch(topics, topic); !consumed {
				r.noteUnknown(unknown, "topic", topic)
			}
		}
	}
	for _, name := range slices.Concat(s.PausedStreams, slices.Sorted(maps.Keys(s.Streams))) {
		if r.pipelines[name] == nil {
			r.noteUnknown(unknown, "stream", name)
		}
	}
	if !maps.Equal(unknown, r.unknown) {
		r.unknown = unknown
		r.publish(s)
	}
}

// noteUnknown notes an unknown name, and warns of it unless it was noted before.
func (r *runtimeControl) noteUnknown(unknown map[string]bool, kind, name string) {
	key := kind + " " + name
	if !r.unknown[key] && !unknown[key] {
		r.log.Warn("runtime settings have a name that this process does not know; it has no effect", kind, name)
	}
	unknown[key] = true
}
