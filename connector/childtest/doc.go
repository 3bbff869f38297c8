// Package childtest ends the processes that tests start: brokers, members, servers of others.
package childtest
