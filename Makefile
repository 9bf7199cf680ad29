# The commands of the project. Each is one line of ordinary tools; `make help` lists
# them.

CARGO ?= cargo
ARGS ?=
CARGO_DENY_VERSION := 0.20.2

.DEFAULT_GOAL := help
# Each command is parallel in itself.
.NOTPARALLEL:
.PHONY: help run build tested-server client web test-web test-e2e test-firefox test-call-network wsbench bench-local bench-ws-10k bench-ws-50k bench-collect bench-stop reference-commands bench-figures bench-gateway bench-presets test test-api test-s3 test-turn test-autobahn test-readme test-examples crash-test crash-test-kill crash-test-power mutants fuzz bench-store lint format deny docs schema clean

help: ## List the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: client ## Build and serve on the embedded engine (ARGS="--data-dir DIR …"; see petrel serve --help)
	$(CARGO) run --release --locked --package petrel -- serve $(ARGS)

build: client ## Build the release binary, target/release/petrel, with the web client if there is Node
	$(CARGO) build --release --locked --package petrel

# The server that the tests of the whole run: the release build, which is made for them, or
# another one that there is (PETREL=target/debug/petrel).
ifdef PETREL
override PETREL := $(abspath $(PETREL))
tested-server:
	@test -x $(PETREL) || { echo "PETREL names no program: $(PETREL)"; exit 1; }
else
PETREL := $(CURDIR)/target/release/petrel
tested-server:
	$(CARGO) build --release --locked --package petrel
endif
export PETREL

# `make run NPM=` leaves the web client out.
NPM ?= npm
WEB_MODULES := web/node_modules/.package-lock.json
WEB_CLIENT := web/dist/sources.txt

# The client is built anew when something of it has changed; without Node there is none.
ifneq ($(shell command -v $(firstword $(NPM) nothing) 2>/dev/null),)
client: $(WEB_CLIENT)
else
client:
	@echo "There is no npm here, so the server is built without the web client; see web/README.md."
endif

$(WEB_MODULES): web/package.json web/package-lock.json
	cd web && $(NPM) ci --no-audit --no-fund
	@touch $@

$(WEB_CLIENT): $(WEB_MODULES) $(shell find web/index.html web/vite.config.ts web/public web/scripts web/src -type f 2>/dev/null)
	cd web && $(NPM) run build

web: $(WEB_MODULES) ## Build the web client, web/dist (needs Node 20.19 or later)
	cd web && $(NPM) run build

test-web: $(WEB_CLIENT) tested-server ## Test the web client: lint, types, units, its size, its engine against the real server (needs Node)
	cd web && $(NPM) run lint && $(NPM) run typecheck && $(NPM) test && $(NPM) run size
	cd web && $(NPM) run test:integration

test-e2e: export REQUIRE_WEB_CLIENT = 1
test-e2e: client tested-server ## Test the web client in a browser against the real server (needs Node, Chromium and coturn)
	cd web && $(NPM) run test:e2e

test-firefox: export REQUIRE_WEB_CLIENT = 1
test-firefox: client tested-server ## Chat and talk from Firefox to Chromium, against the real server (needs Node, both browsers)
	cd web && $(NPM) run test:firefox

test-call-network: export REQUIRE_WEB_CLIENT = 1
test-call-network: client tested-server ## Take the network away under a call between two browsers (needs root, iproute2, Node and Chromium)
	tests/call-network.sh $(ARGS)

wsbench: ## Build the load generator, target/release/wsbench
	$(CARGO) build --release --locked --package wsbench

bench-local: build wsbench ## Start a node, run a small connect, ping and end-to-end set, print the reports
	tests/bench-local.sh

# A server that runs already, for the next three.
SERVER ?= localhost:8084

bench-ws-10k: wsbench ## Hold 10,000 connections to a server that runs (SERVER=localhost:8084 ARGS="--duration 2m")
	deploy/scripts/bench-ws.sh $(SERVER) 10000 -- $(ARGS)

bench-ws-50k: wsbench ## The same with 50,000
	deploy/scripts/bench-ws.sh $(SERVER) 50000 -- $(ARGS)

bench-collect: ## Collect what a test left on this machine into results/ (ARGS="NAMESPACE" for a cluster)
	deploy/scripts/collect.sh $(or $(ARGS),-) --server $(SERVER)

bench-stop: ## End your runs of wsbench on this machine; each still prints its report
	pkill -INT -x -U "$$(id -u)" wsbench || echo "no wsbench runs here"

reference-commands: build wsbench ## Run every command that the reference systems' documents print, scaled down
	tests/reference-commands.sh

bench-figures: build wsbench ## Measure what docs/benchmarks.md says of wsbench and a node (a quarter of an hour, idle machine)
	BENCH=figures tests/bench-local.sh

bench-gateway: build wsbench ## Measure what a connection and a message cost the server (five minutes, idle machine)
	python3 tests/gateway_figures.py $(ARGS)

bench-presets: build wsbench ## Run the drills of the reference systems, print their figures beside ours (SCALE=0.1 in small, PRESETS="flap …")
	tests/bench-presets.sh

# Most of the long tests wait, for a clock or a process, rather than compute.
test: export RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
test: ## Run all tests that need only Rust and a C compiler
	$(CARGO) test --workspace --locked

test-readme: tested-server ## Run the README's first chat to the letter (needs Python 3, its websockets package and curl)
	tests/readme-chat.sh

test-examples: tested-server ## Run every example of docs/protocol.md against the server (needs Python 3 and its websockets package)
	python3 tests/protocol_examples docs/protocol.md $(PETREL)

test-api: tested-server ## Hold the HTTP API to its OpenAPI document (needs Python 3, its schemathesis package and curl)
	tests/api.sh

test-s3: ## Try files in a bucket against an S3 server (needs moto_server: pip install 'moto[server]')
	CARGO="$(CARGO)" tests/s3.sh

test-turn: tested-server ## Try whether a real TURN server takes our credentials (needs coturn, curl, Python 3)
	tests/turn.sh

test-autobahn: ## Hold our WebSocket codec to the Autobahn test suite (needs Python 2.7; PYTHON2=…)
	tests/autobahn.sh

MODE ?= power
N ?= 100
SEED ?= 1

crash-test: ## Kill the server, or cut its power, N times (MODE=kill|power N=100 SEED=1)
	$(MAKE) --no-print-directory crash-test-$(MODE)

crash-test-kill:
	PETREL_CRASH_KILLS=$(N) PETREL_CRASH_SEED=$(SEED) $(CARGO) test --release --locked --package petrel --test it crash:: -- --nocapture

crash-test-power:
	PETREL_POWER_CUTS=$(N) PETREL_POWER_SEED=$(SEED) $(CARGO) test --release --locked --package petrel-testkit --test power a_power_cut -- --nocapture

mutants: ## Build faults in, one at a time, and make sure that a proof notices each
	CARGO="$(CARGO)" tests/mutants.sh

FUZZ_SECONDS ?= 60

fuzz: ## Look for inputs that a decoder does not stand (FUZZ_SECONDS=60 for each target, FUZZ_TARGETS="client_frame …"; needs a C++ compiler)
	CARGO="$(CARGO)" FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz.sh

bench-store: ## Measure durable commits (ARGS="--messages 10000000" grows one store)
	$(CARGO) bench --locked --package petrel-store --bench commit -- $(ARGS)

lint: ## Formatting, clippy, documentation, licences; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	$(CARGO) deny --locked check --hide-inclusion-graph licenses bans sources

format: ## Format the code
	$(CARGO) fmt --all

deny: ## Install the licence checker that `make lint` needs
	$(CARGO) deny --version 2>/dev/null | grep -q ' $(CARGO_DENY_VERSION)$$' || $(CARGO) install cargo-deny --debug --locked --version $(CARGO_DENY_VERSION)

schema: ## Rewrite what is generated (docs/, petrel.example.toml) after a change of the protocol, settings or metrics
	PETREL_UPDATE=1 $(CARGO) test --locked --package petrel-protocol
	PETREL_UPDATE=1 $(CARGO) test --locked --package wsbench --test it schema
	PETREL_UPDATE=1 $(CARGO) test --locked --package petrel --test it -- are_fresh is_documented

clean: ## Remove what was built (not your data)
	$(CARGO) clean
