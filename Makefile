# Two commands for a fresh machine: `make run` and `make test`. Each installs what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY_TO_RUN := $(VENV)/.run
READY_TO_DEV := $(VENV)/.dev
READY_TO_TEST := $(VENV)/.test
TOOLS := .venv-tools
KILLS ?= 200
BENCH ?=
EXAMPLES ?= 1000
REPORTS_PORT ?= 3001
export DAGSTER_HOME ?= $(CURDIR)/.dagster
# For a DAGSTER_HOME whose dagster.yaml does not say so.
export DAGSTER_DISABLE_TELEMETRY ?= yes
# uv leaves compiling to the first import; without the compiled files each command takes twice as long.
export PYTHONDONTWRITEBYTECODE :=

ifneq ($(origin PYTHON),file)
MADE_WITH := $(shell test -x $(BIN)/python && test "$$($(PYTHON) -V)" != "$$($(BIN)/python -V)" && $(BIN)/python -V)
ifneq ($(MADE_WITH),)
$(error $(VENV) was made with $(MADE_WITH); to make it with $(PYTHON), first remove it: rm -rf $(VENV))
endif
endif

.DEFAULT_GOAL := help
.PHONY: help setup run test coverage test-integration screenshots chaos fuzz bench check check-infra audit lock format dev clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# What is installed, by the marks that scripts/environment leaves; again only when one of these files has changed.
$(READY_TO_RUN) $(READY_TO_DEV) $(READY_TO_TEST): pyproject.toml $(wildcard requirements/*.txt) scripts/environment
	@PYTHON="$(PYTHON)" scripts/environment $(patsubst $(VENV)/.%,%,$@)

$(TOOLS)/%/.ready: requirements/%.txt
	@PYTHON="$(PYTHON)" scripts/environment tool $*

setup: $(READY_TO_TEST) ## Make .venv with everything in it

run: $(READY_TO_RUN) ## Run the whole lake, on the embedded sample unless NEQUI_LAKE_SOURCE says otherwise
	@$(BIN)/nequi-lake run

test: $(READY_TO_TEST) ## Run every test that needs nothing but Python packages
	$(BIN)/pytest --numprocesses auto --dist loadfile

coverage: $(READY_TO_TEST) ## Run the same tests and measure what they cover, in more than twice the time
	$(BIN)/pytest --numprocesses auto --dist loadfile --cov --cov-report=term

test-integration: $(READY_TO_TEST) $(TOOLS)/airflow/.ready $(TOOLS)/dbt/.ready ## Run the tests that need Debian's packages: real servers of S3 and PostgreSQL, a browser
	scripts/chromium install
	$(BIN)/pytest -m browser
	$(BIN)/pytest -m long
	scripts/postgres install
	scripts/postgres start
	eval "$$(scripts/postgres env)" && $(BIN)/pytest -m postgres; status=$$?; scripts/postgres stop; exit $$status
	scripts/radosgw install
	scripts/radosgw start
	eval "$$(scripts/radosgw env)" && export NEQUI_TEST_BUCKET_SERVER=1 \
		&& $(BIN)/python -m nequi_lake_tests.chaos --bucket --kills 10 --each 10 && $(BIN)/pytest -m bucket; \
		status=$$?; scripts/radosgw stop; exit $$status

screenshots: $(READY_TO_TEST) ## Make the pictures in docs/img again, of the sample lake
	scripts/chromium install
	$(BIN)/python -m nequi_lake_tests.browser

chaos: $(READY_TO_TEST) ## Kill runs and harm the lake while others read it: make chaos KILLS=200, and BUCKET=1 for a lake in a bucket
	$(BIN)/python -m nequi_lake_tests.chaos --kills $(KILLS) $(if $(BUCKET),--bucket)

fuzz: $(READY_TO_TEST) ## Read odd and damaged raw files of each kind at random: make fuzz EXAMPLES=1000
	$(BIN)/python -m nequi_lake_tests.fuzz --examples $(EXAMPLES)

bench: $(READY_TO_TEST) ## Measure the lake beside what one would otherwise pick, about half an hour: make bench BENCH="--only write"
	$(BIN)/python -m benchmarks $(BENCH)

check: $(READY_TO_TEST) ## Lint, format, types, imports, workflows, templates of AWS
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry .
	$(BIN)/zizmor --offline --quiet --min-severity medium .github/workflows
	$(BIN)/dagster definitions validate -w workspace.yaml
	@$(MAKE) --no-print-directory check-infra

# It asks nobody for anything: without the option it looks for its maker's server.
check-infra: $(TOOLS)/checkov/.ready ## Look at the templates of AWS and at the Dockerfile; a part of check
	$(TOOLS)/checkov/bin/checkov --skip-download --quiet --compact --framework cloudformation dockerfile \
		--file infra/lake.yaml infra/service.yaml Dockerfile

audit: $(TOOLS)/pip-audit/.ready ## Ask the registry for known vulnerabilities of what is installed
	@status=0; for file in requirements/*.txt; do echo "$$file"; \
		$(TOOLS)/pip-audit/bin/pip-audit --require-hashes --disable-pip --requirement $$file || status=1; \
	done; exit $$status

lock: $(READY_TO_TEST) ## Write requirements/ after a change of dependencies; make lock UPGRADE=1 for newer versions
	$(BIN)/python scripts/lock.py $(if $(UPGRADE),--upgrade)

format: $(READY_TO_TEST) ## Format, and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dev: $(READY_TO_DEV) ## Open the Dagster UI on http://localhost:3000, which links to the reports on port 3001
	@$(BIN)/nequi-lake serve --port $(REPORTS_PORT) & reports=$$!; trap 'kill $$reports 2>/dev/null' EXIT INT TERM; \
		NEQUI_LAKE_REPORTS_URL=http://localhost:$(REPORTS_PORT) $(BIN)/dagster dev -w workspace.yaml

clean: ## Remove what tools left; the lake and the environment stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
