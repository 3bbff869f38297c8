package preflight

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"kafka-firehose/connector/awsconfig"
	"kafka-firehose/connector/firehose"
	"kafka-firehose/connector/firehose/putbatch"
	"kafka-firehose/connector/origin"
	"kafka-firehose/connector/preflight/check"
)

// streamTimeout bounds each look at something of AWS, all attempts together.
const streamTimeout = 12 * time.Second

// inspectStreams fetches credentials, describes each of the streams, and asks whether records may be put. It sends no record.
func inspectStreams(ctx context.Context, cfg firehose.Config, clients firehose.Clients, sends func(stream string) SentRecords) check.Findings {
	streams := cfg.StreamNames()
	found := make([]check.Findings, len(streams))
	keys := make([]check.Findings, len(streams))
	var looks sync.WaitGroup
	seen := map[*firehose.Client]bool{}
	for i, name := range streams {
		client := clients.ForStream(name)
		if !seen[client] {
			seen[client] = true
			looks.Go(func() { keys[i] = inspectKeys(ctx, client, name) })
		}
		looks.Go(func() {
			var key string
			found[i], key = inspectStream(ctx, client, name, sends(name), cfg.RequireEncryption)
			tryPut(ctx, client, name, key, &found[i])
		})
	}
	looks.Wait()
	var all check.Findings
	for _, f := range slices.Concat(keys, found) {
		all = append(all, f...)
	}
	return all
}

// inspectKeys fetches what signs requests; stream is the first that they are for.
func inspectKeys(ctx context.Context, client *firehose.Client, stream string) (found check.Findings) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	name := "for stream " + stream
	keys, err := client.Options().Credentials.Retrieve(ctx)
	if err != nil {
		found.AddError(check.Credentials, name, "there are none: "+putbatch.ClassifyError(context.WithoutCancel(ctx), err, false).Message,
			"give the process a role (IRSA, Pod Identity, the instance's) or keys, and look at FIREHOSE_ROLE_ARN")
		return found
	}
	text := "from " + awsconfig.SourceOf(keys.Source)
	if keys.AccountID != "" {
		text += ", account " + keys.AccountID
	}
	if keys.CanExpire {
		text += ", renewed by themselves"
	}
	text += "; region " + client.Options().Region
	if at, err := url.Parse(aws.ToString(client.Options().BaseEndpoint)); err == nil && at.Host != "" {
		text += ", endpoint " + origin.SchemeAndHost(at)
	}
	found.AddOK(check.Credentials, name, text)
	return found
}

// inspectStream describes a stream. key is the ARN of its customer managed key, if it has one.
func inspectStream(ctx context.Context, api firehose.Describer, stream string, sends SentRecords, encrypted bool) (found check.Findings, key string) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	d, f := firehose.DescribePatiently(ctx, api, stream, func(*putbatch.RequestError) {})
	if f != nil {
		explainFailure(f, stream, &found)
		return found, ""
	}
	key = firehose.OwnKey(d)
	if d.DeliveryStreamType != types.DeliveryStreamTypeDirectPut {
		found.AddError(check.Stream, stream, fmt.Sprintf("is of type %s", d.DeliveryStreamType), "only DirectPut streams take records from us: use another one")
	}
	switch d.DeliveryStreamStatus {
	case types.DeliveryStreamStatusActive:
	case types.DeliveryStreamStatusCreating:
		found.AddWarning(check.Stream, stream, "is being created", "the service waits for up to "+creationLimit.String())
	default:
		found.AddError(check.Stream, stream, fmt.Sprintf("is %s, not ACTIVE%s", d.DeliveryStreamStatus, failureReason(d.FailureDescription)), "create it anew")
	}
	encryption, ok := encryptionOf(d.DeliveryStreamEncryptionConfiguration)
	if !ok {
		found.AddWarning(check.Stream, stream, encryption, "look at its key, the key's policy and grants")
	}
	if encrypted && encryption == plainAtRest {
		found.AddError(check.Stream, stream, "has "+plainAtRest+", and FIREHOSE_REQUIRE_ENCRYPTION is true: its first answer blocks it", "turn encryption on, or the setting off")
	}
	conflicts := sends.findConflicts(d)
	for _, c := range conflicts {
		if !c.possible {
			found.AddWarning(check.Stream, stream, c.problem, c.advice)
		}
	}
	if len(found) == 0 {
		text := "ACTIVE, DirectPut, to " + strings.TrimPrefix(destinationNames(d), "the ") + ", " + encryption
		var advice []string
		for _, c := range conflicts {
			text, advice = text+"; "+c.problem, append(advice, c.advice)
		}
		if key != "" {
			advice = append(advice, keyAdvice)
		}
		found.AddNote(check.Stream, stream, text, strings.Join(advice, "; "))
	} else if key != "" && ok { // what else is wrong with it doesn't hide what the key asks for
		found.AddNote(check.Stream, stream, encryption, keyAdvice)
	}
	return found, key
}

// keyAdvice is for a stream that is encrypted with a customer managed key.
const keyAdvice = "allow kms:GenerateDataKey and kms:Decrypt on the key, which AWS asks of callers for streams created since 2026-04-20, and from 2027-02-28 for all"

func destinationNames(d *types.DeliveryStreamDescription) string {
	var names []string
	for _, to := range d.Destinations {
		names = append(names, firehose.DestinationKind(to))
	}
	return strings.Join(names, " and ")
}

const plainAtRest = "no server-side encryption"

// encryptionOf says how a stream is encrypted at rest; it is not ok when a change of
// that has failed.
func encryptionOf(e *types.DeliveryStreamEncryptionConfiguration) (text string, ok bool) {
	if e == nil {
		return plainAtRest, true
	}
	switch e.Status {
	case types.DeliveryStreamEncryptionStatusEnablingFailed, types.DeliveryStreamEncryptionStatusDisablingFailed:
		return fmt.Sprintf("its encryption is %s%s", e.Status, failureReason(e.FailureDescription)), false
	case types.DeliveryStreamEncryptionStatusDisabled, "":
		return plainAtRest, true
	case types.DeliveryStreamEncryptionStatusEnabled, types.DeliveryStreamEncryptionStatusEnabling, types.DeliveryStreamEncryptionStatusDisabling:
	}
	key := "a key of AWS"
	if e.KeyType == types.KeyTypeCustomerManagedCmk {
		key = "the key " + aws.ToString(e.KeyARN)
	}
	return fmt.Sprintf("encryption %s with %s", e.Status, key), true
}

func failureReason(f *types.FailureDescription) string {
	if f == nil {
		return ""
	}
	return fmt.Sprintf(" (%s: %s)", f.Type, awsconfig.CleanMessage(aws.ToString(f.Details)))
}

// explainFailure tells why a stream could not be described, as far as that keeps records from it.
func explainFailure(f *putbatch.RequestError, stream string, found *check.Findings) {
	switch {
	case firehose.IsMissing(f):
		found.AddError(check.Stream, stream, "does not exist in this account and region: "+f.Message, "create it, or look at FIREHOSE_STREAM, FIREHOSE_ROUTES and AWS_REGION")
	case f.Code == "AccessDeniedException":
		found.AddWarning(check.Stream, stream, "may not be described: "+f.Message, "allow firehose:DescribeDeliveryStream to have it looked at, and see to it that firehose:PutRecordBatch is allowed")
	case f.Code == "no_credentials":
		found.AddError(check.Stream, stream, "could not be described without credentials", "see credentials")
	case f.Class == putbatch.Throttled:
		found.AddWarning(check.Stream, stream, "could not be described: "+f.Error(), "others describe streams in this account; try again later")
	case f.Class == putbatch.Credentials:
		found.AddError(check.Stream, stream, "the credentials are refused: "+f.Error(), "look at where they come from, and at this machine's clock")
	case f.Code == "proxy", f.Code == "dns", f.Code == "tls", f.Code == "connect", f.Code == "timeout", f.Code == "connection":
		found.AddError(check.Stream, stream, "Firehose can't be reached: "+f.Message, "look at AWS_REGION, AWS_ENDPOINT_URL_FIREHOSE, HTTPS_PROXY, AWS_CA_BUNDLE, and at what is between")
	default:
		found.AddError(check.Stream, stream, "could not be described: "+f.Error(), "")
	}
}
