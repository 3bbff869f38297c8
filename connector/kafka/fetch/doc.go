// Package fetch bounds the memory of what one Kafka client fetches. It watches the connections of the client, reads each fetch response before the client does,
// leaves out batches that find no room or that are malformed, decompresses batches within the bound, and keeps buffers for the next fetches. It knows no
// group and no position; a partition whose batch was left out is fetched again by its reader.
package fetch

import (
	"context"
	"net"
)

// dialFunc makes a connection, as net.Dialer does.
type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)
