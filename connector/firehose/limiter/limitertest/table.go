package limitertest

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
)

// Group is one line of the table: the worst value of each kind among its rows.
type Group struct {
	Name         string
	Rows, Passed int
	Worst        Values
	Goals        []Goals // the different ones of its rows
}

// Result is a row with its values and the goals that it misses.
type Result struct {
	Row    Row
	Values Values
	Missed []string
}

// RunAll simulates rows with the seeds 1 to n, workers of them at a time. The order
// of the results is that of the rows.
func RunAll(rows []Row, seeds, workers int) []Result {
	results := make([]Result, len(rows))
	var wg sync.WaitGroup
	next := make(chan int)
	for range workers {
		wg.Go(func() {
			for i := range next {
				v := rows[i].Run(seeds)
				results[i] = Result{rows[i], v, rows[i].Goals.Missed(v)}
			}
		})
	}
	for i := range rows {
		next <- i
	}
	close(next)
	wg.Wait()
	return results
}

// Groups sums results up.
func Groups(results []Result) (groups []Group) {
	for _, r := range results {
		i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == r.Row.Group })
		if i < 0 {
			i = len(groups)
			groups = append(groups, Group{Name: r.Row.Group, Worst: Values{Goodput: math.Inf(1), Low: math.Inf(1)}})
		}
		g := &groups[i]
		g.Rows++
		if len(r.Missed) == 0 {
			g.Passed++
		}
		w := &g.Worst
		w.Goodput, w.Low, w.High = min(w.Goodput, r.Values.Goodput), min(w.Low, r.Values.Low), max(w.High, r.Values.High)
		w.Refused, w.TooLarge = max(w.Refused, r.Values.Refused), max(w.TooLarge, r.Values.TooLarge)
		w.Lost, w.Requests = max(w.Lost, r.Values.Lost), max(w.Requests, r.Values.Requests)
		if !slices.Contains(g.Goals, r.Row.Goals) {
			g.Goals = append(g.Goals, r.Row.Goals)
		}
	}
	return groups
}

// Print writes the rows that miss a goal, or all, and the table of groups. It
// returns how many rows reach their goals.
func Print(w io.Writer, results []Result, all bool) (passed int) {
	for _, r := range results {
		if len(r.Missed) == 0 {
			passed++
		}
		if all || len(r.Missed) > 0 {
			fmt.Fprintf(w, "%-52s %4.0f B  %s%s\n", r.Row.Name, r.Row.Size, r.Values, missed(r.Missed))
		}
	}
	fmt.Fprintf(w, "\n| %-52s | rows | worst values and goals |\n|---|---|---|\n", "rows")
	for _, g := range Groups(results) {
		var columns []string
		for _, goals := range g.Goals {
			columns = append(columns, goals.compare(g.Worst)...)
		}
		slices.Sort(columns)
		fmt.Fprintf(w, "| %-52s | %d of %d | %s |\n", g.Name, g.Passed, g.Rows, strings.Join(slices.Compact(columns), ", "))
	}
	fmt.Fprintf(w, "\n%d of %d rows reach their goals\n", passed, len(results))
	return passed
}

func missed(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "  MISSED: " + strings.Join(names, ", ")
}

// String returns the values for people.
func (v Values) String() string {
	return fmt.Sprintf("goodput %5.1f %%  refused %5.2f %%  shares %.2f to %.2f  too large %.1f %%  lost %.1f %%  %.1f requests/s",
		100*v.Goodput, 100*v.Refused, v.Low, v.High, 100*v.TooLarge, 100*v.Lost, v.Requests)
}

// compare returns the judged values beside their goals.
func (g Goals) compare(v Values) (columns []string) {
	add := func(judged float64, format string, args ...any) {
		if judged > 0 {
			columns = append(columns, fmt.Sprintf(format, args...))
		}
	}
	add(g.Goodput, "goodput %.1f ≥ %g %%", 100*v.Goodput, 100*g.Goodput)
	add(g.Refused, "refused %.2f ≤ %g %%", 100*v.Refused, 100*g.Refused)
	add(g.Spread, "shares %.2f to %.2f within 1 ± %g", v.Low, v.High, g.Spread)
	add(g.TooLarge, "too large %.1f ≤ %g %%", 100*v.TooLarge, 100*g.TooLarge)
	add(g.Lost, "lost %.1f ≤ %g %%", 100*v.Lost, 100*g.Lost)
	add(g.Requests, "requests/s %.1f ≤ %g", v.Requests, g.Requests)
	return columns
}
