package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"html"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

var (
	record = flag.Bool("record", false, "run the sandbox in an outage, write "+recordingFile+", and draw it as "+recordingPicture)
	redraw = flag.Bool("redraw", false, "draw "+recordingFile+" again")
)

const (
	recordingFile    = "testdata/recording.txt"
	recordingPicture = "../../deploy/docs/sandbox.svg"
	recordedFaults   = "outage"
)

// screenLine is a line of output and the time at which it was written.
type screenLine struct {
	at    time.Duration // since the start
	text  string
	class string // the attribute for its color
}

// recorder is a screen: standard output and standard error, in one order.
type recorder struct {
	mu    sync.Mutex
	begin time.Time
	lines []screenLine
	part  []byte // of a line that has no end yet
}

// Write may be called by several goroutines.
func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Since(r.begin).Round(10 * time.Millisecond)
	r.part = append(r.part, p...)
	for {
		text, rest, found := bytes.Cut(r.part, []byte("\n"))
		if !found {
			return len(p), nil
		}
		r.lines, r.part = append(r.lines, screenLine{at: at, text: string(text)}), bytes.Clone(rest)
	}
}

// TestRecording: the README's recording of the sandbox is drawn from testdata/recording.txt, and each line of it looks like one
// that the sandbox prints now. With -record the recording is made first, with -redraw the
// picture alone.
func TestRecording(t *testing.T) {
	t.Parallel()
	if *record {
		r := &recorder{begin: time.Now()}
		if code := (world{stdout: r, stderr: r}).run(t.Context(), []string{"-faults", recordedFaults}); code != exitProved {
			t.Fatalf("the sandbox ended with the exit code %d", code)
		}
		var b strings.Builder
		for _, l := range r.lines {
			fmt.Fprintf(&b, "%.2f\t%s\n", l.at.Seconds(), l.text)
		}
		writeFile(t, recordingFile, b.String())
	}
	lines := readRecording(t)
	if *record || *redraw {
		writeFile(t, recordingPicture, drawRecording(lines))
	}
	picture, err := os.ReadFile(recordingPicture)
	if err != nil {
		t.Fatal(err)
	}
	if string(picture) != drawRecording(lines) {
		t.Errorf("%s is not drawn from %s: make sandbox-recording", recordingPicture, recordingFile)
	}

	script := inFile(t, `[{"effect": "outage", "after": "300ms", "until": "1500ms"}]`)
	r := sandboxed(t, world{}, "-faults", script, "-for", "2500ms")
	r.want(t, exitProved)
	recorded, printed := map[string]bool{}, map[string]bool{}
	for _, l := range lines {
		recorded[shapeOf(l.text)] = true
	}
	for l := range strings.Lines(r.stdout) {
		printed[shapeOf(strings.TrimSuffix(l, "\n"))] = true
	}
	delete(recorded, logLine) // a real outage has others than a short one
	if got, want := sortedKeys(recorded), sortedKeys(printed); !slices.Equal(got, want) {
		t.Errorf("the recording has lines like\n%s\n\nThe sandbox prints lines like\n%s\n\nmake sandbox-recording", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const logLine = "a line of the log"

var (
	quantities  = regexp.MustCompile(`\d[\d,.]*( [KMG]iB| B|ms|s\b)?`)
	directories = regexp.MustCompile(`[^ ]*/(objects|connector\.log)`)
	faultNames  = regexp.MustCompile(`faults: \S+`)
	columns     = regexp.MustCompile(` +`)
)

// shapeOf returns a line without its quantities, addresses and directories.
func shapeOf(text string) string {
	if strings.HasPrefix(text, "time=") {
		return logLine
	}
	text = faultNames.ReplaceAllString(directories.ReplaceAllString(text, "DIR/$1"), "faults: NAME")
	return columns.ReplaceAllString(quantities.ReplaceAllString(text, "0"), " ")
}

func sortedKeys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

func readRecording(t *testing.T) (lines []screenLine) {
	t.Helper()
	f, err := os.Open(recordingFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		at, text, _ := strings.Cut(s.Text(), "\t")
		d, err := time.ParseDuration(at + "s")
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, screenLine{at: d, text: text})
	}
	return lines
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The screen of the picture, in characters, pixels and seconds.
const (
	screenColumns, screenRows = 130, 30
	charWidth, lineHeight     = 7.2, 17.0
	screenMargin              = 12.0
	typingTime                = time.Second     // before the first line of output
	holdTime                  = 8 * time.Second // with the end on the screen
)

// drawRecording returns the recording as an animated SVG: a page that moves up behind the screen, and a curtain over the lines that
// are still to come. A viewer that does not animate shows the end.
func drawRecording(recorded []screenLine) string {
	lines := wrapLine(screenLine{at: -typingTime, text: "$ go run ./cmd/sandbox -faults " + recordedFaults})
	for _, l := range recorded {
		lines = append(lines, wrapLine(l)...)
	}
	total := typingTime + lines[len(lines)-1].at + holdTime
	var moves, curtain, page strings.Builder
	place := func(shown int) (up, from float64) {
		return -lineHeight * float64(max(0, shown-screenRows)), lineHeight * float64(shown)
	}
	for i, l := range lines {
		if i+1 == len(lines) || lines[i+1].at != l.at {
			up, from := place(i + 1)
			percent := 100 * (typingTime + l.at).Seconds() / total.Seconds()
			fmt.Fprintf(&moves, "%.2f%%{transform:translateY(%gpx)}", percent, up)
			fmt.Fprintf(&curtain, "%.2f%%{transform:translateY(%gpx)}", percent, from)
		}
		if l.text != "" {
			n := float64(utf8.RuneCountInString(l.text))
			fmt.Fprintf(&page, `<text y="%g" textLength="%.1f"%s>%s</text>`+"\n", lineHeight*float64(i)+13, n*charWidth, l.class, html.EscapeString(l.text))
		}
	}
	up, from := place(len(lines))
	width, height := 2*screenMargin+charWidth*screenColumns, 2*screenMargin+lineHeight*screenRows
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]g %[2]g" role="img">
<title>A recording of the sandbox: Firehose answers nothing for 15 seconds, the lag grows, all records are delivered afterwards, and each of them is proved to be there once.</title>
<style>
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#c9d1d9;white-space:pre}
.command{fill:#fff;font-weight:bold}.fault{fill:#ff7b72}.log{fill:#d29922}.proved{fill:#56d364;font-weight:bold}
.page{transform:translateY(%[3]gpx);animation:page %[5]gs step-end infinite}
.curtain{transform:translateY(%[4]gpx);animation:curtain %[5]gs step-end infinite}
@keyframes page{%[6]s}
@keyframes curtain{%[7]s}
@media (prefers-reduced-motion:reduce){.page,.curtain{animation:none}}
</style>
<rect width="%[1]g" height="%[2]g" rx="8" fill="#0d1117"/>
<svg x="%[8]g" y="%[8]g" width="%[9]g" height="%[10]g"><g class="page">
%[11]s<rect class="curtain" width="%[9]g" height="%[12]g" fill="#0d1117"/>
</g></svg>
</svg>
`, width, height, up, from, total.Seconds(), moves.String(), curtain.String(), screenMargin, width-2*screenMargin, height-2*screenMargin, page.String(), lineHeight*float64(len(lines)))
}

// wrapLine breaks a line that is wider than the screen, and sets its color.
func wrapLine(l screenLine) (parts []screenLine) {
	l.class = classOf(l.text)
	for len(l.text) > screenColumns {
		parts = append(parts, screenLine{l.at, l.text[:screenColumns], l.class})
		l.text = l.text[screenColumns:]
	}
	return append(parts, l)
}

// classOf returns the attribute for the color of a line.
func classOf(text string) string {
	for prefix, class := range map[string]string{"$ ": "command", "time=": "log", "PROVED": "proved"} {
		if strings.HasPrefix(text, prefix) {
			return ` class="` + class + `"`
		}
	}
	if strings.Contains(text, "  fault ") {
		return ` class="fault"`
	}
	return ""
}
