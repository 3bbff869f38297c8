package schema

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"kafka-firehose/connector/certificates"
	"kafka-firehose/connector/origin"
)

func (c Config) certificateFiles() certificates.Files {
	return certificates.Files{
		CA:   certificates.File{Variable: caName, Path: c.CAFile},
		Cert: certificates.File{Variable: certName, Path: c.CertFile},
		Key:  certificates.File{Variable: keyName, Path: c.KeyFile},
	}
}

// registryNetwork makes the connections to the registry with what the files for TLS hold. When
// they change another transport takes the place of the one that has read them: that
// works through a proxy, too, where nothing but the transport itself makes connections.
type registryNetwork struct {
	files *certificates.WatchedFiles

	mu     sync.Mutex
	config *tls.Config // that current was made with
	http   *http.Transport
}

func newNetwork(cfg Config, log *slog.Logger) (*registryNetwork, error) {
	files, err := certificates.WatchFiles(cfg.certificateFiles(), log, func(time.Time) {})
	return &registryNetwork{files: files}, err
}

// RoundTrip implements http.RoundTripper.
func (n *registryNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	return n.currentTransport().RoundTrip(r)
}

// currentTransport looks at the files for each request: there are few.
func (n *registryNetwork) currentTransport() *http.Transport {
	n.mu.Lock()
	defer n.mu.Unlock()
	config := n.files.CurrentConfig()
	if n.http != nil && n.config == config {
		return n.http
	}
	if n.http != nil {
		n.http.CloseIdleConnections() // those with a request on them end with it
	}
	n.config = config
	n.http = &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   config.Clone(), // it writes into it
		ForceAttemptHTTP2: true,
		IdleConnTimeout:   30 * time.Second, // there is seldom something to ask

		MaxResponseHeaderBytes: maxHeader,
	}
	origin.ReportProxy(n.http)
	return n.http
}
