package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// The form of signatures is cosign's with a key: an image beside the signed one, whose tag is made from its digest, with a
// layer that names the digest, and the signature of that layer as an annotation.
const (
	signedPayloadType   = types.MediaType("application/vnd.dev.cosign.simplesigning.v1+json")
	signatureAnnotation = "dev.cosignproject.cosign/signature"
)

// signedPayload is the content of a signature's layer.
type signedPayload struct {
	Critical struct {
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]string `json:"optional"`
}

// signingKey signs; the zero value signs nothing.
type signingKey struct{ private *ecdsa.PrivateKey }

// readSigningKey reads a private key, encrypted by cosign or plain. Without a file there is none.
func readSigningKey(file string) (signingKey, error) {
	if file == "" {
		return signingKey{}, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return signingKey{}, fmt.Errorf("read the signing key: %w", err)
	}
	password := []byte(os.Getenv("COSIGN_PASSWORD"))
	key, err := cryptoutils.UnmarshalPEMToPrivateKey(text, cryptoutils.StaticPasswordFunc(password))
	if err != nil {
		return signingKey{}, fmt.Errorf("read the signing key in RELEASE_KEY (its password is COSIGN_PASSWORD): %w", err)
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return signingKey{}, fmt.Errorf("RELEASE_KEY holds a key of type %T; it accepts one of ECDSA, as `cosign generate-key-pair` makes", key)
	}
	return signingKey{private}, nil
}

func (k signingKey) isGiven() bool { return k.private != nil }

// signMessage returns the signature in base64. It needs no random numbers (RFC 6979), so a release that is built again is the
// same with its signatures.
func (k signingKey) signMessage(message []byte) (string, error) {
	digest := sha256.Sum256(message)
	signature, err := k.private.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// signatureTag is the tag of the signature of an image.
func signatureTag(digest v1.Hash) string { return digest.Algorithm + "-" + digest.Hex + ".sig" }

// composeSignature returns the image that holds the signature of the digest.
func (k signingKey) composeSignature(reference string, digest v1.Hash) (v1.Image, error) {
	var payload signedPayload
	payload.Critical.Identity.Reference = reference
	payload.Critical.Image.Digest = digest.String()
	payload.Critical.Type = "cosign container image signature"
	text, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("write the payload of a signature: %w", err)
	}
	signature, err := k.signMessage(text)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	return mutate.Append(image, mutate.Addendum{
		Layer: static.NewLayer(text, signedPayloadType), Annotations: map[string]string{signatureAnnotation: signature},
	})
}

// publicKey verifies.
type publicKey struct {
	public *ecdsa.PublicKey
	file   string
}

func readPublicKey(file string) (publicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return publicKey{}, fmt.Errorf("read the public key to verify with (flag -key): %w", err)
	}
	key, err := cryptoutils.UnmarshalPEMToPublicKey(text)
	if err != nil {
		return publicKey{}, fmt.Errorf("read the public key to verify with: %w", err)
	}
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return publicKey{}, fmt.Errorf("%s holds a key of type %T, want one of ECDSA", file, key)
	}
	return publicKey{public, file}, nil
}

// nameIn is the name of the key's file if that is in the directory, else empty.
func (k publicKey) nameIn(directory string) string {
	key, errKey := os.Stat(k.file)
	beside, err := os.Stat(filepath.Join(directory, filepath.Base(k.file)))
	if errKey != nil || err != nil || !os.SameFile(key, beside) {
		return ""
	}
	return filepath.Base(k.file)
}

var errWrongSignature = errors.New("the signature is not by this key, or of other content")

func (k publicKey) verifyMessage(message []byte, signature string) error {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return fmt.Errorf("decode a signature: %w", err)
	}
	digest := sha256.Sum256(message)
	if !ecdsa.VerifyASN1(k.public, digest[:], raw) {
		return errWrongSignature
	}
	return nil
}

// verifySignature verifies that the image is a signature of the digest.
func (k publicKey) verifySignature(signature v1.Image, digest v1.Hash) error {
	manifest, err := signature.Manifest()
	if err != nil {
		return fmt.Errorf("read the signature: %w", err)
	}
	for _, descriptor := range manifest.Layers {
		text, err := readLayer(signature, descriptor.Digest)
		if err != nil {
			return fmt.Errorf("read the signature: %w", err)
		}
		if err := k.verifyMessage(text, descriptor.Annotations[signatureAnnotation]); err != nil {
			continue
		}
		var payload signedPayload
		if err := json.Unmarshal(text, &payload); err != nil {
			return fmt.Errorf("read the payload of the signature: %w", err)
		}
		if payload.Critical.Image.Digest == digest.String() {
			return nil
		}
	}
	return errWrongSignature
}
