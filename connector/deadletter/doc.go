// Package deadletter writes records that can't be delivered to a topic of their
// own, with the reason in their headers.
//
// A letter is pending from Send until Kafka has acknowledged it on all in-sync
// replicas; only then its span settles, so the commit of its partition waits.
// Whatever keeps the topic from taking letters is back-pressure: they are tried
// again for ever, after growing pauses, and the memory that they take counts.
//
// One goroutine, Run, owns the client. It writes one group of letters at a time and
// knows what became of each before it takes the next. Send only queues.
package deadletter
