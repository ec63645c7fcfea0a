# Everything hangs off this file. Each target makes the environment it needs, in .venv.

SHELL := /bin/bash
ARGS ?=
SUITE ?= hotpath
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: help install demo test lint format soak bench schemas lock clean

help:           ## say what the targets do
	@grep -E '^[a-z]+: .*##|^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: .venv/.installed  ## make .venv with everything pinned in requirements.lock

.venv/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Trunkline needs Python 3.11 or 3.12 on the PATH, or make PYTHON=/path/to/it"; exit 1; }
	@echo "installing into .venv with $(PYTHON)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: install   ## start everything, break an AI agent under load, check the run (ARGS=--keep leaves it running)
	@$(BIN)/trunkline demo --data build $(ARGS)

test: install   ## every test but the long ones; those that kill have the machine to themselves, first
	@$(BIN)/pytest -m "chaos and not soak" $(ARGS)
	@$(BIN)/pytest -n 3 --dist loadgroup -m "not chaos and not soak" $(ARGS)

lint: install   ## ruff, mypy and import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

soak: install   ## long chaos runs
	@$(BIN)/pytest -m soak --timeout 3600 -s $(ARGS)

bench: install  ## measure the hot path beside its peers (SUITE=hotpath|latency|scale|kill|decide|classifier|quality|sessions|redaction|health|spillover|staffing, ARGS=--quick)
	@$(BIN)/python -m bench $(SUITE) $(ARGS)

schemas: install ## write schemas/avro and schemas/released.jsonl from the event types
	@$(BIN)/python -m schemas.avro_schema
	@$(BIN)/python -m schemas.released

lock: install   ## pin the newest releases, with hashes
	@$(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 --extra embedded --group dev --group bench --upgrade \
		--quiet --output-file requirements.lock pyproject.toml

clean:          ## remove what the targets made
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
