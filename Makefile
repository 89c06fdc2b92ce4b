# Two commands need nothing but Python 3.11+, git and make:  make run   make test
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
INPUTS := setup.cfg pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help run test lint check format bench bench-transfers bench-service bench-outages clean

help: ## show what there is
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

run: $(VENV)/.installed ## install, then record a real workflow on the configured database (default: SQLite)
	@$(BIN)/diglot quickstart

test: $(VENV)/.installed-test ## the whole suite, in parallel, on SQLite and PostgreSQL (COVERAGE=1 measures it)
	@$(BIN)/python -m tests.run $(if $(COVERAGE),--coverage) $(ARGS)

lint: $(VENV)/.installed-lint ## ruff, mypy --strict, import-linter, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/diglot generate --check
	$(BIN)/sqlfluff lint queries/postgres queries/vectors/postgres migrations/postgres pkg/diglot/schema/postgres pkg/diglot/ops/postgres --dialect postgres
	$(BIN)/sqlfluff lint queries/sqlite migrations/sqlite pkg/diglot/schema/sqlite pkg/diglot/ops/sqlite --dialect sqlite

check: $(VENV)/.installed-check ## both SQL trees are one data layer: diglot check on new databases (ARGS="--format github" …)
	@$(BIN)/diglot check $(ARGS)

format: $(VENV)/.installed-lint ## let ruff format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-test ## hand-written driver code, Diglot, SQLAlchemy Core and ORM, side by side
	@$(BIN)/python -m benchmarks $(ARGS)
	@test -n '$(ARGS)' || $(BIN)/python -m benchmarks.transfers

bench-transfers: $(VENV)/.installed-test ## copies, backups and exports beside COPY, SQLite's own backup and pg_dump
	@$(BIN)/python -m benchmarks.transfers $(ARGS)

bench-service: $(VENV)/.installed-test ## load on the service, on both databases, with wrk (apt-get install wrk); 2 minutes
	@$(BIN)/python -m benchmarks.service $(ARGS)

bench-outages: $(VENV)/.installed-test ## PostgreSQL stopped, killed and started under load: how the service bears it
	@$(BIN)/python -m benchmarks.outages $(ARGS)

clean: ## remove what was installed and built (databases stay)
	rm -rf $(VENV) build dist pkg/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python $(INPUTS)
	@echo "installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.installed-check: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[check]'
	@touch $@

$(VENV)/.installed-lint: $(VENV)/.installed-test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[lint,test]'
	@touch $@
