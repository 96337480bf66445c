# Wattseal: each target sets up what it needs in .venv from the pinned versions, and says what it is doing.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test check bench wheel campaign pins clean
help: ## say what the targets do
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (set PYTHON=...)"; exit 3; }
	@echo "== making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 3; }

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "== installing the pinned run-time packages and wattseal itself"
	@$(PIP) install -r requirements/run.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.run
	@echo "== installing the pinned test packages"
	@$(PIP) install -r requirements/test.txt
	@touch $@

$(VENV)/.check: requirements/check.txt $(VENV)/.run
	@echo "== installing the pinned linters"
	@$(PIP) install -r requirements/check.txt
	@touch $@

demo: $(VENV)/.run ## set up, then run the main job on this machine: make demo ARGS="--headless --seed 7"
	@echo "== the demo"
	@$(BIN)/wattseal demo $(ARGS)

test: $(VENV)/.test ## set up, then run the whole test suite
	@echo "== the tests"
	@$(BIN)/pytest -n 3 --dist worksteal -m "not alone" $(ARGS)
	@echo "== the tests that measure time, one after another"
	@$(BIN)/pytest -m alone $(ARGS) || [ $$? -eq 5 ] # 5: ARGS chose none of them

check: $(VENV)/.check $(VENV)/.test ## ruff, strict mypy, and the test of who may import whom
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy -p wattseal
	@echo "== who may import whom"
	@$(BIN)/pytest -q tests/test_house.py

bench: $(VENV)/.run ## raw path and ours in one run, with a waterfall
	@$(BIN)/python -m wattseal.bridge.bench $(ARGS)

wheel: $(VENV)/.run ## build the wheel and the sdist into dist/
	@$(PIP) install -r requirements/check.txt
	@$(BIN)/python -m build --no-isolation --outdir dist .

pins: ## renew the pinned versions from pyproject.toml
	@requirements/renew

clean: ## remove what the targets made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
