# Everything a user or CI needs: `make run`, `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
SEEDS ?= 100
INVARIANTS := $(patsubst %,tests/property/test_%.py,accounting order_fold risk risk_stories matching rounding)
HALF := $(wildcard tests/e2e/test_pipeline*.py) tests/e2e/test_replay.py
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help run tools test check unit integration integration-one integration-other prove chaos mutation bench docs format lock clean

help: ## Show this help
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Alpha Panda needs Python 3.11 or newer; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

run: $(READY) ## Set up and run the whole pipeline (ARGS="--for 60s --json out.json")
	$(BIN)/alpha-panda up $(ARGS)

tools: ## Unpack Prometheus and Alertmanager into .tools, without root, where apt is
	@$(PYTHON) -m tools.fetch_prometheus

test: tools check unit integration ## Set up, then run every check and test

check: $(READY) ## Lint, types, import layers, generated documents, dashboards and calendar
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.generate_docs --check
	$(BIN)/python -m tools.generate_dashboards --check
	$(BIN)/python -m tools.generate_calendar --check

unit: $(READY) ## Tests without Kafka, PostgreSQL or Redis; coverage of all but the properties
	$(BIN)/python -m pytest -q -n auto --dist worksteal --cov --cov-report term tests/unit tests/contract
	$(BIN)/python -m pytest -q -n auto --dist worksteal tests/property

integration: $(READY) ## Tests on the real stack, two halves at a time
	$(MAKE) --no-print-directory --jobs 2 --output-sync=line integration-one integration-other

integration-one: $(READY)
	$(BIN)/python -m pytest -q $(HALF)

integration-other: $(READY)
	$(BIN)/python -m pytest -q tests/integration tests/e2e $(patsubst %,--ignore=%,$(HALF))

prove: $(READY) ## Long proofs: 10,000 examples of every invariant, many rebalances and kills, mutants
	$(BIN)/python -m pytest -q -n auto --hypothesis-profile=prove --timeout 7200 $(INVARIANTS)
	$(BIN)/python -m pytest -q -rP -m prove tests/chaos tests/integration tests/contract tests/e2e
	$(MAKE) mutation

chaos: $(READY) ## Kill a live engine between its effects, and let the broker fail, with SEEDS=n seeds
	ALPHA_PANDA_CHAOS_SEEDS=$(SEEDS) $(BIN)/python -m pytest -q -s -m prove tests/chaos/test_live.py

mutation: $(READY) ## Which wrong tokens no test notices, in risk, orders and accounting (docs/mutation.md)
	$(BIN)/python -m tools.mutation --check 90

bench: $(READY) ## Time the trading core, then drive the running stack: latency, lag, CPU and memory
	$(BIN)/python -m benchmarks.core
	$(BIN)/python -m benchmarks.pipeline $(ARGS)

docs: $(READY) ## Generate the tables in docs/ and Grafana's dashboards
	$(BIN)/python -m tools.generate_docs
	$(BIN)/python -m tools.generate_dashboards

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(READY) ## Resolve requirements.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.lock

clean: ## Remove the environment, tools and caches (state stays: alpha-panda reset)
	rm -rf $(VENV) .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
