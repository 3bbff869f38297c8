package destination

import (
	"time"

	"kafka-firehose/connector/env"
)

const (
	// Retention is how long Firehose keeps a record while its destination fails.
	// https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html
	Retention = 24 * time.Hour
	// A stream is late while it fills its buffer, up to 15 minutes by its settings. With less than minPause streams
	// would be held because of their buffers. With more than maxPause no time is left to drain.
	minPause, maxPause = 5 * time.Minute, 23 * time.Hour
)

// Config says whether destinations are watched.
type Config struct {
	// Watch asks CloudWatch each minute how late the destination of each stream is. It needs
	// cloudwatch:GetMetricData, and each process pays for two metrics a minute and stream.
	Watch bool `envconfig:"DESTINATION_WATCH" default:"false" desc:"Ask CloudWatch each minute how late the destination of each stream is; needs cloudwatch:GetMetricData."`
	// PauseAfter holds a stream whose destination is later than this: nothing new is sent, and its lag grows in Kafka. The
	// stream continues when its destination is half as late. What Firehose has accepted before is not protected. 0 holds no stream.
	PauseAfter time.Duration `envconfig:"DESTINATION_PAUSE_AFTER" unset:"never" desc:"Hold a stream whose destination is later than this, until it is half as late in most cases (deploy/docs/destination.md): Firehose drops a record 24 h after it accepted it. Records that it accepted before stay at risk: if it drops them, the log has the kafka-firehose replay command that sends them again. Needs DESTINATION_WATCH."`
}

// Validate returns all faults of c, each naming its variable.
func (c Config) Validate() error {
	const pause, watch = "DESTINATION_PAUSE_AFTER", "DESTINATION_WATCH"
	var check env.Check
	switch {
	case c.PauseAfter == 0:
	case !c.Watch:
		check.AddFault(env.HoldsFault(pause, c.PauseAfter, "it has no effect unless "+watch+" is true").WithSettings(watch))
	default:
		env.CheckRange(&check, pause, c.PauseAfter, minPause, maxPause)
	}
	return check.Err()
}
