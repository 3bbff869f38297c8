package cluster

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const chart = "../../helm/kafka-firehose"

// release is the chart, installed as r in a namespace of its own.
type release struct {
	*controlPlane
	namespace string
}

// release makes the namespace, which lets no pod in that breaks "restricted", and in it what is
// not the chart's: the accounts that a controller or a user would have made.
func (c *controlPlane) release(t *testing.T, namespace string) release {
	t.Helper()
	c.must(t, fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata:
  name: %[1]s
  labels: {pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: %[1]s}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: bridge, namespace: %[1]s}
`, namespace))
	return release{c, namespace}
}

// tryHelm runs helm against the API server, and only that.
func (r release) tryHelm(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "helm", append(args, "--namespace", r.namespace)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+r.kubeconfig,
		"HELM_CACHE_HOME="+r.path("helm"), "HELM_CONFIG_HOME="+r.path("helm"), "HELM_DATA_HOME="+r.path("helm"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// helm fails the test when helm does, or when the API server had something to warn of: a pod that
// would not be let in, a field that is there no longer.
func (r release) helm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := r.tryHelm(t.Context(), args...)
	if err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if strings.Contains(out, "warnings.go:") || strings.Contains(out, "Warning:") {
		t.Errorf("helm %s: the API server warns:\n%s", strings.Join(args, " "), out)
	}
	return out
}

// state is what was rendered.
type state struct {
	objects  []*object
	workload *object // as rendered
	live     *object // the same as the API server has it
}

// wantAsRendered fails unless the API server has every object of the release, and in it everything
// that was rendered: a field that it doesn't know, or has changed, is missing.
func (r release) wantAsRendered(t *testing.T) (s state) {
	t.Helper()
	s.objects = parse(t, r.helm(t, "get", "manifest", "r"))
	for _, o := range s.objects {
		o.SetNamespace(r.namespace) // helm's, where an object names none
		live, err := r.get(t.Context(), o)
		if err != nil {
			t.Errorf("%s %s was rendered and is not there: %v", o.GetKind(), o.GetName(), err)
			continue
		}
		for _, lost := range lacks("", o.Object, asRendered(live)) {
			t.Errorf("%s %s: the API server doesn't have %s", o.GetKind(), o.GetName(), lost)
		}
		if kind := o.GetKind(); kind == "Deployment" || kind == "StatefulSet" {
			s.workload, s.live = o, live
		}
	}
	if len(s.objects) < 3 || s.live == nil {
		t.Fatalf("%d objects were rendered, want three or more with a workload among them", len(s.objects))
	}
	return s
}

// asRendered is a live object with the text of a Secret where it was rendered.
func asRendered(live *object) map[string]any {
	content := maps.Clone(live.Object)
	if data, ok := content["data"].(map[string]any); ok && live.GetKind() == "Secret" {
		text := map[string]any{}
		for key, value := range data {
			plain, _ := base64.StdEncoding.DecodeString(value.(string))
			text[key] = string(plain)
		}
		content["stringData"] = text
	}
	return content
}

// lacks lists what was rendered and isn't in what is there. More may be there: defaults.
func lacks(at string, rendered, live any) (lost []string) {
	switch want := rendered.(type) {
	case map[string]any:
		have, _ := live.(map[string]any)
		for key, value := range want {
			lost = append(lost, lacks(at+"."+key, value, have[key])...)
		}
		return lost
	case []any:
		have, _ := live.([]any)
		if len(have) != len(want) {
			return []string{fmt.Sprintf("%s: %d elements, want %d", at, len(have), len(want))}
		}
		for i := range want {
			lost = append(lost, lacks(fmt.Sprintf("%s[%d]", at, i), want[i], have[i])...)
		}
		return lost
	case nil:
		return nil
	}
	if fmt.Sprint(rendered) != fmt.Sprint(live) && !(rendered == "" && live == nil) {
		lost = append(lost, fmt.Sprintf("%s: %v, want %v", at, live, rendered))
	}
	return lost
}

// pod is one that the workload's controller would make, now.
func (s state) pod(t *testing.T, namespace string) *object {
	t.Helper()
	template, _, err := unstructured.NestedMap(s.live.Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	pod := &object{Object: template}
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetNamespace(namespace)
	pod.SetName("made-by-hand")
	return pod
}

// wantTemplate fails unless the workload's template differs from the one of before, or not: that
// decides whether pods are replaced.
func wantTemplate(t *testing.T, before, after state, replaced bool) {
	t.Helper()
	old, now := before.live.Object["spec"].(map[string]any)["template"], after.live.Object["spec"].(map[string]any)["template"]
	if got := len(lacks("", old, now)) > 0; got != replaced {
		t.Errorf("the pods would be replaced: %v, want %v", got, replaced)
	}
}

// helmTest runs helm test, while this test is the kubelet that says how its pod has ended.
func (r release) helmTest(t *testing.T, phase string) (string, error) {
	t.Helper()
	hook := r.hook(t)
	before := ""
	if old, err := r.get(t.Context(), hook); err == nil {
		before = string(old.GetUID())
	}
	type result struct {
		out string
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := r.tryHelm(t.Context(), "test", "r", "--timeout", "60s")
		done <- result{out, err}
	}()
	for {
		select {
		case end := <-done:
			return end.out, end.err
		case <-time.After(50 * time.Millisecond):
		}
		pod, err := r.get(t.Context(), hook)
		if err != nil || string(pod.GetUID()) == before {
			continue // not made yet
		}
		if err := unstructured.SetNestedField(pod.Object, phase, "status", "phase"); err != nil {
			t.Fatal(err)
		}
		if err := r.updateStatus(t.Context(), pod); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			t.Fatalf("end the pod of helm test: %v", err)
		}
	}
}

// hook is the pod of helm test.
func (r release) hook(t *testing.T) *object {
	t.Helper()
	hooks := parse(t, r.helm(t, "get", "hooks", "r"))
	hooks = slices.DeleteFunc(hooks, func(o *object) bool { return o.GetAnnotations()["helm.sh/hook"] != "test" })
	if len(hooks) != 1 || hooks[0].GetKind() != "Pod" {
		t.Fatalf("the release has %d hooks for helm test, want its pod", len(hooks))
	}
	return hooks[0]
}

// eventually waits for what the API server does in its own time.
func eventually(t *testing.T, what string, done func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := done()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain until %s: %v", patience, what, err)
		}
	}
}
