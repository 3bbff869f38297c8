package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// object is anything that Kubernetes keeps.
type object = unstructured.Unstructured

// api is an API server, as its clients see it.
type api struct {
	discovery discovery.CachedDiscoveryInterface
	dynamic   *dynamic.DynamicClient
	kinds     *restmapper.DeferredDiscoveryRESTMapper
}

func newAPI(config *rest.Config) (*api, error) {
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	cached := memory.NewMemCacheClient(found)
	return &api{discovery: cached, dynamic: client, kinds: restmapper.NewDeferredDiscoveryRESTMapper(cached)}, err
}

func (a *api) ready(ctx context.Context) error {
	return a.discovery.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// of is where the objects of one's kind are.
func (a *api) of(o *object) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	mapping, err := a.kinds.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return a.dynamic.Resource(mapping.Resource), nil
	}
	return a.dynamic.Resource(mapping.Resource).Namespace(o.GetNamespace()), nil
}

func (a *api) get(ctx context.Context, o *object) (*object, error) {
	r, err := a.of(o)
	if err != nil {
		return nil, err
	}
	return r.Get(ctx, o.GetName(), metav1.GetOptions{})
}

func (a *api) create(ctx context.Context, o *object) error {
	r, err := a.of(o)
	if err != nil {
		return err
	}
	_, err = r.Create(ctx, o, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	return err
}

func (a *api) updateStatus(ctx context.Context, o *object) error {
	r, err := a.of(o)
	if err != nil {
		return err
	}
	_, err = r.UpdateStatus(ctx, o, metav1.UpdateOptions{})
	return err
}

func (a *api) delete(ctx context.Context, o *object) error {
	r, err := a.of(o)
	if err != nil {
		return err
	}
	return r.Delete(ctx, o.GetName(), metav1.DeleteOptions{})
}

// names are all objects in a namespace, as Kind/name, without events and what is deprecated.
func (a *api) names(ctx context.Context, namespace string) (names []string, err error) {
	lists, err := a.discovery.ServerPreferredNamespacedResources()
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for i := range list.APIResources {
			r := &list.APIResources[i]
			if !slices.Contains(r.Verbs, "list") || r.Kind == "Event" || r.Kind == "Endpoints" {
				continue
			}
			found, err := a.dynamic.Resource(version.WithResource(r.Name)).Namespace(namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", r.Name, err)
			}
			for i := range found.Items {
				names = append(names, r.Kind+"/"+found.Items[i].GetName())
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// must creates what the tests need, from YAML.
func (a *api) must(t *testing.T, text string) {
	t.Helper()
	for _, o := range parse(t, text) {
		if err := a.create(t.Context(), o); err != nil {
			t.Fatalf("create %s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

// customResources defines the custom resources of a directory, and waits until the API server
// serves them and clients find them.
func (c *controlPlane) customResources(t *testing.T, directory string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%q has %d definitions of custom resources, want 4 or more (%v): `.ci/run cluster` says where they are", directory, len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c.must(t, string(text))
		for _, o := range parse(t, string(text)) {
			t.Log("custom resource", o.GetName())
			eventually(t, o.GetName()+" is served", func() error {
				live, err := c.get(t.Context(), o)
				if err != nil {
					return err
				}
				conditions, _, err := unstructured.NestedSlice(live.Object, "status", "conditions")
				if !slices.ContainsFunc(conditions, established) {
					return fmt.Errorf("its conditions are %v: %w", conditions, errors.Join(err, os.ErrNotExist))
				}
				return nil
			})
			eventually(t, o.GetName()+" is discovered", func() error { return c.discovers(o) })
		}
	}
}

// discovers fails unless clients that ask now find the kind that a custom resource defines. The
// API server builds its list of kinds in the background: a definition is Established up to
// seconds before it is in there, and what does not find its kind then gives up.
func (a *api) discovers(definition *object) error {
	group, _, err := unstructured.NestedString(definition.Object, "spec", "group")
	kind, _, err2 := unstructured.NestedString(definition.Object, "spec", "names", "kind")
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	a.kinds.Reset()
	_, err = a.kinds.RESTMapping(schema.GroupKind{Group: group, Kind: kind})
	return err
}

func established(condition any) bool {
	c := condition.(map[string]any)
	return c["type"] == "Established" && c["status"] == "True"
}

// serviceAccountKey is what the API server would sign tokens of service accounts with.
func (c *controlPlane) serviceAccountKey(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
}

// parse reads a file of objects; those of it that are empty are left out.
func parse(t *testing.T, text string) (objects []*object) {
	t.Helper()
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		o := &object{}
		text, err := yaml.YAMLToJSON([]byte(document))
		if err == nil {
			err = json.Unmarshal(text, &o.Object) // whole numbers stay whole
		}
		if err != nil {
			t.Fatalf("%v: %s", err, document)
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
	return objects
}
