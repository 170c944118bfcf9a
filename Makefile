# Every recipe can be typed by hand. `make` alone lists the targets.

GOLANGCI_LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT    = go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
RIE           = github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@v0.0.0-20261030222936-bef5c4ba774d
VERSION      ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# arm64 or x86_64, as the parameter Architecture of template.yaml.
ARCHITECTURE ?= arm64
GOARCH_arm64  = arm64
GOARCH_x86_64 = amd64

# nethttpomithttp2: the function speaks HTTP/1.1 only, which spares 140 kB.
TAGS = lambda.norpc,nethttpomithttp2

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

.PHONY: local
local: ## serve on http://localhost:8080 with an embedded storage
	go run ./cmd/local

.PHONY: test
test: ## all tests that need nothing but Go
	go test -race -shuffle=on ./...

.PHONY: test-busy
TIMES ?= 5
test-busy: ## the tests $(TIMES) times, while something else keeps every core busy
	@for core in $$(seq $$(nproc)); do timeout 3600 sh -c 'while :; do :; done' & busy="$$busy $$!"; done; \
	trap 'kill $$busy' EXIT; trap 'exit 1' INT TERM; \
	for round in $$(seq $(TIMES)); do echo "round $$round of $(TIMES)"; go test -count=1 ./... || exit 1; done

.PHONY: check
check: ## formatting, vet (for other systems too), static analysis, workflows, go.mod
	test -z "$$(gofmt -l .)"
	go vet ./...
	for os in windows darwin; do GOOS=$$os go build ./... && GOOS=$$os go vet ./... || exit 1; done
	$(GOLANGCI_LINT) run ./...
	$(ACTIONLINT) -shellcheck= -pyflakes=
	go mod tidy -diff
	go -C bench vet ./...
	cd bench && $(GOLANGCI_LINT) run ./...
	go -C bench mod tidy -diff

.PHONY: fuzz
# A number of inputs, such as 5000x, and no time: where a time ends while a slow machine tries an
# input, go test calls that a failure. Without -fuzzminimizetime the fuzzer takes up to a minute
# to make each new input smaller.
FUZZTIME ?= 5000x
fuzz: ## every fuzz target for $(FUZZTIME)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9]*' $$dir/*_test.go | cut -c6-); do \
			echo "$$dir $$target"; go test $$dir -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s || exit 1; \
		done; done

.PHONY: test-node-client
test-node-client: ## the stand-in against the official Node client (needs npm)
	VOXKV_NODE_CLIENT=1 go test -count=1 -v ./test/nodeclient/

.PHONY: test-moto
test-moto: ## the Secrets Manager stand-in against moto (needs pip)
	VOXKV_MOTO=1 go test -count=1 -v -run Moto ./internal/secretsmanagertest/

.PHONY: test-caches
test-caches: ## nginx, Varnish, Squid, Traffic Server, httpd and HAProxy in front of the function (installs them with apt as root)
	test/caches/install.sh
	VOXKV_CACHES=1 go test -count=1 -v -parallel 16 ./test/caches

.PHONY: test-browser
test-browser: ## Chromium and Firefox behind each cache (installs them with apt as root; needs npm)
	test/caches/install.sh -browser
	VOXKV_BROWSER=1 go test -count=1 -v -timeout 20m ./test/browser

.PHONY: test-openapi
test-openapi: ## lint openapi.yaml and fuzz the server from it (needs npm and pip)
	VOXKV_OPENAPI=1 go test -count=1 -v -timeout 20m ./test/openapi

.PHONY: test-oracles
test-oracles: ## what http-cache-semantics makes of our headers (needs npm)
	VOXKV_ORACLES=1 go test -count=1 -v ./test/oracles

.PHONY: test-emulator
test-emulator: ## every file of events/ under AWS's Runtime Interface Emulator, beside our Runtime API
	GOBIN=$(CURDIR)/.cache/bin go install $(RIE)
	VOXKV_EMULATOR=$(CURDIR)/.cache/bin/aws-lambda-rie go test -count=1 -v -run TestEmulator ./cmd/lambda

.PHONY: build-VoxkvFunction
build-VoxkvFunction: # what `sam build` runs; the same source gives the same bytes
	CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH_$(ARCHITECTURE)) go build -trimpath -buildvcs=false -tags $(TAGS) \
		-ldflags '-s -w -buildid= -X main.version=$(VERSION)' -o '$(ARTIFACTS_DIR)/bootstrap' ./cmd/lambda

.PHONY: check-template
check-template: ## template.yaml against AWS's own tools (needs pip; installs QEMU with apt as root)
	scripts/debian qemu-aarch64-static:qemu-user-static
	VOXKV_TEMPLATE=1 go test -count=1 -v -timeout 40m -skip Release ./test/template/

.PHONY: check-release
check-release: ## what a release publishes, and that its bootstraps start, arm64 too (needs pip; installs QEMU, zip and unzip with apt as root)
	scripts/debian qemu-aarch64-static:qemu-user-static zip:zip unzip:unzip
	VOXKV_TEMPLATE=1 go test -count=1 -v -timeout 40m -run Release ./test/template/

.PHONY: sam-local
sam-local: ## sam local with every file of events/ (needs pip, and a container engine or root on Debian)
	scripts/sam-local

.PHONY: test-scripts
test-scripts: ## scripts/ against the SAM CLI, the AWS CLI and moto; shellcheck; the deployer's policy (needs pip)
	VOXKV_SCRIPTS=1 go test -count=1 -v -timeout 40m ./scripts

.PHONY: smoke
smoke: ## check a deployment: make smoke URL=https://… KEY=order:1001
	scripts/smoke '$(URL)' '$(KEY)'

.PHONY: live
live: ## ask the real API (VOXIMPLANT_CREDENTIALS, VOXIMPLANT_APPLICATION_ID)
	go test -count=1 -v -run TestLive ./test/live/

.PHONY: test-examples
test-examples: ## the programs in examples/, and the AWS SDKs and CLI against cmd/local (needs npm and pip)
	VOXKV_EXAMPLES=1 go test -count=1 -v -timeout 20m ./test/examples

.PHONY: types
types: ## examples/javascript/types.d.ts from openapi.yaml (needs npm)
	VOXKV_EXAMPLES=1 go test -count=1 -run TestTypes ./test/examples/ -update

.PHONY: test-client
test-client: ## the npm package of client/, in Chromium, Firefox, Node.js and a worker; examples/live (installs browsers with apt as root; needs npm)
	test/caches/install.sh -browser
	VOXKV_CLIENT=1 go test -count=1 -v -timeout 40m -p 1 -skip TestLate ./test/client ./test/livepage

.PHONY: test-playground
test-playground: ## the page of cmd/local in Chromium (installs it with apt as root; needs npm)
	test/caches/install.sh -browser
	VOXKV_PLAYGROUND=1 go test -count=1 -v -timeout 20m ./test/playground

.PHONY: faults
faults: ## everything around the real binary, broken one thing at a time
	VOXKV_FAULTS=1 go test -count=1 -v -run 'TestBinary|TestFreeze' ./test/faults

.PHONY: mutants
MUTANTS  ?= 100
PACKAGES ?= ./allowlist ./handler ./direct ./lookup ./voximplant ./auth ./internal/gateway
mutants: ## which of $(MUTANTS) small faults in each package of $(PACKAGES) the tests catch
	go run ./scripts/mutate -n $(MUTANTS) $(PACKAGES)

.PHONY: soak
REQUESTS ?= 1000000
soak: ## load, changes and faults at once, for $(REQUESTS) requests each
	VOXKV_SOAK=$(REQUESTS) go test -count=1 -v -timeout 60m ./test/soak

.PHONY: bench
bench: ## voxkv beside what else one could use: the tables of the README and docs/performance.md, and the plot (a quarter of an hour)
	go -C bench run . -docs README.md,docs/performance.md -json bench.json -svg docs/performance.svg

.PHONY: test-bench
test-bench: ## the tests of bench, which is a module of its own: counts, the scale model
	go -C bench test -run Allocations .
	go -C bench test -race -shuffle=on ./...
