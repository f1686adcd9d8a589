# The commands of this repository. Everything is installed from uv.lock into .venv.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help setup demo test e2e up unit programs integration thorough coverage check lint format generate run cluster \
  bench bench-operator bench-cluster clean
# Arguments of pytest for `unit` and `integration`: options, or paths of tests that replace the whole folder
ARGS ?=
paths = $(if $(filter tests/%,$(ARGS)),,$(1))

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY) ## Install .venv from the lock file

$(READY): uv.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv && $(BIN)/uv --version | grep -q ' $(UV_VERSION)' || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=.venv $(BIN)/uv sync --quiet --locked --all-extras --compile-bytecode
	@touch $@

demo: setup ## Train, serve, split, switch, freeze and measure real models
	@$(BIN)/python manifests/examples/penguins/demo.py

test: unit integration ## Run every test except those of `thorough` and `e2e`

e2e: setup ## Test the product on a cluster of its own, with real containers
	@PYTHONPATH=tests exec $(BIN)/python -m e2e

up: setup ## Start a cluster with the chart installed, and a shell in it
	@PYTHONPATH=tests exec $(BIN)/python -m e2e up

unit: setup ## Run the unit tests; ARGS="-k quota" or ARGS=tests/unit/api selects
	$(BIN)/pytest $(call paths,tests/unit) $(or $(ARGS),-n auto)

# What is there is used; the rest is built from Go modules. Tests of what can't be obtained are skipped, and fail if CI=true.
programs: setup ## Obtain what those tests need (a control plane, Helm, promtool): about 10 minutes, once per machine
	@PYTHONPATH=tests $(BIN)/python -m cluster >/dev/null || echo "the tests of these programs can't run"

# These run alone, as they need every core; the others wait most of the time, so two run at once.
ALONE := tests/integration/faults/test_crashes.py tests/integration/faults/test_faults.py
integration: programs ## Run the tests with processes, sockets and a control plane; ARGS as for `unit`
ifneq ($(ARGS),)
	$(BIN)/pytest $(call paths,tests/integration) $(ARGS)
else
	$(BIN)/pytest tests/integration $(ALONE:%=--ignore=%) -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/pytest $(ALONE)
endif

thorough: programs ## Run the tests that are too long for `make test`, at their full size
	$(BIN)/pytest tests -m thorough

# Failing tests are the matter of `make unit`: tracing makes some miss their bounds of time.
coverage: setup ## Run the unit tests with branch coverage; fails if a package is below its floor
	-$(BIN)/pytest tests/unit -n auto --cov --cov-report= -o timeout=600
	$(BIN)/coverage json --quiet -o .coverage.json
	$(BIN)/python tests/floors.py .coverage.json

check: setup ## Check style, spelling, types, imports and generated files: seconds, once mypy has its cache
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/generate.py --check

lint: check ## Run `check`, and check the lock file, the workflows and the Dockerfiles
	$(BIN)/uv lock --check --quiet
	$(BIN)/zizmor --offline --quiet --persona auditor .github
	$(BIN)/hadolint Dockerfile.operator Dockerfile.server

format: setup ## Correct the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

generate: setup ## Write the generated files
	$(BIN)/python tests/generate.py

run: setup ## Run the operator on the cluster of the current kubeconfig, to which it writes (see CONTRIBUTING)
	$(BIN)/linplane operator $(ARGS)

bench: setup ## Measure and write docs/benchmarks.md
	PYTHONPATH=tests $(BIN)/python -m tests.bench

bench-operator: setup ## Measure the operator on an API server
	PYTHONPATH=tests $(BIN)/python -m tests.bench operator $(ONLY)

bench-cluster: setup ## Measure images and memory, and add the figures of `make e2e`
	PYTHONPATH=tests $(BIN)/python -m tests.bench cluster

cluster: setup ## Start a control plane with the operator to use by hand; its pods are processes of this machine
	@PYTHONPATH=tests exec $(BIN)/python -m integration.operator

clean: ## Remove .venv and caches
	rm -rf .venv .cluster .e2e .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.json
