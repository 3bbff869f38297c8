// Package destination watches how late the destinations of delivery streams are.
//
// Firehose keeps a record for 24 hours while its destination fails, and drops it then. Its offset was
// committed when Firehose accepted it. So the age of the oldest record that a destination does not have,
// which CloudWatch publishes each minute as DeliveryTo*.DataFreshness, shows a loss hours before it happens.
//
// A [Watch] asks CloudWatch once a minute for all streams that one client reaches. The result for a stream is in
// the [State] of its [Stream]: a pure state machine (state.go) decides whether the stream is held, and the package's
// user stops sending to a held stream.
//
// Only a value that is less than an hour old counts. Missing values and failures of CloudWatch hold no stream. An hour without a
// value releases a held one, unless Firehose may have dropped records; while CloudWatch fails, it stays held for 24 hours.
package destination
