package proxytest

import "time"

// direction is a set of ways that data takes through a proxy.
type direction int

const (
	requests direction = 1 << iota // client to server
	answers                        // server to client
)

// Fault is one disturbance of the data that passes, in one direction or both.
type Fault struct {
	directions direction
	latency    time.Duration
	jitter     time.Duration
	rate       int64         // bytes a second; 0 is unlimited
	drop       bool          // data is read and discarded
	dropEnd    bool          // the end of the data, too
	cut        bool          // the connection ends after limit bytes
	limit      int64         //
	reset      bool          // data resets the connection
	slowClose  time.Duration // by which the end of the data is delayed
}

// Latency delays answers by d, more or less by up to jitter.
func Latency(d, jitter time.Duration) Fault {
	return Fault{directions: answers, latency: d, jitter: jitter}
}

// Bandwidth limits each direction of each connection to bytesPerSecond, at least 1.
func Bandwidth(bytesPerSecond int64) Fault {
	return Fault{directions: requests | answers, rate: max(bytesPerSecond, 1)}
}

// Silence is a half-open connection: data is lost, and neither side hears of it. Heal ends
// the connection.
func Silence() Fault { return Fault{directions: requests | answers, drop: true, dropEnd: true} }

// LostAnswers delivers requests and drops the answers. The client hears of it when
// the server closes the connection, or by Heal.
func LostAnswers() Fault { return Fault{directions: answers, drop: true} }

// Reset resets a connection as soon as something is sent over it.
func Reset() Fault { return Fault{directions: requests, reset: true} }

// CutRequests ends each connection after the given bytes of requests, counted from the
// first one that the fault meets.
func CutRequests(bytes int64) Fault { return Fault{directions: requests, cut: true, limit: bytes} }

// CutAnswers ends each connection after the given bytes of answers.
func CutAnswers(bytes int64) Fault { return Fault{directions: answers, cut: true, limit: bytes} }

// SlowClose passes the end of a connection on only after d.
func SlowClose(d time.Duration) Fault {
	return Fault{directions: requests | answers, slowClose: d}
}
