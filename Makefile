# Two commands for a fresh machine: `make run` and `make test`. Each sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
KILLS ?= 200
BENCH ?=
EXAMPLES ?= 5000
export DAGSTER_HOME ?= $(CURDIR)/.dagster

.DEFAULT_GOAL := help
.PHONY: help setup run test test-integration screenshots chaos fuzz bench check format dev clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[ui,aws,kaggle,examples,dev]"
	@touch $@

setup: $(READY) ## Make .venv with everything in it

run: $(READY) ## Run the whole lake, on the embedded sample unless NEQUI_LAKE_SOURCE says otherwise
	@$(BIN)/nequi-lake run

test: $(READY) ## Run every test that needs nothing but Python packages
	$(BIN)/pytest --numprocesses auto --dist loadfile --cov --cov-report=term

test-integration: $(READY) ## Run the tests that need Debian's packages: a real S3 server and a browser
	scripts/chromium install
	$(BIN)/pytest -m browser
	$(BIN)/pytest -m long
	scripts/radosgw install
	scripts/radosgw start
	eval "$$(scripts/radosgw env)" && export NEQUI_LAKE_TEST_BUCKET_SERVER=1 \
		&& $(BIN)/python -m nequi_lake_tests.chaos --bucket --kills 10 --each 10 && $(BIN)/pytest -m bucket; \
		status=$$?; scripts/radosgw stop; exit $$status

screenshots: $(READY) ## Make the pictures in docs/img anew, of the sample lake
	scripts/chromium install
	$(BIN)/python -m nequi_lake_tests.browser

chaos: $(READY) ## Kill runs while others read the lake: make chaos KILLS=200, and BUCKET=1 for a lake in a bucket
	$(BIN)/python -m nequi_lake_tests.chaos --kills $(KILLS) $(if $(BUCKET),--bucket)

fuzz: $(READY) ## Damage raw files at random: make fuzz EXAMPLES=5000
	$(BIN)/python -m nequi_lake_tests.fuzz --examples $(EXAMPLES)

bench: $(READY) ## Measure the lake beside what one would otherwise pick, about half an hour: make bench BENCH="--only write"
	$(BIN)/python -m benchmarks $(BENCH)

check: $(READY) ## Lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dagster definitions validate -w workspace.yaml

format: $(READY) ## Format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dev: $(READY) ## Open the Dagster UI on http://localhost:3000
	$(BIN)/dagster dev -w workspace.yaml

clean: ## Remove what tools left; the lake and the environment stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
