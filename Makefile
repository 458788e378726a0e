# SPDX-License-Identifier: Apache-2.0
# `make quickstart` and `make test` set up all they need in .venv: a machine with make and Python 3.11 or newer will do.
# The tests also need the programs of PostgreSQL: `make postgres`, which `make test` calls, installs them as root on
# Debian and its relatives, and elsewhere says what to install. Tests start a server of their own from them.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# Which Python makes the environment; `make PYTHON=/path/to/python3 test` names one.
PYTHON :=
CANDIDATES := $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3 python)
JOBS := 4
# What `make bench` runs: those of tests/bench that print something of their own.
PARTS := $(basename $(notdir $(shell grep -l __main__ tests/bench/*.py 2>/dev/null)))

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help quickstart serve test postgres check-format lint types layers dependencies spelling tests deep bench cover format clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

quickstart: $(VENV)/.installed ## See the whole main job on real data, start to end
	@$(BIN)/lakehouse quickstart $(ARGS)

serve: $(VENV)/.installed ## Run a server with its data in .lakehouse
	@$(BIN)/lakehouse serve --data .lakehouse $(ARGS)

test: check-format lint types layers dependencies spelling tests ## Run every check, as the gate does

check-format: $(VENV)/.installed-test
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

layers: $(VENV)/.installed-test
	$(BIN)/lint-imports --no-logo

dependencies: $(VENV)/.installed-test
	$(BIN)/deptry .

spelling: $(VENV)/.installed-test
	$(BIN)/codespell $(wildcard README.md Makefile pyproject.toml docker-compose.yml lakehouse tests docs deploy .ci)

postgres: $(VENV)/.installed-test ## Make sure that PostgreSQL's programs are there, for the tests
	@$(BIN)/python -m tests.postgres install

tests: postgres ## Run the tests alone; ARGS="-k commit" picks some
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup $(ARGS)

deep: postgres ## Real sizes and many rounds: takes a while
	HYPOTHESIS_PROFILE=deep LAKEHOUSE_TEST_ROUNDS=50 $(BIN)/python -m pytest -q -m deep $(ARGS)

bench: $(VENV)/.installed-test ## Measure rates, CPU per operation and latencies
	@for part in $(PARTS); do echo "== $$part"; $(BIN)/python -m tests.bench.$$part $(ARGS) || exit 1; done

cover: postgres ## Run the tests and show which branches they missed
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q $(ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

format: $(VENV)/.installed-test ## Rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*

# A stamp is newer than pyproject.toml exactly when its environment was installed from it to the end.
$(VENV)/.installed: pyproject.toml | $(VENV)/.made
	@echo "Installing lakehouse into $(VENV) (once; a minute or so) ..."
	@$(BIN)/python -m pip install --quiet --editable '.[parquet]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/.made
	@echo "Installing lakehouse and its test tools into $(VENV) (once; a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --editable '.[parquet,test]'
	@touch $@ $(VENV)/.installed

# An environment that is there and works is taken as it is.
$(VENV)/.made:
	@check='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; \
	if $(BIN)/python -c "$$check" >/dev/null 2>&1 && $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    touch $@; exit 0; \
	fi; \
	for candidate in $(CANDIDATES); do \
	    if "$$candidate" -c "$$check" >/dev/null 2>&1; then \
	        "$$candidate" -m venv --clear $(VENV) && touch $@; exit; \
	    fi; \
	done; \
	echo "No Python 3.11 or newer with its venv module was found (tried: $(CANDIDATES))." >&2; \
	echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; Fedora: dnf install python3;" >&2; \
	echo "macOS: brew install python), or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
	exit 1
