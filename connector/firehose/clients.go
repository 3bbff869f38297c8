package firehose

import (
	"context"
	"fmt"
)

// Clients are the clients of all streams. Streams that are reached in the same way
// share one, with its connections and its credentials.
type Clients struct{ of map[string]*Client }

// way is how a stream is reached.
type way struct {
	region, endpoint, role, externalID string
}

func (c Config) way(stream string) way {
	o, own := c.StreamOptions.Of[stream], c.For(stream)
	return way{o.Region, o.EndpointURL, own.RoleARN, own.RoleExternalID}
}

// NewClients makes the clients of cfg's streams; see [NewClient]. Its error names the
// first stream that it concerns.
func NewClients(ctx context.Context, cfg Config, opts ...ClientOption) (Clients, error) {
	all := Clients{map[string]*Client{}}
	ways := map[way]*Client{}
	for _, stream := range cfg.Streams() {
		w := cfg.way(stream)
		if ways[w] == nil {
			client, err := newClient(ctx, cfg, w, opts...)
			if err != nil {
				return Clients{}, fmt.Errorf("stream %s: %w", stream, err)
			}
			ways[w] = client
		}
		all.of[stream] = ways[w]
	}
	return all, nil
}

// Of returns the client of one of the streams.
func (c Clients) Of(stream string) *Client { return c.of[stream] }
