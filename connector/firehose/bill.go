package firehose

import "sync"

// billedUnit is what each record is rounded up to on the bill, in bytes:
// https://aws.amazon.com/firehose/pricing/.
const billedUnit = 5120

// BilledBytes returns the number of bytes that a record of that size is billed as.
func BilledBytes(bytes int) int64 { return int64((bytes + billedUnit - 1) / billedUnit * billedUnit) }

// Bill is the traffic that a stream has accepted since the process began, and its price.
type Bill struct {
	Records, Bytes int64 // accepted; bytes of data, before base64
	Billed         int64 // bytes
	Requests       int64 // that brought them
}

// Ratio is the bytes that are billed for each byte; 0 when there is none.
func (b Bill) Ratio() float64 {
	if b.Bytes == 0 {
		return 0
	}
	return float64(b.Billed) / float64(b.Bytes)
}

// billAccount keeps the bill of a stream.
type billAccount struct {
	mu    sync.Mutex
	bill  Bill
	after int64      // bytes at which tell is called; 0 when it has been, or there is none
	tell  func(Bill) // once
}

// addBill adds what a request brought and returns the bill with it.
func (a *billAccount) addBill(accepted Bill) Bill {
	a.mu.Lock()
	a.bill.Records += accepted.Records
	a.bill.Bytes += accepted.Bytes
	a.bill.Billed += accepted.Billed
	a.bill.Requests++
	bill, due := a.bill, a.after > 0 && a.bill.Bytes >= a.after
	if due {
		a.after = 0
	}
	a.mu.Unlock()
	if due {
		a.tell(bill)
	}
	return bill
}

// OnBill has tell called once, with the first answer after which that many bytes have
// been accepted; default never.
func OnBill(after int64, tell func(Bill)) Option {
	return func(s *Stream) { s.account.after, s.account.tell = after, tell }
}
