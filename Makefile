# Everything that one does with this repository. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup run test test-unit check deploy-check cluster clients mechanisms drills campaign soak torture bench docs clean lock tools

BIN := .venv/bin
SERVICES := review dispute returns reputation
CODE := shared services deploy clients tests bench conftest.py
EXPORT := $(BIN)/uv export --quiet --no-emit-workspace --no-header --python 3.13 \
	--format requirements-txt
TESTS := $(wildcard shared/*/tests services/*/tests deploy/local/tests deploy/tests/* clients/*/tests tests)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## install what the rest needs, into .venv (the others do it by themselves)
	@deploy/local/setup

tools:
	@deploy/local/setup --check

run: tools setup  ## servers, services, demo data; prints the URLs; Ctrl-C stops it all
	@$(BIN)/aftersales stack run

test: tools setup  ## every test, with a real PostgreSQL and a real Kafka
	@# What pytest makes of the tests is kept: each process makes it anew for 12 seconds else.
	@PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -rs -n 3 --dist loadfile --no-loadscope-reorder

test-unit: setup  ## the fast ones: no server is started
	@$(BIN)/pytest -m "not servers and not drill and not deploy"

check: setup  ## format, lint, types, import contracts
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy --exclude '/tests/' shared services deploy clients/python bench conftest.py
	@# Services call their test files alike, which mypy takes for one module: folder by folder.
	@for tests in $(TESTS); do $(BIN)/mypy --no-error-summary $$tests || exit 1; done
	$(BIN)/basedpyright
	$(BIN)/lint-imports

drills: tools setup  ## the runbooks, carried out on a real stack; some minutes
	@$(BIN)/pytest -m drill -rs tests/drills

deploy-check: tools setup  ## manifests, image, alerts, documents and clients, tried with what is here
	@deploy/setup
	@$(BIN)/pytest -m deploy -rs -n 2 --dist loadfile deploy/tests tests/integration

cluster: tools setup  ## the product on a Kubernetes of one node in namespaces of its own; root, Linux, minutes
	@deploy/setup
	@$(BIN)/python -m deploy_cluster

campaign: tools setup  ## RUNS=1000 SEED=1: random histories with kills, freezes and repeats, checked
	@$(BIN)/python -m local_stack.campaign --runs $(or $(RUNS),1000) --seed $(or $(SEED),1)

soak: tools setup  ## MINUTES=30: a stack at work, whose memory and tables must not grow
	@$(BIN)/python -m bench.soak --minutes $(or $(MINUTES),30)

mechanisms: tools setup  ## takes away what keeps each promise, once: its test must fail
	@$(BIN)/python tests/mechanisms.py

torture: tools setup  ## 10,000 refunds against a provider that misbehaves, the worker being killed
	@$(BIN)/aftersales refund torture

bench: tools setup  ## the ratios of speed, measured side by side
	@$(BIN)/python -m bench

docs: setup  ## the reference under docs/reference, and manifests that repeat the code, from it
	@$(BIN)/python -m shared_events
	@$(BIN)/python -m review_service.feed_document > docs/reference/asyncapi/marketplace.orders.json
	@for service in $(SERVICES); do \
	  $(BIN)/python -m $${service}_service openapi > docs/reference/openapi/$$service-service.json; done
	@$(BIN)/python -m deploy_checks.generated
	@$(BIN)/python -m deploy_tools.routes
	@$(BIN)/python tests/authorization.py > docs/reference/authorization.md
	@{ $(BIN)/python -m shared_runtime.reference; for service in $(SERVICES); do \
	  $(BIN)/python -m $${service}_service commands; done; } > docs/reference/commands.md

clients: setup  ## clients for Python and TypeScript, from the OpenAPI documents, into dist/clients
	@$(BIN)/python -m deploy_tools.clients

clean:  ## remove the environment, the local stack's data and every cache of the tools
	@if [ -x $(BIN)/aftersales ]; then $(BIN)/aftersales stack clean; fi
	rm -rf .venv .stack dist/clients .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

lock: setup  ## resolve the dependencies anew into the lock files: hashes, no addresses
	$(BIN)/uv lock --quiet --upgrade --python 3.13
	$(BIN)/python -m deploy_tools.cache --lock
	$(EXPORT) --output-file requirements.lock > /dev/null
	$(EXPORT) --no-dev --prune local-stack --prune shared-cli --prune deploy-checks \
	  --prune deploy-tools --prune deploy-cluster \
	  --output-file deploy/images/requirements.lock > /dev/null
	$(EXPORT) --only-group image --output-file deploy/images/build.lock > /dev/null
	$(EXPORT) --only-group deploy --output-file deploy/tools.lock > /dev/null
	@! grep -nE '(index-url|find-links|://)' requirements.lock deploy/*.lock deploy/images/*.lock
