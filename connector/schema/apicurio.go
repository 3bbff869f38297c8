package schema

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"kafka-firehose/connector/convert"
)

// userAgent is how requests to a registry introduce themselves.
const userAgent = "kafka-firehose"

// apicurio is the protocol of Apicurio Registry's own API, version 2 or 3.
type apicurio struct {
	base  string // the address, which ends in the version of the API
	http  *http.Client
	login *login
}

// fetch implements protocol.
func (a *apicurio) fetch(ctx context.Context, ref convert.Ref) (convert.Definition, error) {
	path := a.path(ref)
	text, header, err := a.get(ctx, path+"?returnArtifactType=true")
	if err != nil {
		return convert.Definition{}, err
	}
	d := convert.Definition{Kind: artifactKind(header), Text: string(text), SizedBytes: true}
	refs, err := a.references(ctx, path)
	if err != nil {
		return d, err
	}
	w := newWalk(a.version)
	err = w.follow(ctx, refs, 0)
	d.References = w.found
	return d, err
}

// has implements protocol.
func (a *apicurio) has(ctx context.Context, ref convert.Ref) error {
	_, _, err := a.get(ctx, a.path(ref))
	return err
}

// filled implements protocol.
func (a *apicurio) filled(ctx context.Context) error {
	var found struct{ Count int }
	body, _, err := a.get(ctx, "/search/artifacts?limit=1")
	if err == nil {
		err = read(body, &found)
	}
	switch {
	case err != nil:
		return err
	case found.Count == 0:
		return errEmpty
	}
	return nil
}

func (a *apicurio) path(ref convert.Ref) string {
	if ref.Content {
		return fmt.Sprintf("/ids/contentIds/%d", ref.ID)
	}
	return fmt.Sprintf("/ids/globalIds/%d", ref.ID)
}

// version returns the text of a version that is referred to, and what that refers to itself.
func (a *apicurio) version(ctx context.Context, r reference) (string, []reference, error) {
	group := r.group
	if group == "" {
		group = "default"
	}
	path := fmt.Sprintf("/groups/%s/artifacts/%s/versions/%s", url.PathEscape(group), url.PathEscape(r.subject), url.PathEscape(r.version))
	content := path
	if !strings.HasSuffix(a.base, "/v2") {
		content += "/content"
	}
	text, _, err := a.get(ctx, content)
	if err != nil {
		return "", nil, err
	}
	refs, err := a.references(ctx, path)
	return string(text), refs, err
}

// references returns what the schema at path refers to.
func (a *apicurio) references(ctx context.Context, path string) (all []reference, err error) {
	var refs list[struct{ Name, GroupID, ArtifactID, Version string }]
	body, _, err := a.get(ctx, path+"/references")
	if err == nil {
		err = read(body, &refs)
	}
	for _, r := range refs {
		all = append(all, reference{r.Name, r.GroupID, r.ArtifactID, r.Version})
	}
	return all, err
}

// read reads an answer.
func read(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	if _, bad := errors.AsType[*unusable](err); err == nil || bad {
		return err
	}
	return &trouble{blocked: true, err: errors.New("this is not the address of a Schema Registry: its answer can't be read as JSON")}
}

// artifactKind is the format of a schema, empty if the header does not say.
func artifactKind(h http.Header) string {
	switch t := h.Get("X-Registry-ArtifactType"); {
	case t == "AVRO":
		return "avro"
	case t == "PROTOBUF", t == "" && strings.HasPrefix(h.Get("Content-Type"), "application/x-protobuf"):
		return "protobuf"
	case t == "JSON":
		return "json-schema"
	case t == "":
		return ""
	}
	return "of a type that is not known here"
}

// get sends a GET for a path below the base address.
func (a *apicurio) get(ctx context.Context, path string) ([]byte, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, http.NoBody)
	if err != nil {
		return nil, nil, classify(err)
	}
	r.Header.Set("User-Agent", userAgent)
	if err := a.login.authorize(r); err != nil {
		return nil, nil, classify(err)
	}
	resp, err := a.http.Do(r)
	if err != nil {
		return nil, nil, classify(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case errors.Is(err, errLongAnswer):
		return nil, nil, &trouble{blocked: true, err: err}
	case err != nil:
		return nil, nil, classify(err)
	case resp.StatusCode == http.StatusOK:
		return body, resp.Header, nil
	}
	var said struct{ Name, Message, Detail, Title string }
	_ = json.Unmarshal(body, &said) // an error that is not JSON is not from a registry; the status is enough
	absent := ""
	if resp.StatusCode == http.StatusNotFound {
		switch said.Name {
		case "ArtifactNotFoundException", "VersionNotFoundException", "ContentNotFoundException":
			absent = said.Name
		}
	}
	message := said.Message
	if message == "" {
		message = said.Title + " " + said.Detail
	}
	return nil, nil, refusal(resp.StatusCode, message, absent)
}
