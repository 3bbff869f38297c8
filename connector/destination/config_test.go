package destination

import (
	"fmt"
	"testing"
	"time"
)

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		c    Config
		want string // empty if that is allowed
	}{
		{Config{}, ""},
		{Config{Watch: true}, ""},
		{Config{Watch: true, PauseAfter: 5 * time.Minute}, ""},
		{Config{Watch: true, PauseAfter: 23 * time.Hour}, ""},
		{Config{Watch: true, PauseAfter: 5*time.Minute - 1}, `DESTINATION_PAUSE_AFTER holds "4m59.999999999s": want 5m to 23h`},
		{Config{Watch: true, PauseAfter: 23*time.Hour + 1}, `DESTINATION_PAUSE_AFTER holds "23h0m0.000000001s": want 5m to 23h`},
		{Config{Watch: true, PauseAfter: -1}, `DESTINATION_PAUSE_AFTER holds "-1ns": want 5m to 23h`},
		{Config{PauseAfter: time.Hour}, `DESTINATION_PAUSE_AFTER holds "1h0m0s": it has no effect unless DESTINATION_WATCH is true`},
	} {
		got := ""
		if err := row.c.Validate(); err != nil {
			got = fmt.Sprint(err)
		}
		if got != row.want {
			t.Errorf("%+v: %q, want %q", row.c, got, row.want)
		}
	}
}
