package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestChart: one control plane, and each case a release in a namespace of its own.
func TestChart(t *testing.T) {
	c := startControlPlane(t)
	c.customResources(t, os.Getenv("CUSTOM_RESOURCES"))
	// What the values in ci/ name, and what an administrator has made.
	c.must(t, `
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: ingest}
value: 1000
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: gvisor}
handler: runsc
`)
	files, err := filepath.Glob(filepath.Join(chart, "ci", "*-values.yaml"))
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files of values in ci/, want six or more: %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), "-values.yaml")
		t.Run(name, func(t *testing.T) { lifecycle(t, c.release(t, name), file) })
	}
	for _, autoscaler := range []string{"autoscaling", "keda"} {
		t.Run(autoscaler+" keeps the pods", func(t *testing.T) { keepsThePods(t, c.release(t, "keeps-"+autoscaler), autoscaler) })
	}
	t.Run("preflight", func(t *testing.T) { preflightHoldsUp(t, c.release(t, "preflight")) })
	t.Run("a second replay", func(t *testing.T) { secondReplay(t, c.release(t, "second-replay")) })
	t.Run("empty values", func(t *testing.T) { emptyValues(t, c.release(t, "empty-values")) })
	t.Run("becomes static", func(t *testing.T) { becomesStatic(t, c.release(t, "becomes-static")) })
}

// lifecycle is what a release goes through, and after each step the API server has what was
// rendered.
func lifecycle(t *testing.T, r release, values string) { //nolint:thelper // it is the test
	before, err := r.names(t.Context(), r.namespace)
	if err != nil {
		t.Fatal(err)
	}
	defer r.endJobs(t, true)()
	r.helm(t, "install", "r", chart, "--values", values)
	first := r.wantAsRendered(t)
	r.letsIn(t, first)
	r.helm(t, "upgrade", "r", chart, "--values", values, "--set", "config.LOG_LEVEL=debug")
	second := r.wantAsRendered(t)
	wantTemplate(t, first, second, true)
	r.letsIn(t, second)
	r.helm(t, "upgrade", "r", chart, "--values", values, "--set", "config.LOG_LEVEL=debug")
	wantTemplate(t, second, r.wantAsRendered(t), false)

	if out, err := r.helmTest(t, "Failed"); err == nil {
		t.Errorf("helm test succeeds although its pod failed:\n%s", out)
	}
	if out, err := r.helmTest(t, "Succeeded"); err != nil {
		t.Errorf("helm test fails although its pod succeeded: %v\n%s", err, out)
	}

	r.helm(t, "rollback", "r", "1")
	wantTemplate(t, first, r.wantAsRendered(t), false)
	hook := r.hook(t)
	r.helm(t, "uninstall", "r")
	// The pod of the last helm test stays, so that there is something to read.
	if err := r.delete(t.Context(), hook); err != nil {
		t.Errorf("the pod of helm test is not there after the release: %v", err)
	}
	after, err := r.names(t.Context(), r.namespace)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, after) {
		t.Errorf("uninstall leaves %v, before the release there was %v", after, before)
	}
	t.Logf("%d objects", len(first.objects))
}

// letsIn fails unless the pods are let in, and unless those with the least thing wrong are not:
// otherwise nobody has looked.
func (r release) letsIn(t *testing.T, s state) {
	t.Helper()
	hook := r.hook(t)
	hook.SetName("made-by-hand-too")
	for _, pod := range []*object{s.pod(t, r.namespace), hook} {
		bad := pod.DeepCopy()
		containers, _, err := unstructured.NestedSlice(bad.Object, "spec", "containers")
		if err != nil || len(containers) != 1 {
			t.Fatalf("%s has %d containers, want one: %v", pod.GetName(), len(containers), err)
		}
		delete(containers[0].(map[string]any)["securityContext"].(map[string]any), "allowPrivilegeEscalation")
		if err := unstructured.SetNestedSlice(bad.Object, containers, "spec", "containers"); err != nil {
			t.Fatal(err)
		}
		if err := r.create(t.Context(), bad); err == nil || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
			t.Errorf("a pod that may gain privileges: %v, want it to be refused", err)
		}
		if err := r.create(t.Context(), pod); err != nil {
			t.Errorf("the API server lets the pod %s not in: %v", pod.GetName(), err)
			continue
		}
		if err := r.delete(t.Context(), pod); err != nil {
			t.Error(err)
		}
	}
	for _, o := range s.objects {
		if strings.HasSuffix(o.GetAPIVersion(), ".com/v1") || strings.HasPrefix(o.GetAPIVersion(), "keda.sh/") {
			wrong := o.DeepCopy()
			wrong.SetName("wrong")
			wrong.Object["spec"] = "wrong"
			if err := r.create(t.Context(), wrong); !apierrors.IsInvalid(err) {
				t.Errorf("a %s without a sense: %v, want it to be refused", o.GetKind(), err)
			}
		}
	}
}

// keepsThePods: with an autoscaler the chart renders no number of pods, and a number that goes
// missing is one for the API server.
func keepsThePods(t *testing.T, r release, autoscaler string) { //nolint:thelper // likewise
	values := filepath.Join(chart, "ci", "deployment-values.yaml")
	r.helm(t, "install", "r", chart, "--values", values, "--set", "workload.replicas=5")
	r.helm(t, "upgrade", "r", chart, "--values", values, "--set", autoscaler+".enabled=true")
	live := r.wantAsRendered(t).live
	if got, _, err := unstructured.NestedInt64(live.Object, "spec", "replicas"); got != 5 || err != nil {
		t.Errorf("%d pods after the autoscaler was switched on, want the 5 of before: %v", got, err)
	}
	r.scaled(t, live, 7)
	r.helm(t, "upgrade", "r", chart, "--values", values, "--set", autoscaler+".enabled=true,config.LOG_LEVEL=debug")
	live = r.wantAsRendered(t).live
	if got, _, err := unstructured.NestedInt64(live.Object, "spec", "replicas"); got != 7 || err != nil {
		t.Errorf("%d pods after an upgrade, want the 7 that the autoscaler has made: %v", got, err)
	}
}

// becomesStatic: a Deployment's members become static ones, and go back.
func becomesStatic(t *testing.T, r release) { //nolint:thelper // likewise
	r.helm(t, "install", "r", chart, "--values", filepath.Join(chart, "ci", "deployment-values.yaml"))
	deployment := r.wantAsRendered(t).workload
	r.helm(t, "upgrade", "r", chart, "--values", filepath.Join(chart, "ci", "static-values.yaml"))
	set := r.wantAsRendered(t).workload
	for _, step := range []struct{ there, gone *object }{{set, deployment}, {deployment, set}} {
		if _, err := r.get(t.Context(), step.there); err != nil {
			t.Errorf("the %s is not there: %v", step.there.GetKind(), err)
		}
		if _, err := r.get(t.Context(), step.gone); !apierrors.IsNotFound(err) {
			t.Errorf("the %s is still there: %v", step.gone.GetKind(), err)
		}
		if step.there == set {
			r.helm(t, "rollback", "r", "1")
		}
	}
}

// secondReplay: another replay is another Job beside the first one, the same one is never started twice, and Jobs have no pod that
// the workload or its disruption budget selects.
func secondReplay(t *testing.T, r release) { //nolint:thelper // likewise
	args := []string{"r", chart, "--values", filepath.Join(chart, "ci", "deployment-values.yaml"), "--set", "replays.one.from=2026-01-31,replays.one.to=2026-02-01,replays.one.shards=2"}
	r.helm(t, append([]string{"install"}, args...)...)
	jobs := jobsOf(t, r.wantAsRendered(t))
	r.helm(t, append(append([]string{"upgrade"}, args...), "--set", "replays.two.from=2026-01-31,replays.two.to=2026-02-01")...)
	after := r.wantAsRendered(t)
	if both := jobsOf(t, after); len(jobs) != 1 || len(both) != 2 || both[0].GetName() != jobs[0].GetName() {
		t.Errorf("%d Jobs after a second replay, before it %d; want both", len(both), len(jobs))
	}
	again := jobs[0].DeepCopy()
	if err := r.create(t.Context(), again); !apierrors.IsAlreadyExists(err) {
		t.Errorf("the same replay once more: %v, want that its Job is there", err)
	}
	selected, _, err := unstructured.NestedStringMap(after.workload.Object, "spec", "selector", "matchLabels")
	if err != nil {
		t.Fatal(err)
	}
	labels, _, err := unstructured.NestedStringMap(jobs[0].Object, "spec", "template", "metadata", "labels")
	if err != nil {
		t.Fatal(err)
	}
	if labels["app.kubernetes.io/name"] == selected["app.kubernetes.io/name"] {
		t.Errorf("pods of a replay have the labels %v, which the workload selects", labels)
	}
}

// jobsOf returns the Jobs of a release, in the order of their names.
func jobsOf(t *testing.T, s state) (jobs []*object) {
	t.Helper()
	for _, o := range s.objects {
		if o.GetKind() == "Job" {
			jobs = append(jobs, o)
		}
	}
	slices.SortFunc(jobs, func(a, b *object) int { return strings.Compare(a.GetName(), b.GetName()) })
	return jobs
}
