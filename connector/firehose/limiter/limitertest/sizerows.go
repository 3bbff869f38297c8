package limitertest

// sizes has a binding quota of requests, proxies and slow uplinks.
func (t *table) sizes() {
	for _, requests := range []float64{10, 20, 50} {
		r := Row{
			Group: "a binding quota of requests", Quota: Quota{5 * mib, 500_000, requests}, From: 5 * sec, To: 65 * sec,
			Goals: Goals{Goodput: .95, Refused: .10},
		}
		t.add(r, recordSizes, "quota 5 MiB/s and %g requests/s", requests)
	}
	none := 0.0
	for _, limit := range []float64{20_000, 100_000, 1_000_000, 4_000_000} {
		body := limit
		r := Row{
			Group: "a proxy with a size limit", Quota: noQuota, From: 10 * sec, To: 70 * sec, Goals: Goals{TooLarge: .05},
			Changes: []change{{maxBody: &body}},
		}
		t.add(r, recordSizes, "bodies of at most %g bytes", limit)
		r.Group, r.From, r.To, r.Goals = "a proxy's limit is gone for 2 min", 240*sec, 250*sec, Goals{Goodput: .95}
		r.Changes = []change{{maxBody: &body}, {at: 120 * sec, maxBody: &none}}
		r.Demand = 8 * mib
		t.add(r, recordSizes, "no more limit of %g bytes", limit)
	}
	body := 10_000.0
	t.add(Row{
		Group: "a proxy with a size limit", Quota: noQuota, From: 10 * sec, To: 70 * sec, Goals: Goals{TooLarge: .05},
		Changes: []change{{maxBody: &body}},
	}, recordSizes[:2], "bodies of at most %g bytes", body)
	for _, uplink := range []float64{10_000, 50_000, 250_000} {
		t.add(Row{
			Group: "a slow uplink", Quota: noQuota, From: 120 * sec, To: 720 * sec, Goals: Goals{Goodput: .90, Lost: .05},
			Network: network{latency: near.latency, uplink: uplink},
		}, recordSizes, "uplink of %g bytes/s", uplink)
	}
}
