# Everything happens in .venv, made by the first target that needs it. Choose the interpreter with: make PYTHON=/path/to/python3 test
PYTHON ?=
BIN := .venv/bin
# A file of tests is one worker's, so that what the file shares is made once.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile
INSTALL := $(BIN)/python -m pip install -qq -c constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# pip refuses to touch anything outside .venv, whatever state .venv is in.
export PIP_REQUIRE_VIRTUALENV = 1

.DEFAULT_GOAL := help
.PHONY: help scan test test-all check mutants bench clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

scan: .venv/core ## attack the reference models and the agents built on them, and write a report to runs/scan
	$(BIN)/hartley scan --budget quick --out runs/scan

test: check ## check, then all tests but the slow ones
	$(PYTEST)

test-all: check ## check, then all tests
	$(PYTEST) -m "slow or not slow"

check: .venv/dev ## lint, format and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

mutants: .venv/mutants ## change what makes a number honest, a line at a time: the tests must notice 85% (about half an hour)
	$(BIN)/python tools/mutants

bench: .venv/bench ## the measures and PGD beside other libraries, in one run each
	$(BIN)/python benchmarks/measures.py
	$(BIN)/python benchmarks/pgd.py

clean: ## remove .venv and what the tools left; runs/ stays
	rm -rf .venv mutants .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp files are newer than what decides the install, so a changed pin installs again.
.venv/core: pyproject.toml constraints.txt
	@set -e; found=""; \
	for python in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$python"; break; fi; \
		if [ -n "$(PYTHON)" ]; then echo "hartley: PYTHON=$(PYTHON) is no Python 3.11 or newer" >&2; exit 1; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "hartley: needs Python 3.11 or newer; found none of python3.11, python3.12, python3.13, python3. Set PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "installing into .venv with $$("$$found" --version) (torch is large; this happens once)"; \
	$(BIN)/python -c 'import sys, pip; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null || "$$found" -m venv --clear .venv
	@$(INSTALL) setuptools
	@$(INSTALL) --no-build-isolation -e ".[models]"
	@touch $@

.venv/dev: .venv/core
	@$(INSTALL) --no-build-isolation -e ".[models,memory,index,endpoint,dev]"
	@touch $@

.venv/mutants: .venv/dev
	@$(INSTALL) --no-build-isolation -e ".[models,memory,index,endpoint,dev,mutants]"
	@touch $@

# torchattacks pins a version of requests that is years old and asks for torchvision; the attacks themselves need neither.
.venv/bench: .venv/core
	@$(INSTALL) --no-build-isolation -e ".[models,index,bench]"
	@$(INSTALL) --no-deps torchattacks
	@touch $@
