package connector

import "kafka-firehose/connector/convert"

// BeforeEach has do called before each record is converted, by the goroutine that converts it.
// It is for formats with schemas, and is called before Run.
func (c *Connector) BeforeEach(do func(convert.Ref)) {
	for _, l := range c.lanes {
		l.convert = convert.New(c.cfg.Record, func(ref convert.Ref) (convert.Schema, error) {
			do(ref)
			return c.lookup(ref)
		})
		if l.ahead != nil {
			l.ahead.convert = l.convert
		}
	}
}
