package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

const (
	repository = "../.."
	snapshot   = "v0.0.0-snapshot"
)

// rehearsal is a registry on loopback and a key of its own.
type rehearsal struct {
	address            string // of the registry
	private, public    string // files
	otherPublic        string // of another key
	directory          string // of the release
	bridgeRef          string // name and digest
	emulatorRef, chart string
}

// TestRehearsal builds a release twice, publishes it, and uses it as its users would.
func TestRehearsal(t *testing.T) {
	r := startRehearsal(t)
	again := t.TempDir()
	buildSnapshot(t, r, r.directory, r.private)
	buildSnapshot(t, r, again, r.private)
	wantSameFiles(t, r.directory, again)

	var pushed bytes.Buffer
	if err := publishRelease(t.Context(), &pushed, r.directory, r.address); err != nil {
		t.Fatal(err)
	}
	t.Log(pushed.String())
	r.readDigests(t)
	t.Run("verify", func(t *testing.T) { r.wantVerified(t) })
	t.Run("sbom", func(t *testing.T) { r.wantModules(t) })
	t.Run("image", func(t *testing.T) { r.runImage(t) })
	t.Run("binary", func(t *testing.T) { r.runArchive(t) })
	t.Run("chart", func(t *testing.T) { r.renderChart(t) })
	t.Run("tampered", func(t *testing.T) { r.wantTamperedRefused(t) }) // last: it changes the release
}

func startRehearsal(t *testing.T) *rehearsal {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	r := &rehearsal{address: strings.TrimPrefix(server.URL, "http://") + "/team", directory: filepath.Join(t.TempDir(), "dist")}
	r.private, r.public = newKeyFiles(t)
	_, r.otherPublic = newKeyFiles(t)
	return r
}

// newKeyFiles makes keys as cosign does, the private one encrypted.
func newKeyFiles(t *testing.T) (private, public string) {
	t.Helper()
	t.Setenv("COSIGN_PASSWORD", "rehearsal")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := cryptoutils.MarshalPrivateKeyToEncryptedDER(key, cryptoutils.StaticPasswordFunc([]byte("rehearsal")))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := cryptoutils.MarshalPublicKeyToPEM(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	private, public = filepath.Join(directory, "cosign.key"), filepath.Join(directory, "cosign.pub")
	writeTestFile(t, private, cryptoutils.PEMEncode(cryptoutils.EncryptedSigstorePrivateKeyPEMType, sealed))
	writeTestFile(t, public, plain)
	return private, public
}

func writeTestFile(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func buildSnapshot(t *testing.T, r *rehearsal, out, key string) {
	t.Helper()
	var said bytes.Buffer
	err := buildRelease(t.Context(), &said, options{version: snapshot, source: repository, out: out, registry: r.address, key: key})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(said.String())
}

// readTree returns the content of every file below the directory.
func readTree(t *testing.T, directory string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(directory, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		files[strings.TrimPrefix(file, directory)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// wantSameFiles fails unless the builds are the same byte by byte, with all that a release has.
func wantSameFiles(t *testing.T, first, second string) {
	t.Helper()
	a, b := readTree(t, first), readTree(t, second)
	if len(a) != len(b) || len(a) < 30 {
		t.Errorf("the builds have %d and %d files, want the same number, 30 or more", len(a), len(b))
	}
	for file := range a {
		if a[file] != b[file] {
			t.Errorf("%s differs between two builds of one commit", file)
		}
	}
	for _, command := range []string{bridgeName, emulatorName} {
		for _, p := range releasePlatforms {
			for _, kind := range []string{".tar.gz", ".spdx.json"} {
				if file := fmt.Sprintf("/%s_0.0.0-snapshot_%s%s", command, p, kind); a[file] == "" || !strings.Contains(a["/"+checksumsFile], file[1:]) {
					t.Errorf("%s is missing, or its checksum", file)
				}
			}
		}
	}
}

// readDigests reads the names of images and chart with their digests.
func (r *rehearsal) readDigests(t *testing.T) {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(r.directory, "digests.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(list))
	if len(lines) != 3 {
		t.Fatalf("digests.txt has %q, want three lines", lines)
	}
	r.bridgeRef, r.emulatorRef, r.chart = lines[0], lines[1], lines[2]
	// What two runs of one commit have in common. The chart has the address of the registry, whose port is another each time.
	if file := os.Getenv("RELEASED_DIGESTS"); file != "" {
		images := strings.ReplaceAll(lines[0]+"\n"+lines[1]+"\n", r.address+"/", "")
		sums, err := os.ReadFile(filepath.Join(r.directory, checksumsFile))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(sums)) {
			if strings.HasSuffix(line, ".tar.gz\n") || strings.HasSuffix(line, ".spdx.json\n") {
				images += line
			}
		}
		writeTestFile(t, file, []byte(images))
	}
}

func (r *rehearsal) verify(t *testing.T, key string, targets ...string) error {
	t.Helper()
	return verifyTargets(t.Context(), io.Discard, key, targets)
}

func (r *rehearsal) wantVerified(t *testing.T) {
	t.Helper()
	all := []string{r.directory, r.bridgeRef, r.emulatorRef, r.chart}
	if err := r.verify(t, r.public, all...); err != nil {
		t.Error(err)
	}
	for _, target := range all {
		if err := r.verify(t, r.otherPublic, target); err == nil || !strings.Contains(err.Error(), errWrongSignature.Error()) {
			t.Errorf("%s verifies with another key: %v", target, err)
		}
	}
	r.verifyDownloads(t)
	// The commands of the documentation, without this program.
	cmd := exec.CommandContext(t.Context(), "sha256sum", "--check", "--quiet", checksumsFile)
	cmd.Dir = r.directory
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sha256sum --check: %v\n%s", err, out)
	}
	if openssl, err := exec.LookPath("openssl"); err == nil {
		r.verifyByOpenSSL(t, openssl)
	}
}

// verifyDownloads verifies what the workflow uploads, and one archive of it beside the key, as users have them.
func (r *rehearsal) verifyDownloads(t *testing.T) {
	t.Helper()
	workflow, err := os.ReadFile(filepath.Join(repository, ".github", "workflows", "release.yml"))
	if err != nil {
		t.Fatal(err)
	}
	_, uploads, found := strings.Cut(string(workflow), "gh release create ")
	patterns := regexp.MustCompile(`dist/(\S+)`).FindAllStringSubmatch(strings.ReplaceAll(uploads, "--notes-file dist/", ""), -1)
	if !found || len(patterns) < 5 {
		t.Fatalf("the workflow uploads %q", patterns)
	}
	all := t.TempDir()
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(r.directory, pattern[1]))
		if err != nil || len(files) == 0 {
			t.Errorf("the workflow uploads %s, and there is none: %v", pattern[0], err)
		}
		for _, file := range files {
			copyTestFile(t, file, all)
		}
	}
	if err := r.verify(t, r.public, all); err != nil {
		t.Errorf("what the workflow uploads: %v", err)
	}
	some := t.TempDir()
	for _, file := range []string{checksumsFile, signatureFile, fmt.Sprintf("%s_0.0.0-snapshot_linux_amd64.tar.gz", bridgeName)} {
		copyTestFile(t, filepath.Join(all, file), some)
	}
	key := copyTestFile(t, r.public, some)
	if err := r.verify(t, key, some); err != nil {
		t.Errorf("an archive beside the key: %v", err)
	}
	writeTestFile(t, filepath.Join(some, "other.tar.gz"), nil)
	if err := r.verify(t, key, some); err == nil || !strings.Contains(err.Error(), "other.tar.gz is not a file of the release") {
		t.Errorf("with a file that is not of the release: %v", err)
	}
}

// copyTestFile copies a file into a directory, and returns its new path.
func copyTestFile(t *testing.T, file, directory string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(directory, filepath.Base(file))
	writeTestFile(t, to, content)
	return to
}

func (r *rehearsal) verifyByOpenSSL(t *testing.T, openssl string) {
	t.Helper()
	script := `base64 -d checksums.txt.sig >"$2" && "$1" dgst -sha256 -verify "$3" -signature "$2" checksums.txt`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", openssl, filepath.Join(t.TempDir(), "sig"), r.public)
	cmd.Dir = r.directory
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("openssl does not verify the signature: %v\n%s", err, out)
	}
}

func thisPlatform() platform { return platform{"linux", runtime.GOARCH} }
