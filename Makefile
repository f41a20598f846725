# SPDX-License-Identifier: Apache-2.0
# demo, test, check: everything a change must pass. `make` alone lists the targets.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One resolver run with the pins: torch is asked for by exact version, so no second torch is ever downloaded.
INSTALL := PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(PIP) install --quiet "torch==2.13.0"
# One thread a process: two test processes would otherwise fight for the cores.
SERIAL := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
JOBS ?= 2

.PHONY: help demo test test-ranks check docs format clean fuzz test-models mutations bench

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

# Named after the two files that decide what is installed; a change of either installs again.
STAMP := $(shell cat pyproject.toml constraints.txt | cksum | cut -d ' ' -f 1)
EXAMPLES := .venv/.examples-$(STAMP)
DEVELOP := .venv/.develop-$(STAMP)

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(EXAMPLES): | $(BIN)/python
	@echo "installing the package with what the examples need (first time: a few minutes)"
	$(INSTALL) -e ".[examples]"
	@rm -f .venv/.examples-* && touch $@

$(DEVELOP): | $(BIN)/python
	@echo "installing the package with what tests and checks need (first time: a few minutes)"
	$(INSTALL) -e ".[examples,test,docs,dev]"
	@rm -f .venv/.develop-* .venv/.examples-* && touch $@ $(EXAMPLES)

demo: $(EXAMPLES)  ## train the digits example: broken, hidden, repaired, and with a metric routed
	$(BIN)/python examples/digits.py
	$(BIN)/python examples/routing.py

test: $(DEVELOP)  ## run all tests and the doctests of the package
	$(SERIAL) $(BIN)/python -m pytest -n $(JOBS) -m "not ranks and not models"

test-ranks: $(DEVELOP)  ## run the whole table of strategies and failures in two processes
	$(SERIAL) $(BIN)/python -m pytest -m ranks tests

# With a number and a start, another part: `make fuzz PROGRAMS=500 FIRST=100000`.
PROGRAMS ?= 20000
FIRST ?= 0

fuzz: $(DEVELOP)  ## compare guard and autograd on 20,000 random programs
	$(SERIAL) $(BIN)/python tests/fuzz/runner.py $(PROGRAMS) $(FIRST)

MODELS := .venv/.models-$(STAMP)

$(MODELS): | $(DEVELOP)
	$(INSTALL) -e ".[examples,test,dev,models]"
	@rm -f .venv/.models-* && touch $@

test-models: $(MODELS)  ## train models of other libraries under the guard
	$(SERIAL) $(BIN)/python -m pytest tests/test_models.py

mutations: $(MODELS)  ## put faults into healthy trainings and write docs/accuracy.md
	$(SERIAL) $(BIN)/python benchmarks/mutations.py --foreign

bench: $(DEVELOP)  ## measure the cost of the guard and write it into README and documentation
	$(SERIAL) $(BIN)/python benchmarks/overhead.py
	$(SERIAL) $(BIN)/python benchmarks/trace.py
	$(SERIAL) $(BIN)/python benchmarks/growth.py
	$(SERIAL) $(BIN)/python benchmarks/startup.py
	$(SERIAL) $(BIN)/python benchmarks/routing.py
	$(BIN)/python benchmarks/tables.py

check: $(DEVELOP)  ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(DEVELOP)  ## write the generated pages and build the site into site/
	$(BIN)/gradguard docs
	$(BIN)/python docs/mkdocs/api.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet -f docs/mkdocs/mkdocs.yml

format: $(DEVELOP)  ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

clean:  ## remove caches and logs, keep the environment
	rm -rf build dist site logs lightning_logs .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
