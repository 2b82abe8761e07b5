# Bare "make" lists the targets. Variables to set on the command line: ARGS (flags for run and bench), FUZZTIME,
# CRASH_MEMBERS, CRASH_KILLS.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# The linter is built once into bin/tools; it is no dependency of the product.
STATICCHECK_VERSION := v0.8.2
STATICCHECK := bin/tools/staticcheck-$(STATICCHECK_VERSION)

# Packages tested at a time. Several start a PostgreSQL server of their own.
PARALLEL := 2
FUZZTIME := 10s

# SQLite's C, translated to Go, and the memory it asks for are outside Go's heap, where the race detector does not look;
# watching them there would take half of the time. Those two packages hold no generic code, of which the linker might keep
# its unwatched copy for everybody; the driver and all else is watched. The translated C library is watched as well, but
# -race would also check each of its casts of an address to a pointer, which is how it works.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/memory=-race=false -gcflags=modernc.org/libc=-d=checkptr=0

# The size of make crash. Every run of the tests does the same in small.
CRASH_MEMBERS := 200000
CRASH_KILLS := 50

CHECKS = \
	-check 'format: scripts/check-format.sh' \
	-check 'vet: go vet ./... && cd e2e && go vet ./...' \
	-check 'staticcheck: $(STATICCHECK) ./... && cd e2e && ../$(STATICCHECK) ./...' \
	-go 'arch: go test -json ./internal/arch'
UNIT = -go 'unit: go test -json $(RACE) -p $(PARALLEL) -timeout 40m ./...'
E2E = -go 'e2e: cd e2e && GUILDHALL_BINARY=../bin/guildhall go test -json -count=1 -timeout 20m ./...'

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9-]*:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build, and serve for development: embedded database in ./data, demo realm, HTTPS
	@exec bin/guildhall serve --dev $(ARGS)

.PHONY: build
build: ## build the static binary bin/guildhall
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/guildhall ./cmd/guildhall

.PHONY: test
test: tools build ## install what is missing, then run every check and test; ends with a summary
	@go run ./scripts/testsummary $(CHECKS) $(UNIT) $(E2E)

.PHONY: check
check: $(STATICCHECK) ## formatting, vet, staticcheck and the rules of the tree
	@go run ./scripts/testsummary $(CHECKS)

.PHONY: arch
arch: ## the rules of the tree alone: imports, words, budgets
	@go test ./internal/arch

.PHONY: unit
unit: ## unit and conformance tests on both engines, with the race detector
	@go run ./scripts/testsummary $(UNIT)

.PHONY: e2e
e2e: tools build ## the vendors' own SDKs against the built binary, on both engines
	@go run ./scripts/testsummary $(E2E)

.PHONY: bench
bench: build ## measure, and print figures as multiples of a bare handler or statement
	@go run ./bench $(ARGS)

.PHONY: crash
crash: build ## kill a deletion of CRASH_MEMBERS (200000) with SIGKILL CRASH_KILLS (50) times, on both engines
	@CRASH_MEMBERS=$(CRASH_MEMBERS) CRASH_KILLS=$(CRASH_KILLS) GUILDHALL_BINARY=$(CURDIR)/bin/guildhall \
		go test -count=1 -v -timeout 2h -run TestT_C11_ADeletionThatIsKilledEndsAsOneThatIsNot ./cmd/guildhall

.PHONY: faults
faults: build ## delete organizations of 20000 while the disk runs full, and while PostgreSQL is lost in every way, 20 times each
	@FAULT_MEMBERS=20000 FAULT_TIMES=20 GUILDHALL_BINARY=$(CURDIR)/bin/guildhall \
		go test -count=1 -v -timeout 2h -run 'TestT_C11_P13_|TestT_P12_' ./cmd/guildhall

.PHONY: generate
generate: ## write generated code and documents anew
	go generate ./...

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s)
	@scripts/fuzz.sh $(FUZZTIME)

.PHONY: tools
tools: $(STATICCHECK) ## install what the tests need and is missing
	@scripts/install-test-tools.sh

$(STATICCHECK):
	GOBIN=$(CURDIR)/bin/tools go install honnef.co/go/tools/cmd/staticcheck@$(STATICCHECK_VERSION)
	@mv bin/tools/staticcheck $@

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
