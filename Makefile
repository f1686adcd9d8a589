# The few commands of this repository. Everything is set up from uv.lock, in .venv.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup demo test e2e up unit integration thorough lint format generate bench bench-operator bench-cluster cluster clean

help: ## What there is to do
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv as the lock file says

$(READY): uv.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv && $(BIN)/uv --version | grep -q ' $(UV_VERSION)' || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --quiet --locked --all-extras --compile-bytecode
	@touch $@

demo: setup ## Train, serve, split, switch, freeze and measure real models
	@$(BIN)/python manifests/examples/penguins/demo.py

test: unit integration ## Every test

e2e: setup ## The product on a cluster of its own, with real containers
	@PYTHONPATH=tests exec $(BIN)/python -m e2e

up: setup ## A cluster with the chart installed, and a shell in it
	@PYTHONPATH=tests exec $(BIN)/python -m e2e up

unit: setup ## The fast ones
	$(BIN)/pytest tests/unit -n auto

# most of them wait most of the time, so two at once; faults come by themselves: they need all the cores there are
integration: setup ## Those with processes, sockets and a control plane
	$(BIN)/pytest tests/integration --ignore=tests/integration/faults -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/pytest tests/integration/faults

thorough: setup ## The tests that are too long for `make test`, at their full size
	$(BIN)/pytest tests -m thorough

lint: setup ## Style, types, import rules, the lock file, generated files, Dockerfiles
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/uv lock --check --quiet
	$(BIN)/python tests/generate.py --check
	$(BIN)/zizmor --offline --quiet --persona auditor .github
	$(BIN)/hadolint Dockerfile.operator Dockerfile.server

format: setup ## Mend the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: setup ## Write generated files anew
	$(BIN)/python tests/generate.py

bench: setup ## Measure, and write docs/benchmarks.md
	PYTHONPATH=tests $(BIN)/python -m tests.bench

bench-operator: setup ## The same for the operator, on an API server
	PYTHONPATH=tests $(BIN)/python -m tests.bench operator $(ONLY)

bench-cluster: setup ## The same for images, room, and what `make e2e` measured
	PYTHONPATH=tests $(BIN)/python -m tests.bench cluster

cluster: setup ## A control plane with the operator, to use by hand; pods are processes of this machine
	@PYTHONPATH=tests exec $(BIN)/python -m integration.operator

clean: ## Remove .venv and caches
	rm -rf .venv .cluster .e2e .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
