package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestReleasedChart installs the chart of a release, as it was pulled from a registry, with the image that it names itself, and
// upgrades it to the chart of this tree.
func TestReleasedChart(t *testing.T) {
	file := os.Getenv("RELEASED_CHART")
	if file == "" {
		t.Skip("RELEASED_CHART names no chart")
	}
	c := startControlPlane(t)
	r := c.release(t, "released")
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte(`config:
  KAFKA_BROKERS: kafka.example.com:9092
  KAFKA_TOPICS: orders
  KAFKA_GROUP_ID: orders-to-firehose
  FIREHOSE_STREAM: orders
  AWS_REGION: eu-west-1
`), 0o600); err != nil {
		t.Fatal(err)
	}
	r.helm(t, "install", "r", file, "--values", values)
	installed := r.wantAsRendered(t)
	containers, _, err := unstructured.NestedSlice(installed.live.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		t.Fatalf("%d containers, want one: %v", len(containers), err)
	}
	if image := containers[0].(map[string]any)["image"].(string); !strings.Contains(image, "/kafka-firehose@sha256:") {
		t.Errorf("the released chart installs the image %s, want one by its digest", image)
	}
	r.letsIn(t, installed)
	// Fields that can't change, such as selectors, would stop every installation here.
	r.helm(t, "upgrade", "r", chart, "--values", values, "--set", "image.repository=registry.example.com/next,config.LOG_LEVEL=debug")
	upgraded := r.wantAsRendered(t)
	wantTemplate(t, installed, upgraded, true)
	r.letsIn(t, upgraded)
}
