package awsconfig

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// MSKSigner signs logins to Amazon MSK with IAM. A login is a request that is never made,
// kafka-cluster:Connect, as a presigned URL taken apart into JSON.
// https://github.com/aws/aws-msk-iam-auth#details
type MSKSigner struct {
	region string // of the brokers whose names don't tell; may be empty
	keys   *CachedCredentials
	signer *v4.Signer
}

const (
	mskService = "kafka-cluster"
	mskVersion = "2020_10_22"
	// mskExpires is how long a signature is good. It is used at once.
	mskExpires = 5 * time.Minute
)

// NewMSK connects to nothing. Without a region, brokers that have no name of MSK's own,
// such as those behind a private link, are taken to be in the SDK's region.
func NewMSK(ctx context.Context, region string, role Role, log *slog.Logger) (*MSKSigner, error) {
	if region == "" {
		shared, err := LoadConfig(ctx, awshttp.NewBuildableClient())
		if err != nil {
			return nil, fmt.Errorf("read the AWS configuration: %w", err)
		}
		region = shared.Region
	}
	return newMSK(region, CacheCredentials(CredentialsChain("", role, FetchTimeout), log)), nil
}

func newMSK(region string, keys *CachedCredentials) *MSKSigner {
	return &MSKSigner{region: region, keys: keys, signer: v4.NewSigner()}
}

// DiscardCredentials forces a refresh of the credentials on the next login.
func (m *MSKSigner) DiscardCredentials() { m.keys.Invalidate() }

// Credentials returns the state of the credentials that sign logins.
func (m *MSKSigner) Credentials() CredentialState { return m.keys.State() }

// SignLogin is what a broker wants to see; addr is its host:port.
func (m *MSKSigner) SignLogin(ctx context.Context, addr string) ([]byte, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	region := m.regionOf(host)
	if region == "" {
		return nil, fmt.Errorf("the region of broker %s is not known: set KAFKA_SASL_AWS_REGION", host)
	}
	keys, err := m.keys.Retrieve(ctx)
	if err != nil {
		return nil, errors.New(CleanMessage(err.Error()))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/", http.NoBody)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	query.Set("Action", mskService+":Connect")
	query.Set("X-Amz-Expires", strconv.Itoa(int(mskExpires.Seconds())))
	r.URL.RawQuery = query.Encode()
	empty := sha256.Sum256(nil)
	signed, _, err := m.signer.PresignHTTP(ctx, keys, r, hex.EncodeToString(empty[:]), mskService, region, time.Now())
	if err != nil {
		return nil, fmt.Errorf("sign the login: %w", err)
	}
	return loginPayload(ctx, host, signed)
}

// loginPayload takes the URL apart: its parameters in small letters, and three fields.
func loginPayload(ctx context.Context, host, signed string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, signed, http.NoBody)
	if err != nil {
		return nil, errors.New("the signed login is no URL") // whose text is a secret
	}
	fields := map[string]string{"version": mskVersion, "host": host, "user-agent": Application}
	for key, values := range r.URL.Query() {
		fields[strings.ToLower(key)] = values[0]
	}
	return json.Marshal(fields)
}

// mskHost is a broker's name in MSK and in MSK Serverless, in every partition of AWS.
var mskHost = regexp.MustCompile(`\.kafka(?:-serverless)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|c2s\.ic\.gov|sc2s\.sgov\.gov)\z`)

func (m *MSKSigner) regionOf(host string) string {
	if at := mskHost.FindStringSubmatch(host); at != nil {
		return at[1]
	}
	return m.region
}
