package firehose

import (
	"net/http"
	"time"

	"kafka-firehose/connector/firehose/limiter"
	"kafka-firehose/connector/firehose/putbatch"
)

// observeResult tells the limiter the result of a request, f if it failed as a whole, and logs the
// change of state that it made.
func (s *sender) observeResult(now time.Time, r *request, result limiter.Result, f *putbatch.RequestError) {
	before := s.limiter.Snapshot()
	s.limiter.ObserveResult(now, r.permit, result)
	after := s.limiter.Snapshot()
	switch {
	case after.Breaker == limiter.BreakerClosed:
		s.history.probes.failure = nil
	case f != nil && (r.probe || before.Breaker != after.Breaker):
		s.history.probes.failure = f
	}
	s.logLimiterChange(before, after, f)
	switch {
	case before.Halvings == 0 && after.Halvings > 0:
		s.log.Warn("requests get no answer; reducing request size", "class", f.Class, "code", f.Code, "error", f.Message)
	case before.Halvings > 0 && after.Halvings == 0:
		s.log.Info("requests are answered; request size is full again")
	}
	switch {
	case before.SizeLimit == 0 && after.SizeLimit > 0:
		s.log.Warn("requests are refused for their size: sending smaller ones, and larger ones now and then", "code", f.Code, "error", f.Message, "refused_bytes", int(r.load.Bytes), "max_bytes", int(after.SizeLimit))
	case before.SizeLimit > 0 && after.SizeLimit == 0:
		s.log.Info("requests of full size are accepted again")
	}
	if before.Unlimited && !after.Unlimited {
		s.log.Warn("throttled: slowing down to what the stream takes", "bytes_per_second", int(after.Rate.Bytes))
	}
}

// logLimiterChange logs a change of the breaker, once each way.
func (s *sender) logLimiterChange(before, after limiter.State, f *putbatch.RequestError) {
	if before.Breaker == after.Breaker {
		return
	}
	switch after.Breaker {
	case limiter.BreakerBlocked:
		s.log.Error("the stream is blocked: nothing is delivered until this is repaired; trying again every 30 s at most",
			"class", f.Class, "code", f.Code, "error", f.Message)
	case limiter.BreakerOpen:
		s.log.Warn("the delivery stream does not answer; sending single requests until it does", "class", f.Class, "code", f.Code, "error", f.Message)
	case limiter.BreakerClosed:
		s.log.Info("the stream answers again", "after", time.Since(before.BreakerSince).Round(time.Millisecond).String())
	}
}

// outcomeOf translates a failure for the limiter.
func outcomeOf(f *putbatch.RequestError) limiter.Outcome {
	switch f.Class {
	case putbatch.Throttled:
		return limiter.Throttled
	case putbatch.Unavailable:
		switch f.Code {
		case "ServiceUnavailableException", "ServiceUnavailable", http.StatusText(http.StatusServiceUnavailable):
			return limiter.Unavailable
		}
		return limiter.Failed
	case putbatch.Ambiguous:
		return limiter.Ambiguous
	case putbatch.TooLarge:
		return limiter.TooLarge
	case putbatch.Blocked:
		return limiter.Blocked
	case putbatch.Canceled:
		return limiter.Canceled
	case putbatch.Credentials:
	}
	return limiter.Failed
}
