package recovery

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// pageKeys are in an answer of fakeS3 at most.
const pageKeys = 3

// fakeS3 is a bucket "b" behind a loopback port, which can be made to fail.
type fakeS3 struct {
	objects map[string]string
	written map[string]time.Time
	region  string
	broken  func(key string, from int) (status int, code string) // instead of the content; 0 for none
	cut     int                                                  // bytes after which each answer with content ends; 0 for never

	startAfterIgnored bool
	sorted            []string // keys of objects

	mu    sync.Mutex
	lists []url.Values
	gets  []string // key and range
}

func (s *fakeS3) serve(t *testing.T) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": server.URL, "AWS_REGION": "", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
}

// ServeHTTP implements http.Handler.
func (s *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.region != "" && !strings.Contains(r.Header.Get("Authorization"), "/"+s.region+"/") {
		w.Header().Set("X-Amz-Bucket-Region", s.region)
		refuse(w, http.StatusMovedPermanently, "PermanentRedirect")
		return
	}
	key := strings.TrimPrefix(r.URL.Path, "/b/")
	if key == "" || r.URL.Path == "/b" {
		s.list(w, r.URL.Query())
		return
	}
	from := 0
	if given, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		from, _ = strconv.Atoi(strings.TrimSuffix(given, "-"))
	}
	s.gets = append(s.gets, fmt.Sprintf("%s %d %s", key, from, r.Header.Get("If-Match")))
	if s.broken != nil {
		if status, code := s.broken(key, from); status != 0 {
			refuse(w, status, code)
			return
		}
	}
	content := s.objects[key][from:]
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	if s.cut > 0 && len(content) > s.cut {
		_, _ = io.WriteString(w, content[:s.cut])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, content)
}

func (s *fakeS3) list(w http.ResponseWriter, q url.Values) {
	s.lists = append(s.lists, q)
	prefix, after, limit := q.Get("prefix"), q.Get("continuation-token"), pageKeys
	if after == "" && !s.startAfterIgnored {
		after = q.Get("start-after")
	}
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil {
		limit = min(limit, n)
	}
	if len(s.sorted) != len(s.objects) {
		s.sorted = slices.Sorted(maps.Keys(s.objects))
	}
	begin, _ := slices.BinarySearch(s.sorted, max(prefix, after+"\x00"))
	keys := s.sorted[begin:]
	if end := slices.IndexFunc(keys[:min(len(keys), limit+1)], func(key string) bool { return !strings.HasPrefix(key, prefix) }); end >= 0 {
		keys = keys[:end]
	}
	fmt.Fprintf(w, "<ListBucketResult><IsTruncated>%t</IsTruncated>", len(keys) > limit)
	if len(keys) > limit {
		keys = keys[:limit]
		fmt.Fprintf(w, "<NextContinuationToken>%s</NextContinuationToken>", keys[limit-1])
	}
	for _, key := range keys {
		written := time.Now()
		if at, ok := s.written[key]; ok {
			written = at
		}
		fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>%d</Size><ETag>&quot;e&quot;</ETag><LastModified>%s</LastModified></Contents>", key, len(s.objects[key]), written.UTC().Format(time.RFC3339))
	}
	fmt.Fprint(w, "</ListBucketResult>")
}

func openBucket(t *testing.T, place string) *Bucket {
	t.Helper()
	b, err := OpenBucket(t.Context(), place, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func listed(t *testing.T, s Store, w Window) (names []string) {
	t.Helper()
	if err := s.List(t.Context(), w, func(o Object) error { names = append(names, o.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	return names
}

// TestBucketList: below the folders of the hours only the days around the window are listed; with another prefix
// everything is, over all pages.
func TestBucketList(t *testing.T) {
	s := &fakeS3{objects: map[string]string{}, region: "eu-west-1"}
	s.serve(t)
	begin := time.Date(2026, 1, 30, 12, 0, 0, 0, time.UTC)
	for hour := range 96 {
		at := begin.Add(time.Duration(hour) * time.Hour).Format(folderLayout)
		s.objects["default/"+at+"/x"] = "x"
		s.objects["custom/hour="+at+"/x"] = "x"
	}
	w := Window{From: begin.Add(40 * time.Hour), Until: begin.Add(44 * time.Hour)}
	b := openBucket(t, "s3://b/default/")
	if got := listed(t, b, w); len(got) != 2*24 || got[0] != "default/2026/01/31/00/x" || got[len(got)-1] != "default/2026/02/01/23/x" {
		t.Errorf("got %d: %q", len(got), got)
	}
	if got := listed(t, openBucket(t, "s3://b/custom/"), w); len(got) != 96 {
		t.Errorf("got %d: %q", len(got), got)
	}
	if got := listed(t, openBucket(t, "s3://b/default/2026/02/01"), w); len(got) != 24 {
		t.Errorf("got %d: %q", len(got), got)
	}
}

// TestBucketFolders: whatever the folders of a stream span, and whatever is beside or below them, every object of the window is listed
// once; folders of dates outside of it are skipped, and their objects are not listed page by page.
func TestBucketFolders(t *testing.T) {
	begin, end := time.Date(2025, 11, 15, 0, 30, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	from := time.Date(2026, 1, 10, 4, 0, 0, 0, time.UTC)
	w := Window{From: from, Until: from.Add(4 * time.Hour)} // 15 hours later it is the same day
	const (
		days    = 2 * 24 / pageKeys // requests that list the 9th and the 10th
		folders = 1 + 1 + 8 + 21    // requests that skip a year, a month or a day; each stream in them may need one
	)
	for name, test := range map[string]struct {
		prefixes []string // layout of the time|rest; each hour has an object below each
		requests int      // at most; 0 for as many as the whole bucket needs
	}{
		"hours":                           {[]string{"2006/01/02/15/"}, days + folders},
		"days":                            {[]string{"2006/01/02/"}, days + 3*folders},
		"months":                          {[]string{"2006/01/"}, 31*24/pageKeys + 3*2},
		"years":                           {[]string{"2006/"}, 31*24/pageKeys + 3},
		"partitions below hours":          {[]string{"2006/01/02/15/|07/", "2006/01/02/15/|tenant=b/"}, 2*days + folders},
		"partitions below days":           {[]string{"2006/01/02/|tenant=a/", "2006/01/02/|tenant=b/"}, 2*days + 6*folders},
		"partitions of digits":            {[]string{"2006/01/02/|07/", "2006/01/02/|0a/", "2006/01/02/|99/"}, 0},
		"partitions of digits in a month": {[]string{"2006/01/|01/", "2006/01/|10/", "2006/01/|31/"}, 0},
		"partitions of digits in a year":  {[]string{"2006/|01/", "2006/|07/", "2006/|12/"}, 0},
		"partitions above hours":          {[]string{"tenant=a/2006/01/02/15/", "tenant=b/2006/01/02/15/"}, 2 * (days + folders)},
		"hours, and months":               {[]string{"2006/01/02/15/", "2006/01/"}, 0},
		"hours, beside errors":            {[]string{"2006/01/02/15/", "processing-failed/2006/01/02/15/"}, 2 * (days + folders)},
		"names of folders":                {[]string{"year=2006/month=01/day=02/"}, 0},
		"none":                            {[]string{""}, 0},
	} {
		s := &fakeS3{objects: map[string]string{}}
		s.serve(t)
		var want []string
		for at := begin; at.Before(end); at = at.Add(time.Hour) {
			for i, prefix := range test.prefixes {
				layout, rest, _ := strings.Cut(prefix, "|")
				stream := []string{"0rders", "2orders", "orders"}[at.Hour()%3]
				key := fmt.Sprintf("raw/%s%s%s-1-%s-%d", at.Format(layout), rest, stream, at.Format(nameLayout), i)
				s.objects[key] = "x"
				if !at.Before(w.From) && at.Before(w.Until) {
					want = append(want, key)
				}
			}
		}
		b := openBucket(t, "s3://b/raw/")
		s.lists = nil
		wantListed(t, name, listed(t, b, w), want)
		limit := len(s.objects)/pageKeys + 1
		if test.requests > 0 {
			limit = test.requests
		}
		if len(s.lists) > limit {
			t.Errorf("%s: %d requests, want %d at most", name, len(s.lists), limit)
		}
	}
}

// TestBucketWithoutStartAfter: a service that does not know StartAfter has its objects listed, too, once.
func TestBucketWithoutStartAfter(t *testing.T) {
	s := &fakeS3{objects: map[string]string{}, startAfterIgnored: true}
	s.serve(t)
	var all []string
	for day := range 20 {
		at := time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC)
		all = append(all, "raw/"+at.Format("2006/01/02/")+"s-1-"+at.Format(nameLayout)+"-uuid")
		s.objects[all[day]] = "x"
	}
	from := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	wantListed(t, "without StartAfter", listed(t, openBucket(t, "s3://b/raw/"), Window{From: from, Until: from.Add(24 * time.Hour)}), all[9:11])
}

// wantListed fails unless these are among the listed objects, and none is there twice.
func wantListed(t *testing.T, name string, got, want []string) {
	t.Helper()
	times := map[string]int{}
	for _, key := range got {
		times[key]++
	}
	if len(times) != len(got) {
		t.Errorf("%s: %d objects are listed, and %d of them are different", name, len(got), len(times))
	}
	absent := 0
	for _, key := range want {
		if times[key] == 0 {
			absent++
		}
	}
	if absent > 0 || len(want) == 0 {
		t.Errorf("%s: %d of %d objects of the window are not listed", name, absent, len(want))
	}
}

// TestBucketBreaksOff: content that breaks off goes on where it did, in the same version of the object; without progress
// it is given up.
func TestBucketBreaksOff(t *testing.T) {
	content := strings.Repeat("0123456789", 5000)
	s := &fakeS3{objects: map[string]string{"p/x": content}, cut: 7000}
	s.serve(t)
	b := openBucket(t, "s3://b/p")
	o := Object{Name: "p/x", Bytes: int64(len(content)), version: `"e"`}
	r, err := b.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != content {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if len(s.gets) != 8 || s.gets[0] != `p/x 0 "e"` || s.gets[1] != `p/x 7000 "e"` {
		t.Errorf("asked for %q", s.gets)
	}
	s.gets, s.cut = nil, 1
	s.objects["p/x"] = content[:20]
	o.Bytes = 100 // the rest never comes
	if r, err = b.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err = io.ReadAll(r); err == nil || !strings.Contains(err.Error(), "broke off 5 times in a row behind 20 of 100 bytes") {
		t.Errorf("got %v", err)
	}
}

// TestBucketErrors: each error says what to do; a missing permission is one of the place, and an archive one of the object.
func TestBucketErrors(t *testing.T) {
	for code, test := range map[string]struct {
		status int
		want   string
		stops  bool
	}{
		"AccessDenied":          {403, "access is denied: the credentials need s3:ListBucket on arn:aws:s3:::b and s3:GetObject on arn:aws:s3:::b/p*, and kms:Decrypt", true},
		"InvalidAccessKeyId":    {403, "does not accept the credentials", true},
		"KMS.DisabledException": {400, "the key of the objects can't be used (KMS.DisabledException)", true},
		"InvalidObjectState":    {403, "archived, in Glacier or the like: restore it first", false},
		"NoSuchKey":             {404, "deleted after it had been listed", false},
		"PreconditionFailed":    {412, "overwritten after it had been listed", false},
		"NoSuchBucket":          {404, "bucket b does not exist", true},
	} {
		s := &fakeS3{objects: map[string]string{"p/x": "x"}, broken: func(string, int) (int, string) { return test.status, code }}
		s.serve(t)
		p := newPlace(t)
		if err := p.cluster.CreateTopic("orders", 1, nil); err != nil {
			t.Fatal(err)
		}
		p.produce("orders", 1, 1, old())
		request := p.request("orders")
		request.Objects, request.Errors = "s3://b/p", ""
		r, err := p.audit(request)
		if test.stops && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v", code, err)
		}
		if !test.stops && (err != nil || r.Result != Unknown || len(r.Objects.Unreadable) != 1 || !strings.Contains(r.Objects.Unreadable[0].Error, test.want)) {
			t.Errorf("%s: got %v, %+v", code, err, r.Objects)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("a secret is in %v", err)
		}
	}
}

// TestBucketCredentials: without any the message says where they were looked for.
func TestBucketCredentials(t *testing.T) {
	s := &fakeS3{}
	s.serve(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	_, err := OpenBucket(t.Context(), "s3://b/p", slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "list objects of s3://b/p: no object can be read: no AWS credentials: the environment, a profile,") {
		t.Errorf("got %v", err)
	}
}

// TestBucketOutOfReach: the message ends with what refuses the connection and what to look at, however long the SDK's own is.
func TestBucketOutOfReach(t *testing.T) {
	(&fakeS3{}).serve(t)
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
	_, err := OpenBucket(t.Context(), "s3://b/"+strings.Repeat("p", 300), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "connection refused: look at AWS_REGION, AWS_ENDPOINT_URL_S3") {
		t.Errorf("got %v", err)
	}
}

// TestWindow: names say when an object begins, whatever its prefix is, and the time at which it was written when it ends.
func TestWindow(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time { return time.Date(2026, 1, 31, hour, 0, 0, 0, time.UTC) }
	w := Window{From: at(8), Until: at(12)}
	for name, test := range map[string]struct {
		name    string
		written time.Time
		bytes   int64
		want    bool
	}{
		"in it":                      {"2026/01/31/09/s-1-2026-01-31-09-10-00-uuid", at(9), 1, true},
		"begins before it":           {"2026/01/31/07/s-1-2026-01-31-07-55-00-uuid", at(8), 1, true},
		"written before it":          {"2026/01/31/05/s-1-2026-01-31-05-55-00-uuid", at(6), 1, false},
		"begins behind it":           {"dt=1/s-1-2026-02-01-04-00-00-uuid.gz", at(28), 1, false},
		"a folder behind it":         {"2026/02/01/04/name", at(28), 1, false},
		"in the time zone of Tokyo":  {"dt=1/s-1-2026-01-31-20-30-00-uuid.gz", at(12), 1, true},
		"its folder, too":            {"2026/01/31/20/name", at(12), 1, true},
		"a name that tells nothing":  {"custom/name", at(20), 1, true},
		"a custom prefix":            {"topic=a/hour=09/s-1-2026-01-31-09-10-00-uuid", at(9), 1, true},
		"empty, as a folder is":      {"2026/01/31/09/", at(9), 0, false},
		"not complete":               {".incomplete-1", at(9), 1, false},
		"copied long after that day": {"2026/01/31/09/s-1-2026-01-31-09-10-00-uuid", at(500), 1, true},
	} {
		if got := w.includesObject(Object{Name: test.name, Bytes: test.bytes, Written: test.written}); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
