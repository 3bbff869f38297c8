# Short names for the commands of this repository. `make` alone lists them.
# CI runs .ci/run and none of this.

.DEFAULT_GOAL := help
SHELL := bash

FUZZ_SECONDS ?= 60
DURATION ?= 1h
SEED ?= 1
RATE ?= 2000
BENCH ?= .

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: test
test: ## Run the tests (the README's command)
	go test ./...

.PHONY: test-long
test-long: ## Run all tests that need nothing but Go, also those that simulate or wait for long
	LONG_TESTS=1 go test -timeout=20m ./...

.PHONY: test-race
test-race: ## Run the tests with the race detector; installs a C compiler if there is none
	.ci/run race

.PHONY: test-kafka
test-kafka: ## Run the tests on Apache Kafka; needs Java 17 and, for the first time, Maven
	APACHE_KAFKA=1 go test -run='^TestApache' -count=1 -p=1 -parallel=8 -timeout=20m ./...

.PHONY: test-kafka-older
test-kafka-older: ## Run the cases of topics and starts on Apache Kafka 3.9
	APACHE_KAFKA_RELEASE=3.9 APACHE_KAFKA=1 go test -run='^TestApacheMatrix$$' -count=1 -parallel=8 -timeout=10m ./connector/e2e

.PHONY: lint
lint: ## Run the linters, and shellcheck on the scripts
	.ci/run vet lint format shell words

.PHONY: fmt
fmt: ## Format all Go code
	go tool -modfile=.ci/tools/go.mod golangci-lint fmt

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZ_SECONDS (60)
	FUZZ_SECONDS=$(FUZZ_SECONDS) .ci/run fuzz

.PHONY: mutants
mutants: ## Break each guarantee on purpose; a test that is named for it must notice
	.ci/run mutants

.PHONY: cover
cover: ## Test with coverage of all packages; writes cover.out and cover.html
	go test -coverpkg=./... -coverprofile=cover.out ./...
	go tool cover -html=cover.out -o cover.html
	go tool cover -func=cover.out | tail -1

.PHONY: bench
bench: ## Measure CPU, memory and the bill on the whole way, beside the floor; writes deploy/docs/performance.md in an hour
	go run ./cmd/bench -report deploy/docs/performance.md

.PHONY: microbench
microbench: ## Run the benchmarks that match BENCH (all)
	go test -run='^$$' -bench='$(BENCH)' -benchmem ./...

.PHONY: chaos
chaos: ## Trouble on Apache Kafka for DURATION (1h) by the plan of each SEED (1; several: 1,2,3) at RATE (2000) records a second; the table goes into deploy/docs/guarantees.md
	go run ./cmd/chaos -v -duration $(DURATION) -seed $(SEED) -rate $(RATE) -report deploy/docs/guarantees.md

.PHONY: chart
chart: ## Test the Helm chart and the alerts; the first time builds helm and its like
	.ci/run alerts chart

.PHONY: cluster
cluster: ## Install the chart on a real API server of Kubernetes; the first time builds it, for some minutes
	.ci/run cluster

.PHONY: image
image: ## Build the image of deploy/Dockerfile and run it as the chart does, without an engine; takes root
	.ci/run image

.PHONY: chart-generated
chart-generated: ## Write the chart's generated files: files/settings.json, files/defaults.json and its README
	go test ./connector -run=TestChartSettings -count=1 -update
	go -C .ci/chart test -run=TestDefaults -count=1 . -update
	.ci/run chartreadme

.PHONY: prometheus
prometheus: ## See alerts fire and every query return data, on a real Prometheus; installs it if there is none
	.ci/run prometheus

.PHONY: page
page: ## Show the status page in Chromium, which it installs on Debian; PAGE_PICTURES=DIR keeps the pictures
	.ci/run page

.PHONY: page-pictures
page-pictures: ## The same as page, and draw the pictures of deploy/docs/status.md
	rm -rf bin/pictures && mkdir -p bin/pictures
	PAGE_PICTURES=$(CURDIR)/bin/pictures .ci/run page
	cd bin/pictures && cp load-1600-dark.png load-400-light.png outage-1600-light.png outage-400-dark.png ../../deploy/docs/status

.PHONY: dashboard-pictures
dashboard-pictures: ## The same, and draw the pictures of deploy/docs/dashboard.md
	DASHBOARD_PICTURES=docs/dashboard .ci/run prometheus

.PHONY: release
release: ## Build the release VERSION=v1.2.3 into dist/; RELEASE_REGISTRY: where images and chart live; RELEASE_KEY: file of the key to sign with
	go mod download
	go -C .ci/release build -buildvcs=false -o ../../bin/release .
	bin/release build -version "$(VERSION)" -out dist

.PHONY: rehearsal
rehearsal: ## Build a release twice, publish it to a registry of this machine, verify and install it
	.ci/run release

.PHONY: build
build: ## Build all commands into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: sandbox
sandbox: ## Kafka, Firehose and the bridge in one process, to look at
	go run ./cmd/sandbox

.PHONY: sandbox-recording
sandbox-recording: ## Run the sandbox in an outage, for half a minute, and draw the README's recording of it
	go test ./cmd/sandbox -run='^TestRecording$$' -count=1 -record

.PHONY: ci
ci: ## Everything that CI runs
	bash .ci/run

.PHONY: tidy
tidy: ## Tidy all modules
	go mod tidy
	go -C .ci/tools mod tidy
	go -C .ci/chart mod tidy
	go -C .ci/cluster mod tidy
	go -C .ci/release mod tidy
	go -C .ci/page mod tidy
	go -C .ci/chart/kube-score mod tidy

.PHONY: readme
readme: ## Write the table of settings into deploy/docs/settings.md
	go test ./connector -run TestReadmeConfig -update

.PHONY: metrics
metrics: ## Write the table of metrics into METRICS.md
	go test ./metrics -run TestDocument -update

.PHONY: llms
llms: ## Write llms.txt from the index of the documentation
	go generate ./deploy

.PHONY: brokers
brokers: ## Write the table of supported brokers into deploy/docs/brokers.md
	go test ./connector/e2e -run TestBrokersDocument -update

.PHONY: clean
clean: ## Remove what the targets above wrote
	rm -rf bin dist cover.out cover.html
