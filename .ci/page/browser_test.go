package page_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// screen is a window and the colours that its owner prefers.
type screen struct {
	width, height int64
	colour        string
	script        bool // JavaScript is on
}

// screens are as high as what a picture of the documentation shows.
var screens = []screen{{400, 1600, "light", true}, {400, 1600, "dark", false}, {1600, 1000, "light", false}, {1600, 1000, "dark", true}}

func (s screen) String() string { return fmt.Sprintf("%d-%s", s.width, s.colour) }

// visitTime bounds the visit of a page, on a busy machine, too.
const visitTime = time.Minute

// scrolledSideways lists the elements that have a scroll bar at the bottom, each with the beginning of its text.
const scrolledSideways = `[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).
	map(e => e.scrollWidth + ' of ' + e.clientWidth + ' pixels: ' + e.innerText.slice(0, 100))`

type browser struct{ context.Context }

func startBrowser(t *testing.T) browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(os.Getenv("CHROMIUM")), chromedp.NoSandbox)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return browser{ctx}
}

// complaints are what the browser reports of a page that it must not do.
type complaints struct {
	mu  sync.Mutex
	all []string
}

// hear adds the events of a kind as complaints, but for those that say returns no text for.
func hear[E any](ctx context.Context, c *complaints, kind cdp.Event[E], say func(*E) string) {
	events := chromedp.Events(ctx, kind)
	go func() {
		for event, err := range events {
			if err != nil {
				return // the tab is closed
			}
			if text := say(&event); text != "" {
				c.mu.Lock()
				c.all = append(c.all, text)
				c.mu.Unlock()
			}
		}
	}()
}

// listen hears all that a page of the host must not do. Errors of the console, and what a policy has blocked, come as
// entries of the browser's log.
func (c *complaints) listen(ctx context.Context, host string) {
	hear(ctx, c, runtime.ExceptionThrown, func(e *runtime.EventExceptionThrown) string { return "exception: " + e.ExceptionDetails.Text })
	hear(ctx, c, runtime.ConsoleAPICalled, func(e *runtime.EventConsoleAPICalled) string { return "console: " + string(e.Type) })
	hear(ctx, c, log.EntryAdded, func(e *log.EventEntryAdded) string { return "log: " + e.Entry.Text + " " + e.Entry.URL })
	hear(ctx, c, page.JavascriptDialogOpening, func(e *page.EventJavascriptDialogOpening) string { return "a dialog opens: " + e.Message })
	hear(ctx, c, network.RequestWillBeSent, func(e *network.EventRequestWillBeSent) string {
		if u, err := url.Parse(e.Request.URL); err == nil && (u.Host == host || u.Scheme == "data") {
			return ""
		}
		return "it asks another host: " + e.Request.URL
	})
}

// call is an action that sends a command of the protocol.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, command, params)
		return chromedp.Void{}, err
	}
}

// visit shows the page on a screen, reads it, and draws it where PAGE_PICTURES says.
func (b browser) visit(t *testing.T, name, address string, s screen, wants []string) {
	t.Helper()
	tab, closeTab := chromedp.NewContext(b)
	defer closeTab()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	tab, cancel := context.WithTimeout(tab, visitTime)
	defer cancel()
	c := &complaints{}
	c.listen(tab, u.Host)
	var text string
	var widths []float64
	var scrolls []string
	var picture []byte
	err = chromedp.Do(tab,
		call(network.Enable, network.EnableParams{}), call(log.Enable, cdp.Empty{}), call(runtime.Enable, cdp.Empty{}), call(page.Enable, page.EnableParams{}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.colour}}}),
		call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !s.script}),
		chromedp.EmulateViewport(s.width, s.height),
		chromedp.Navigate(address),
	)
	if err == nil {
		text, err = chromedp.Run(tab, chromedp.Evaluate[string](`document.body.innerText`))
	}
	if err == nil {
		widths, err = chromedp.Run(tab, chromedp.Evaluate[[]float64](`[document.documentElement.scrollWidth, window.innerWidth]`))
	}
	if err == nil {
		scrolls, err = chromedp.Run(tab, chromedp.Evaluate[[]string](scrolledSideways))
	}
	if err == nil {
		picture, err = chromedp.Run(tab, chromedp.CaptureScreenshot())
	}
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, complaint := range c.all {
		t.Errorf("%s: %s", s, complaint)
	}
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s: nobody can read %q in\n%.2000s", s, want, text)
		}
	}
	if widths[0] > widths[1] {
		t.Errorf("%s: the page is %v pixels wide, the window %v", s, widths[0], widths[1])
	}
	for _, element := range scrolls {
		t.Errorf("%s: part of the page has to be scrolled sideways: %s", s, element)
	}
	if shown, phone := strings.Contains(text, "Committed"), s.width < 640; shown == phone {
		t.Errorf("%s: the column Committed is shown: %v; it has no room on a phone", s, shown)
	}
	if dir := os.Getenv("PAGE_PICTURES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+"-"+s.String()+".png"), picture, 0o644); err != nil {
			t.Error(err)
		}
	}
}
