// Package deadletter writes records that can't be delivered to a topic of their
// own, with the reason in their headers.
//
// A letter is pending from SendLetter until Kafka has acknowledged it on all in-sync
// replicas; only then its span settles, so the commit of its partition waits.
// A topic that takes no letters is back-pressure: they are tried
// again without end, after a backoff that grows, and their memory counts.
//
// One goroutine, Run, owns the client. It writes one group of letters at a time and
// has the result of each before it takes the next. SendLetter only queues.
package deadletter
