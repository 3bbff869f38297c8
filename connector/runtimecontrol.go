package connector

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"kafka-firehose/connector/kafka"
	"kafka-firehose/connector/runtimesettings"
	"kafka-firehose/connector/status"
	"kafka-firehose/metrics"
)

// runtimeEvery is how often RUNTIME_SETTINGS_FILE is read. Kubernetes takes up to a minute to change a mounted file.
const runtimeEvery = 5 * time.Second

// runtimeControl applies RUNTIME_SETTINGS_FILE, at the start and whenever it changes. The goroutine of run owns it, New
// before that; other goroutines read status and faulty. The methods that they call take a nil control, which changes nothing.
type runtimeControl struct {
	cfg       Config
	pipelines map[string]*pipeline
	source    *kafka.Source // opened after the file was read; set by applyFirst
	metrics   *metrics.Pipeline
	log       *slog.Logger
	file      *runtimesettings.File
	level     *slog.LevelVar // of the log; nil if it can't change
	applied   time.Time
	unknown   map[string]bool // names of the file that are no topic or stream of this process
	status    atomic.Pointer[status.Runtime]
	faulty    atomic.Pointer[fault] // nil while the file can be used
}

// openRuntimeSettings reads the file, if there is one.
func (c *Connector) openRuntimeSettings(level *slog.LevelVar) error {
	path := c.cfg.RuntimeSettingsFile
	if path == "" {
		return nil
	}
	file, err := runtimesettings.Open(path)
	if err != nil {
		return err
	}
	c.runtime = &runtimeControl{cfg: c.cfg, pipelines: c.pipelines, metrics: c.metrics.Pipeline, log: c.log, file: file, level: level, unknown: map[string]bool{}}
	c.runtime.publish(file.Settings())
	return nil
}

// applyFirst applies the settings that the process starts with, as changes of those of the environment. The source has been
// opened with their pauses, so that no record of a paused topic is fetched before.
func (r *runtimeControl) applyFirst(source *kafka.Source) {
	if r != nil {
		r.source = source
		r.apply(runtimesettings.Settings{}, r.file.Settings())
	}
}

// run reads the file, if there is one, every interval until ctx ends.
func (r *runtimeControl) run(ctx context.Context) {
	if r == nil {
		return
	}
	r.warnUnknown()
	repeatEvery(ctx, runtimeEvery, r.refresh)
}

// refresh applies the file if it has changed, and keeps the last good settings if it can't be used.
func (r *runtimeControl) refresh() {
	before := r.file.Settings()
	if r.file.RefreshSettings() {
		r.apply(before, r.file.Settings())
		r.source.PauseReading(r.pausesTopic())
	}
	r.noteFault(r.file.Err())
	r.warnUnknown()
}

// noteFault notes why the file can't be used, or that it can be. watchFaults logs it.
func (r *runtimeControl) noteFault(err error) {
	was := r.faulty.Load()
	if err == nil {
		if was != nil {
			r.faulty.Store(nil)
			r.metrics.RuntimeFault.Set(0)
			r.publish(r.file.Settings())
		}
		return
	}
	now := fault{what: "runtime settings", since: time.Now(), harmless: true, err: fmt.Errorf("runtime settings can't be read, the last good ones stay in use: %w", err)}
	if was != nil {
		now.since = was.since
	}
	r.faulty.Store(&now)
	r.metrics.RuntimeFault.Set(1)
	if was == nil || was.err.Error() != now.err.Error() {
		r.publish(r.file.Settings())
	}
}

// apply changes from the settings before to those after, and logs each change with the values that held and that hold
// now. A member that is not in the file has the value of the environment.
func (r *runtimeControl) apply(before, after runtimesettings.Settings) {
	r.applied = time.Now()
	r.metrics.RuntimeApplied.Set(float64(r.applied.Unix()))
	r.publish(after)
	r.changeLevel(before, after)
	r.logListChange("paused_topics", before.PausedTopics, after.PausedTopics)
	r.logListChange("paused_streams", before.PausedStreams, after.PausedStreams)
	for _, name := range slices.Sorted(maps.Keys(r.pipelines)) {
		was, is := r.cfg.Firehose.RatesOf(name, before.Streams[name]), r.cfg.Firehose.RatesOf(name, after.Streams[name])
		if was == is {
			continue
		}
		r.pipelines[name].stream.SetRates(is)
		was.Changes(is, func(setting, old, now string) { r.logChange(setting, old, now, "stream", name) })
	}
}

// logChange logs a setting that changed, with the values that held and that hold now.
func (r *runtimeControl) logChange(setting, before, after string, more ...any) {
	r.log.Info("runtime setting changed", append([]any{"setting", setting, "old", before, "new", after}, more...)...)
}

// logListChange logs a change of a list.
func (r *runtimeControl) logListChange(setting string, before, after []string) {
	if !slices.Equal(before, after) {
		r.logChange(setting, namesText(before), namesText(after))
	}
}

// maxNamesText bounds the text of a list of names.
const maxNamesText = 500

func namesText(names []string) string {
	text := "[" + strings.Join(names, " ") + "]"
	if len(text) > maxNamesText {
		return fmt.Sprintf("%s… (%d names)", text[:maxNamesText], len(names))
	}
	return text
}

// changeLevel sets the level of the log. The line about it passes by the more verbose of both levels.
func (r *runtimeControl) changeLevel(before, after runtimesettings.Settings) {
	was, is := r.levelOf(before), r.levelOf(after)
	if r.level == nil || was == is {
		return
	}
	r.level.Set(min(was, is))
	r.logChange("log_level", levelText(was), levelText(is))
	r.level.Set(is)
}

func (r *runtimeControl) levelOf(s runtimesettings.Settings) slog.Level {
	if s.LogLevel != nil {
		return *s.LogLevel
	}
	return r.cfg.LogLevel
}

func levelText(l slog.Level) string { return strings.ToLower(l.String()) }
