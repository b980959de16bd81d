# What a person types. Needs: Python 3.11 or newer, git, make, and a network for the first `make setup`.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup venv el dbt docs test test-mariadb soak check up down reset ps activity lock reference conformance conformance-mysql bench-local-redshift bench-extract bench-archive test-dbt-adapter

BIN := .venv/bin
# An account's own servers if there is a .env, else the local stack.
ENV := $(if $(wildcard .env),./.env,.local/env)
READY := $(if $(wildcard .env),venv,setup)
WITH_ENV := set -a && . $(ENV) && set +a &&
SCALE ?= 1
# The tests whose outcome hangs on the MySQL server.
ON_BOTH := tests/cases tests/boundary tests/conformance_mysql \
	$(addprefix tests/archive/test_,$(addsuffix .py, \
	delete json pace restore rights round_trip rows run server_settings sizes verify writers)) \
	$(addprefix tests/property/test_,$(addsuffix .py,chunks schemas values)) \
	tests/crash/test_kill.py tests/crash/test_archive.py $(addprefix tests/integration/test_,$(addsuffix .py, \
	archived clinic cursors extract init kindness merge proxies reading replica rights server_settings tls window writers))

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv from the lock; install MariaDB and PostgreSQL if they are missing
	@sh local/setup.sh

venv:
	@sh local/setup.sh without-servers

up: setup ## Start the local stack: MySQL, S3, Redshift on loopback
	@$(BIN)/python -m local.stack up

down: ## Stop the local stack; S3 forgets its objects, the databases keep their data
	@test ! -x $(BIN)/python || $(BIN)/python -m local.stack down

reset: ## Stop the local stack and delete its data
	@test ! -x $(BIN)/python || $(BIN)/python -m local.stack reset

ps: ## Show the servers of the local stack
	@$(BIN)/python -m local.stack ps

el: $(READY) ## Move what changed: MySQL → S3 → Redshift (local stack, or the servers in .env)
ifeq ($(ENV),.local/env)
	@$(BIN)/python -m local.stack up
	@$(WITH_ENV) $(BIN)/python -m local.clinic create --scale $(SCALE)
endif
	@$(WITH_ENV) $(BIN)/el run

activity: up ## Change the demo source as a live application would
	@. .local/env && $(BIN)/python -m local.clinic activity

dbt: $(READY) ## Build the reporting tables in schema staging, and test them
ifeq ($(ENV),.local/env)
	@$(BIN)/python -m local.stack up
endif
	@$(WITH_ENV) $(BIN)/dbt build

docs: $(READY) ## Write the docs site as one file and print its path
ifeq ($(ENV),.local/env)
	@$(BIN)/python -m local.stack up
endif
	@$(WITH_ENV) $(BIN)/dbt docs generate --static --quiet
	@echo "docs site: $(CURDIR)/target/static_index.html"

test: setup ## Run the tests on MySQL (fetched if it is missing; where it cannot be had, on MariaDB, which the last line says)
	@$(BIN)/pytest -n $${TEST_WORKERS:-4} --dist worksteal

test-mariadb: setup ## Run on MariaDB what talks to MySQL
	@TEST_MYSQL=mariadb $(BIN)/pytest -n $${TEST_WORKERS:-4} --dist worksteal $(ON_BOTH)

soak: setup ## The tests of many minutes: writers beside el, the whole crash matrix
	@$(BIN)/pytest -m long -n $${TEST_WORKERS:-2} --dist worksteal

test-dbt-adapter: setup ## dbt's own adapter suite against a local Redshift of its own; make test runs a part of it
	@$(BIN)/pytest tests/dbt_adapter -n $${TEST_WORKERS:-2} --dist loadscope -W ignore

conformance: setup ## The table of SQL cases against any server: DSN="host=… port=5439 user=… dbname=…" (PGPASSWORD)
	@$(BIN)/python -m tests.conformance "$(DSN)"

conformance-mysql: setup ## The facts that el relies on against any MySQL: URL=mysql://user:password@host:port/
	@$(BIN)/python -m tests.conformance_mysql "$(URL)"

bench-local-redshift: setup ## Memory and rate of a large COPY into the local Redshift, beside psql; writes bench/results
	@$(BIN)/python -m bench.local_redshift_copy

bench-extract: up ## Rate and memory of extract beside other readers; writes bench/results. Its peers get .venv-bench
	@test -x .venv-bench/bin/python || $(BIN)/python -m venv .venv-bench
	@$(BIN)/uv pip sync --quiet --python .venv-bench/bin/python --require-hashes bench/requirements.lock
	@. .local/env && $(BIN)/python -m bench.extract $(BENCH)

bench-archive: up ## Rate and memory of el-archive beside pt-archiver (package percona-toolkit); writes bench/results
	@. .local/env && $(BIN)/python -m bench.archive $(BENCH)

check: setup ## Linters, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar models tests/dbt
	@$(BIN)/python docs/generate.py --check

lock: setup ## Resolve the three locks anew: everything, what the image gets, what the benchmarks need
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header \
		--upgrade --quiet --group dev pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header \
		--upgrade --quiet --constraint requirements.lock pyproject.toml -o deploy/requirements.lock
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header \
		--upgrade --quiet --constraint requirements.lock bench/requirements.in -o bench/requirements.lock

reference: setup ## Write the generated pages of docs/reference anew
	@$(BIN)/python docs/generate.py
