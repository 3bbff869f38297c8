package status

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Runtime are the settings of RUNTIME_SETTINGS_FILE that hold now.
type Runtime struct {
	File          string          `json:"file"`
	Applied       time.Time       `json:"applied"`         // when they were read
	Error         string          `json:"error,omitempty"` // why the file can't be used now
	PausedTopics  []string        `json:"paused_topics"`
	PausedStreams []string        `json:"paused_streams"`
	LogLevel      string          `json:"log_level"`
	Changed       []RuntimeChange `json:"changed"` // that differ from the environment
	Unknown       []string        `json:"unknown"` // names in it that are no topic and no stream of this process
}

// RuntimeChange is a limit of a stream that the file has in the place of the environment's.
type RuntimeChange struct {
	Stream  string `json:"stream"`
	Setting string `json:"setting"`
	Value   string `json:"value"`
}

// writeRuntime lists what the runtime settings of each member pause and change.
func writeRuntime(w io.Writer, members []Member) {
	head := "\nRUNTIME SETTINGS\n"
	for _, m := range members {
		for _, line := range m.Snapshot.Runtime.lines() {
			fmt.Fprintf(w, "%s%s: %s\n", head, plainText(m.Addr), plainText(line))
			head = ""
		}
	}
}

// lines says what the settings change, a line each.
func (r *Runtime) lines() (lines []string) {
	if r == nil {
		return nil
	}
	if len(r.PausedTopics) > 0 {
		lines = append(lines, "paused topics: "+strings.Join(r.PausedTopics, ", "))
	}
	if len(r.PausedStreams) > 0 {
		lines = append(lines, "paused streams: "+strings.Join(r.PausedStreams, ", "))
	}
	for _, c := range r.Changed {
		lines = append(lines, fmt.Sprintf("stream %s: %s is %s", c.Stream, c.Setting, c.Value))
	}
	for _, name := range r.Unknown {
		lines = append(lines, "without effect, unknown "+name)
	}
	return lines
}

// why is the state of a partition, with its reason.
func (p Partition) why() string {
	if p.Reason == "" {
		return p.State
	}
	return p.State + ": " + p.Reason
}
