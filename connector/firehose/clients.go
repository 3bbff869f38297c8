package firehose

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/firehose"

	"kafka-firehose/connector/awsconfig"
)

// Clients are the clients of all streams. Streams that are reached in the same way
// share one, with its connections and its credentials.
type Clients struct{ of map[string]*Client }

// streamAccess is how a stream is reached. An empty field is the environment's.
type streamAccess struct {
	region, endpoint string
	role             awsconfig.Role
}

func (c Config) accessOf(stream string) streamAccess {
	o := c.StreamOptions.Of[stream]
	w := streamAccess{o.Region, o.EndpointURL, c.ForStream(stream).assumedRole()}
	if o.RoleARN != "" {
		w.role.Variable = "role_arn of " + streamOptionsName
	}
	return w
}

// applyTo is a ClientOption.
func (w streamAccess) applyTo(o *firehose.Options) {
	if w.endpoint != "" {
		o.BaseEndpoint = &w.endpoint
	}
}

// NewClients makes the clients of cfg's streams; see [NewClient]. Its error names the
// first stream that it concerns.
func NewClients(ctx context.Context, cfg Config, log *slog.Logger, opts ...ClientOption) (Clients, error) {
	all := Clients{map[string]*Client{}}
	ways := map[streamAccess]*Client{}
	for _, stream := range cfg.StreamNames() {
		w := cfg.accessOf(stream)
		if ways[w] == nil {
			client, err := newClient(ctx, cfg, w, log, opts...)
			if err != nil {
				return Clients{}, fmt.Errorf("stream %s: %w", stream, err)
			}
			ways[w] = client
		}
		all.of[stream] = ways[w]
	}
	return all, nil
}

// ForStream returns the client of one of the streams.
func (c Clients) ForStream(stream string) *Client { return c.of[stream] }
