# Short names for the commands of this repository. `make` alone lists them.
# CI runs .ci/run and none of this.

.DEFAULT_GOAL := help
SHELL := bash

FUZZ_SECONDS ?= 60
DURATION ?= 1h
SEED ?= 1
BENCH ?= .

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: test
test: ## Run the tests (the README's command)
	go test ./...

.PHONY: test-race
test-race: ## Run the tests with the race detector; installs a C compiler if there is none
	.ci/run race

.PHONY: lint
lint: ## Run the linters, and shellcheck on the scripts
	.ci/run vet lint format shell words

.PHONY: fmt
fmt: ## Format all Go code
	go tool -modfile=.ci/tools/go.mod golangci-lint fmt

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZ_SECONDS (60)
	FUZZ_SECONDS=$(FUZZ_SECONDS) .ci/run fuzz

.PHONY: cover
cover: ## Test with coverage of all packages; writes cover.out and cover.html
	go test -coverpkg=./... -coverprofile=cover.out ./...
	go tool cover -html=cover.out -o cover.html
	go tool cover -func=cover.out | tail -1

.PHONY: bench
bench: ## Run the benchmarks that match BENCH (all)
	go test -run='^$$' -bench='$(BENCH)' -benchmem ./...

.PHONY: chaos
chaos: ## Trouble on Apache Kafka for DURATION (1h) by the plan of SEED (1; several: 1,2,3), and a report
	go run ./cmd/chaos -v -duration $(DURATION) -seed $(SEED)

.PHONY: build
build: ## Build all commands into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: sandbox
sandbox: ## Kafka, Firehose and the bridge in one process, to look at
	go run ./cmd/sandbox

.PHONY: ci
ci: ## Everything that CI runs
	bash .ci/run

.PHONY: tidy
tidy: ## Tidy both modules
	go mod tidy
	go -C .ci/tools mod tidy

.PHONY: readme
readme: ## Write the table of settings into README.md
	go test ./connector -run TestReadmeConfig -update

.PHONY: clean
clean: ## Remove what the targets above wrote
	rm -rf bin cover.out cover.html
