package firehosetest

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"
)

// issuer hands out temporary credentials and remembers them.
type issuer struct {
	lifetime time.Duration
	issued   func(Credentials)

	mu       sync.Mutex
	sessions []Credentials
}

// issue makes a session that lasts as long as the issuer says, else for asked.
func (i *issuer) issue(asked time.Duration) Credentials {
	if i.lifetime > 0 {
		asked = i.lifetime
	}
	c := Credentials{
		AccessKey:    "ASIA" + rand.Text()[:16],
		SecretKey:    random(30),  // 40 characters, as real ones have
		SessionToken: random(300), // 400 characters; real ones have some hundreds
		Expires:      time.Now().Add(asked).UTC().Truncate(time.Second),
	}
	i.mu.Lock()
	i.sessions = append(i.sessions, c)
	i.mu.Unlock()
	if i.issued != nil {
		i.issued(c)
	}
	return c
}

// Sessions are all credentials that were handed out, in order.
func (i *issuer) Sessions() []Credentials {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.sessions)
}

// random returns a number of random bytes in base64. It is not repeatable, because only
// the owner of the session depends on it.
func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

// roleName takes a role's ARN apart.
func roleName(arn string) (account, name string) {
	account, name, _ = strings.Cut(strings.TrimPrefix(arn, "arn:aws:iam::"), ":role/")
	return account, name
}
