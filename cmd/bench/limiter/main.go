// Command limiter simulates members that send to one delivery stream and prints
// which goals the limiter reaches: the rows that miss one, and a table.
package main

import (
	"flag"
	"os"
	"runtime"
	"slices"
	"strings"

	"kafka-firehose/connector/firehose/limiter/limitertest"
)

func main() {
	seeds := flag.Int("seeds", 20, "runs of each row; the values are their means")
	all := flag.Bool("v", false, "print each row, not only those that miss a goal")
	only := flag.String("rows", "", "only rows whose name or group contains this text")
	flag.Parse()
	rows := slices.DeleteFunc(limitertest.Rows(), func(r limitertest.Row) bool {
		return !strings.Contains(r.Group, *only) && !strings.Contains(r.Name, *only)
	})
	if limitertest.Print(os.Stdout, limitertest.RunAll(rows, *seeds, runtime.NumCPU()), *all) < len(rows) {
		os.Exit(1)
	}
}
