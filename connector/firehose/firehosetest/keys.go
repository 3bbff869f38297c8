package firehosetest

import (
	"slices"
	"sync"
	"time"
)

// Credentials are one key that may sign requests.
type Credentials struct {
	AccessKey string
	SecretKey string
	// SessionToken, if set, has to come with every request (X-Amz-Security-Token).
	SessionToken string
	// Expires, if set, is when the key starts to give ExpiredTokenException.
	Expires time.Time
}

// AddCredentials lets more keys sign, from now on. One that is there already is
// replaced, so a session ends early when it is added again with another Expires.
func (s *Service) AddCredentials(c ...Credentials) { s.keys.add(c...) }

// RemoveCredentials takes a key away, as deleting or deactivating it does:
// UnrecognizedClientException. With none left, every signature is refused.
func (s *Service) RemoveCredentials(accessKey string) { s.keys.remove(accessKey) }

// keys are who may sign. The zero value lets everybody.
type keys struct {
	mu     sync.Mutex
	strict bool // there was a key once
	list   []Credentials
}

func (k *keys) add(c ...Credentials) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range c {
		k.strict = true
		k.list = slices.DeleteFunc(k.list, func(old Credentials) bool {
			return old.AccessKey == c.AccessKey && old.SessionToken == c.SessionToken
		})
		k.list = append(k.list, c)
	}
}

func (k *keys) remove(accessKey string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = slices.DeleteFunc(k.list, func(c Credentials) bool { return c.AccessKey == accessKey })
}

// find looks up the key that signed; nil if any key will do.
func (k *keys) find(accessKey, token string, now time.Time) (*Credentials, *apiError) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.strict {
		return nil, nil
	}
	for _, c := range k.list {
		if c.AccessKey != accessKey || c.SessionToken != token {
			continue
		}
		if !c.Expires.IsZero() && !now.Before(c.Expires) {
			return nil, fail(codeExpiredToken, "%s", messageOf(codeExpiredToken))
		}
		return &c, nil
	}
	return nil, fail(codeUnrecognizedClient, "%s", messageOf(codeUnrecognizedClient))
}
