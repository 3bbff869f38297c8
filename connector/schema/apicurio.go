package schema

import (
	"cmp"
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

// apicurioProtocol is the protocol of Apicurio Registry's own API, version 2 or 3.
type apicurioProtocol struct {
	base  string // the address, which ends in the version of the API
	http  *http.Client
	login *login
}

// fetchDefinition implements nodeProtocol.
func (a *apicurioProtocol) fetchDefinition(ctx context.Context, ref convert.SchemaRef) (convert.SchemaDefinition, error) {
	path := a.artifactPath(ref)
	text, header, err := a.getBody(ctx, path+"?returnArtifactType=true")
	if err != nil {
		return convert.SchemaDefinition{}, err
	}
	d := convert.SchemaDefinition{Kind: artifactKind(header), Text: string(text), SizedBytes: true}
	refs, err := a.fetchReferences(ctx, path)
	if err != nil {
		return d, err
	}
	w := newWalk(a.fetchVersion)
	err = w.followReferences(ctx, refs, 0)
	d.References = w.found
	return d, err
}

// hasSchema implements nodeProtocol.
func (a *apicurioProtocol) hasSchema(ctx context.Context, ref convert.SchemaRef) error {
	_, _, err := a.getBody(ctx, a.artifactPath(ref))
	return err
}

// isFilled implements nodeProtocol.
func (a *apicurioProtocol) isFilled(ctx context.Context) error {
	var found struct{ Count int }
	body, _, err := a.getBody(ctx, "/search/artifacts?limit=1")
	if err == nil {
		err = readJSON(body, &found)
	}
	switch {
	case err != nil:
		return err
	case found.Count == 0:
		return errEmpty
	}
	return nil
}

func (a *apicurioProtocol) artifactPath(ref convert.SchemaRef) string {
	if ref.Content {
		return fmt.Sprintf("/ids/contentIds/%d", ref.ID)
	}
	return fmt.Sprintf("/ids/globalIds/%d", ref.ID)
}

// fetchVersion returns the text of a version that is referred to, and what that refers to itself.
func (a *apicurioProtocol) fetchVersion(ctx context.Context, r schemaReference) (string, []schemaReference, error) {
	path := fmt.Sprintf("/groups/%s/artifacts/%s/versions/%s", url.PathEscape(cmp.Or(r.group, "default")), url.PathEscape(r.subject), url.PathEscape(r.version))
	content := path
	if !strings.HasSuffix(a.base, "/v2") {
		content += "/content"
	}
	text, _, err := a.getBody(ctx, content)
	if err != nil {
		return "", nil, err
	}
	refs, err := a.fetchReferences(ctx, path)
	return string(text), refs, err
}

// fetchReferences returns what the schema at path refers to.
func (a *apicurioProtocol) fetchReferences(ctx context.Context, path string) (all []schemaReference, err error) {
	var refs artifactList[struct{ Name, GroupID, ArtifactID, Version string }]
	body, _, err := a.getBody(ctx, path+"/references")
	if err == nil {
		err = readJSON(body, &refs)
	}
	for _, r := range refs {
		all = append(all, schemaReference{r.Name, r.GroupID, r.ArtifactID, r.Version})
	}
	return all, err
}

// readJSON reads an answer.
func readJSON(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	if _, bad := errors.AsType[*unusableError](err); err == nil || bad {
		return err
	}
	return &nodeError{blocked: true, err: errors.New("this is not the address of a Schema Registry: its answer can't be read as JSON")}
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

// getBody sends a GET for a path below the base address.
func (a *apicurioProtocol) getBody(ctx context.Context, path string) ([]byte, http.Header, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, http.NoBody)
	if err != nil {
		return nil, nil, classifyError(err)
	}
	r.Header.Set("User-Agent", userAgent)
	if err := a.login.authorize(r); err != nil {
		return nil, nil, classifyError(err)
	}
	resp, err := a.http.Do(r)
	if err != nil {
		return nil, nil, classifyError(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case errors.Is(err, errLongAnswer):
		return nil, nil, &nodeError{blocked: true, err: err}
	case err != nil:
		return nil, nil, classifyError(err)
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
	return nil, nil, refusalError(resp.StatusCode, cmp.Or(said.Message, said.Title+" "+said.Detail), absent)
}
