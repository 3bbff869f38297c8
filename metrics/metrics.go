// Package metrics declares every collector of the connector once, a struct for
// each stage, and serves them with the two probes.
//
// Names carry their unit and, for counters, _total; help texts say what the
// edge values mean. Counters exist from the first scrape on, so that rate()
// sees the first failure. Series that belong to a partition leave with it.
package metrics

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const namespace = "kafka_firehose"

// Set is what the stages write to.
type Set struct {
	Kafka       *Kafka
	Pipeline    *Pipeline
	Firehose    *Firehose
	DeadLetter  *DeadLetter
	Schema      *Schema
	Destination *Destination
	ClaimCheck  *ClaimCheck
}

// Option is for New.
type Option func(*metricFactory)

// NativeHistograms says whether histograms are native ones too, beside their buckets.
// Only scrapes that take protobuf see the difference. A server that takes native ones keeps
// none of the buckets, which the alerts need, unless it is configured to keep both.
func NativeHistograms(too bool) Option { return func(f *metricFactory) { f.native = too } }

// New registers every collector of the connector with r. Two sets in one
// process need two registries.
func New(r prometheus.Registerer, options ...Option) *Set {
	f := metricFactory{r: r}
	for _, set := range options {
		set(&f)
	}
	return &Set{
		Kafka: newKafka(f.withSubsystem("kafka")), Pipeline: newPipeline(f), Firehose: newFirehose(f),
		DeadLetter: newDeadLetter(f), Schema: newSchema(f.withSubsystem("schema")), Destination: newDestination(f.withSubsystem("destination")), ClaimCheck: newClaimCheck(f.withSubsystem("claim_check")),
	}
}

// NewRegistry is a registry with the collectors of the process, the Go runtime
// and the build in it.
func NewRegistry(version, revision string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info",
		Help:        "Always 1; the labels tell the build.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision, "goversion": runtime.Version()},
	})
	build.Set(1)
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Flag is the value of a gauge that is 1 or 0.
func Flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// metricFactory registers the collectors that it makes.
type metricFactory struct {
	r         prometheus.Registerer
	subsystem string
	native    bool
}

// withSubsystem makes collectors of a subsystem.
func (f metricFactory) withSubsystem(subsystem string) metricFactory {
	f.subsystem = subsystem
	return f
}

func registerCollector[C prometheus.Collector](r prometheus.Registerer, c C) C {
	r.MustRegister(c)
	return c
}

func (f metricFactory) newCounter(name, help string) prometheus.Counter {
	return registerCollector(f.r, prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Subsystem: f.subsystem, Name: name, Help: help}))
}

func (f metricFactory) counterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return registerCollector(f.r, prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: f.subsystem, Name: name, Help: help}, labels))
}

func (f metricFactory) newGauge(name, help string) prometheus.Gauge {
	return registerCollector(f.r, prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Subsystem: f.subsystem, Name: name, Help: help}))
}

func (f metricFactory) gaugeVec(name, help string, labels ...string) *prometheus.GaugeVec {
	return registerCollector(f.r, prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Subsystem: f.subsystem, Name: name, Help: help}, labels))
}

func (f metricFactory) histogramVec(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return registerCollector(f.r, prometheus.NewHistogramVec(f.histogramOpts(name, help, buckets), labels))
}

func (f metricFactory) newHistogram(name, help string, buckets []float64) prometheus.Histogram {
	return registerCollector(f.r, prometheus.NewHistogram(f.histogramOpts(name, help, buckets)))
}

// histogramOpts: a native bucket ends at most a tenth above where it begins. There are at
// most 160; with more, they are emptied, but not within an hour, and made wider else.
func (f metricFactory) histogramOpts(name, help string, buckets []float64) prometheus.HistogramOpts {
	o := prometheus.HistogramOpts{Namespace: namespace, Subsystem: f.subsystem, Name: name, Help: help, Buckets: buckets}
	if f.native {
		o.NativeHistogramBucketFactor = 1.1
		o.NativeHistogramMaxBucketNumber = 160
		o.NativeHistogramMinResetDuration = time.Hour
	}
	return o
}
