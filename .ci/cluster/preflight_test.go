package cluster

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// endJobs is the controller and the kubelet for Jobs that check: until stop is called, each that is made ends
// well, or not. It counts them. Indexed Jobs, which send records again, run on.
func (r release) endJobs(t *testing.T, well bool) (stop func() int) {
	t.Helper()
	enough := make(chan struct{})
	jobs := r.dynamic.Resource(schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}).Namespace(r.namespace)
	var group sync.WaitGroup
	ended := map[string]bool{}
	group.Go(func() {
		for {
			select {
			case <-enough:
				return
			case <-time.After(50 * time.Millisecond):
			}
			list, err := jobs.List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Errorf("list the Jobs: %v", err)
				return
			}
			for i := range list.Items {
				job := &list.Items[i]
				if conditions, _, _ := unstructured.NestedSlice(job.Object, "status", "conditions"); len(conditions) > 0 {
					continue // one that has failed before, and stays for reading
				}
				if mode, _, _ := unstructured.NestedString(job.Object, "spec", "completionMode"); mode == "Indexed" {
					continue
				}
				job.Object["status"] = jobStatus(well)
				_, err := jobs.UpdateStatus(t.Context(), job, metav1.UpdateOptions{})
				if err == nil {
					ended[string(job.GetUID())] = true
				} else if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
					t.Errorf("end the Job: %v", err)
					return
				}
			}
		}
	})
	return func() int {
		close(enough)
		group.Wait()
		return len(ended)
	}
}

// jobStatus is that of a Job that has ended.
func jobStatus(well bool) map[string]any {
	now := time.Now().UTC().Format(time.RFC3339)
	condition := func(kind string) any {
		return map[string]any{"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now}
	}
	if well {
		return map[string]any{"startTime": now, "completionTime": now, "succeeded": int64(1), "conditions": []any{condition("SuccessCriteriaMet"), condition("Complete")}}
	}
	return map[string]any{"startTime": now, "failed": int64(1), "conditions": []any{condition("FailureTarget"), condition("Failed")}}
}

// preflightHoldsUp: while the check fails nothing is installed, and nothing that runs is changed.
func preflightHoldsUp(t *testing.T, r release) { //nolint:thelper // it is the test
	values := filepath.Join(chart, "ci", "deployment-values.yaml")
	refused := func(args ...string) {
		t.Helper()
		stop := r.endJobs(t, false)
		out, err := r.tryHelm(t.Context(), append(args, "--values", values, "--set", "preflight.enabled=true,config.LOG_LEVEL=debug")...)
		if n := stop(); err == nil || n != 1 || !strings.Contains(out, "pre-"+args[0]) {
			t.Errorf("helm %s: %d Jobs, %v, want one that fails, and helm with it:\n%s", args[0], n, err, out)
		}
	}
	refused("install", "r", chart)
	deployment := &object{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "r-kafka-firehose", "namespace": r.namespace}}}
	if _, err := r.get(t.Context(), deployment); !apierrors.IsNotFound(err) {
		t.Errorf("the Deployment after a failed check: %v, want that it isn't there", err)
	}
	r.helm(t, "uninstall", "r")

	r.helm(t, "install", "r", chart, "--values", values)
	before := r.wantAsRendered(t)
	refused("upgrade", "r", chart)
	after, err := r.get(t.Context(), deployment)
	if err != nil {
		t.Fatal(err)
	}
	wantTemplate(t, before, state{live: after}, false)

	stop := r.endJobs(t, true)
	r.helm(t, "upgrade", "r", chart, "--values", values, "--set", "preflight.enabled=true,config.LOG_LEVEL=debug")
	if n := stop(); n != 1 {
		t.Errorf("%d Jobs, want one", n)
	}
	wantTemplate(t, before, r.wantAsRendered(t), true)
	account := &object{Object: map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "r-kafka-firehose-preflight", "namespace": r.namespace}}}
	if _, err := r.get(t.Context(), account); !apierrors.IsNotFound(err) {
		t.Errorf("the account of the hook after a check that passed: %v, want that it is gone", err)
	}
}

// emptyValues: an older chart had none of today's values, and --reuse-values brings it on.
func emptyValues(t *testing.T, r release) { //nolint:thelper // likewise
	r.helm(t, "install", "r", chart, "--values", filepath.Join(chart, "ci", "deployment-values.yaml"), "--set", "test=null,preflight=null,podLabels=null,keda=null,probes.startup=null,resources=null")
	first := r.wantAsRendered(t)
	r.helm(t, "upgrade", "r", chart, "--reuse-values")
	wantTemplate(t, first, r.wantAsRendered(t), false)
}

// scaled sets the number of pods, as an autoscaler does.
func (r release) scaled(t *testing.T, live *object, replicas int64) {
	t.Helper()
	current, err := r.get(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedField(current.Object, replicas, "spec", "replicas"); err != nil {
		t.Fatal(err)
	}
	resource, err := r.of(current)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resource.Update(t.Context(), current, metav1.UpdateOptions{FieldManager: "autoscaler"}); err != nil {
		t.Fatal(err)
	}
}
