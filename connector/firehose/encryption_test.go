package firehose

import (
	"context"
	"strings"
	"testing"
	"time"

	"kafka-firehose/connector/firehose/firehosetest"
	"kafka-firehose/connector/firehose/putbatch"
)

// TestRequireEncryption: the first answer that says that records are stored without encryption blocks the stream, and
// nothing of it settles. When the stream encrypts, what was stored before is stored once more, and counted.
func TestRequireEncryption(t *testing.T) {
	cfg := settings()
	cfg.RequireEncryption = true
	virtual(t, firehosetest.Options{}, cfg, func(w *world) {
		ctx, cancel := context.WithCancel(w.t.Context())
		w.start(ctx, w.batch(10, 100))
		time.Sleep(10 * time.Minute)
		w.wantMark(0)
		if st := w.stream.State(); !st.Blocked || st.Reason.Code != "not_encrypted" || st.Encrypted {
			t.Errorf("%+v", st)
		}
		w.wantMetric(0, "records_accepted_total")
		stored := len(w.svc.Stored("orders"))
		w.wantMetric(float64(stored), "records_ambiguous_total")
		if stored > 10+40 {
			t.Errorf("%d copies are stored, want those of the first request, and then one with each probe", stored)
		}
		w.svc.DeleteStream("orders")
		w.svc.AddStream(firehosetest.Stream{Name: "orders", Encrypted: true})
		time.Sleep(time.Minute)
		w.wantMark(10)
		w.wantMetric(1, "encrypted")
		if st := w.stream.State(); st.Blocked || !st.Encrypted {
			t.Errorf("%+v", st)
		}
		cancel()
		w.wg.Wait()
	})
}

// TestEncryptedIsShown also without the setting, in the usual form of an answer and in others.
func TestEncryptedIsShown(t *testing.T) {
	for _, encrypted := range []bool{true, false} {
		virtual(t, firehosetest.Options{Streams: []firehosetest.Stream{{Name: "orders", Encrypted: encrypted}}}, settings(), func(w *world) {
			w.mustDeliver(w.batch(10, 100))
			if st := w.stream.State(); st.Encrypted != encrypted {
				t.Errorf("usual: %v, want %v", st.Encrypted, encrypted)
			}
			w.svc.SetFaults([]fault{{Effect: firehosetest.RefuseRecords, Indexes: []int{1}, Times: 1}})
			w.mustDeliver(w.batch(10, 100))
			if st := w.stream.State(); st.Encrypted != encrypted {
				t.Errorf("with refusals: %v, want %v", st.Encrypted, encrypted)
			}
			w.wantMark(20)
		})
	}
}

// ownARN is the ARN of a customer managed key.
const ownARN = "arn:aws:kms:us-east-1:123456789012:key/own"

// TestUnusableKey: whichever of its two forms the refusal has, the stream is blocked, and the reason names the key and both
// actions. InvalidKMSResourceException does not name the key: it is that of the description.
func TestUnusableKey(t *testing.T) {
	options := firehosetest.Options{Streams: []firehosetest.Stream{{Name: "orders", Key: ownARN}}}
	for _, code := range []string{"InvalidKMSResourceException", "AccessDeniedException"} {
		virtual(t, options, settings(), func(w *world) {
			ctx, cancel := context.WithCancel(w.t.Context())
			described, failed := DescribePatiently(ctx, w.stream.api.(Describer), "orders", func(*putbatch.RequestError) {})
			if failed != nil {
				t.Fatal(failed)
			}
			w.stream.SetDescription(described)
			w.svc.SetFaults([]fault{{Effect: firehosetest.RefuseKey, Code: code, Until: time.Hour}})
			w.start(ctx, w.batch(10, 100))
			time.Sleep(30 * time.Minute)
			w.wantMark(0)
			st := w.stream.State()
			if !st.Blocked || st.Reason.Code != code || !st.Reason.Key || strings.Count(st.Reason.Message, ownARN) != 1 ||
				!strings.Contains(st.Reason.Message, "kms:GenerateDataKey and kms:Decrypt") {
				t.Errorf("%+v: %v", st, st.Reason)
			}
			time.Sleep(31 * time.Minute)
			w.wantMark(10)
			if st := w.stream.State(); st.Blocked || !st.Encrypted {
				t.Errorf("%+v", st)
			}
			cancel()
			w.wg.Wait()
		})
	}
}
