package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// events makes up what a shop's web server might send: JSON objects of about 400 bytes, keyed by user,
// without end. Each has a number, so that all are different.
type events struct {
	number uint64
	dice   *rand.Rand
}

var (
	actions = []string{"view", "view", "view", "view", "search", "search", "add_to_cart", "remove_from_cart", "checkout", "login"}
	places  = []string{"/", "/news", "/search", "/cart", "/account", "/item/%d"}
	agents  = []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
	}
)

func newEvents() *events { return &events{dice: rand.New(rand.NewPCG(1, 2))} }

func (e *events) next(ctx context.Context) (key, value []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	pick := func(from []string) string { return from[e.dice.IntN(len(from))] }
	user := fmt.Sprintf("user-%05d", e.dice.IntN(20_000))
	place := pick(places)
	if place == "/item/%d" {
		place = fmt.Sprintf(place, e.dice.IntN(5000))
	}
	e.number++
	value = fmt.Appendf(nil, `{"id":%d,"time":%q,"user":%q,"session":"%016x","action":%q,"url":"https://shop.example%s",`+
		`"referrer":"https://search.example/","status":200,"bytes":%d,"ms":%d,"address":"203.0.113.%d","agent":%q}`,
		e.number, time.Now().UTC().Format(time.RFC3339Nano), user, e.dice.Uint64(), pick(actions), place,
		500+e.dice.IntN(50_000), 3+e.dice.IntN(400), e.dice.IntN(256), pick(agents))
	return []byte(user), value, nil
}
