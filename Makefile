# Everything that one does with this repository. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup run test test-unit check mechanisms bench docs clean lock tools

BIN := .venv/bin
SERVICES := review dispute returns reputation
CODE := shared services deploy tests bench conftest.py
TESTS := $(wildcard shared/*/tests services/*/tests deploy/local/tests tests)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## install what the rest needs, into .venv (the others do it by themselves)
	@deploy/local/setup

tools:
	@deploy/local/setup --check

run: tools setup  ## servers, services, demo data; prints the URLs; Ctrl-C stops it all
	@$(BIN)/aftersales stack run

test: tools setup  ## every test, with a real PostgreSQL and a real Kafka
	@$(BIN)/pytest

test-unit: setup  ## the fast ones: no server is started
	@$(BIN)/pytest -m "not servers"

check: setup  ## format, lint, types, import contracts
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy --exclude '/tests/' shared services deploy bench conftest.py
	@# Services call their test files alike, which mypy takes for one module: folder by folder.
	@for tests in $(TESTS); do $(BIN)/mypy --no-error-summary $$tests || exit 1; done
	$(BIN)/basedpyright
	$(BIN)/lint-imports

mechanisms: tools setup  ## takes away what keeps each promise, once: its test must fail
	@$(BIN)/python tests/mechanisms.py

bench: tools setup  ## the ratios of speed, measured side by side
	@$(BIN)/python -m bench

docs: setup  ## the reference under docs/reference, from the code
	@$(BIN)/python -m shared_events
	@for service in $(SERVICES); do \
	  $(BIN)/python -m $${service}_service openapi > docs/reference/openapi/$$service-service.json; done
	@{ $(BIN)/python -m shared_runtime.reference; for service in $(SERVICES); do \
	  $(BIN)/python -m $${service}_service commands; done; } > docs/reference/commands.md

clean:  ## remove the environment, the local stack's data and every cache of the tools
	@if [ -x $(BIN)/aftersales ]; then $(BIN)/aftersales stack clean; fi
	rm -rf .venv .stack .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

lock: setup  ## resolve the dependencies anew into requirements.lock: hashes, no addresses
	$(BIN)/uv lock --quiet --upgrade --python 3.13
	$(BIN)/uv export --quiet --all-groups --no-emit-workspace --no-header \
	  --format requirements-txt --python 3.13 --output-file requirements.lock > /dev/null
	@! grep -nE '(index-url|find-links|://)' requirements.lock
