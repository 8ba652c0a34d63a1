# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv first,
# with uv where it is installed, else with plain venv and pip, and from the same lock.

PYTHON ?= python3
VENV ?= .venv
# Test processes; with 0 the tests run in one, where a debugger can stop them.
WORKERS ?= 2
# More for pytest, as in: make test ARGS="-k timer"
ARGS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# By file, since the examples of one document build on each other.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

# uv finds a fitting Python by itself, so it is told one only if somebody chose it.
UV := $(shell command -v uv)
UV_PYTHON := $(if $(filter file,$(origin PYTHON)),,--python $(PYTHON))

.PHONY: help demo test slow check format coverage lock lock-check setup

help: ## say what can be made
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 18

demo: $(STAMP) ## run four journeys over a year of real shopping, and write its report
	$(BIN)/journeykit demo

test: $(STAMP) ## run the everyday tests, the docs and the architecture among them
	$(PYTEST)

slow: $(STAMP) ## run the tests that take minutes
	$(PYTEST) -m slow

check: $(STAMP) ## check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## write what `make check` wants to see
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(STAMP) ## show which lines the everyday tests never run
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage report --skip-covered --show-missing

# pip refuses hashes beside an editable `-e .`, so they are in uv.lock only.
define EXPORT
{ echo '# Written by `make lock` from uv.lock, for pip.'; \
  $(BIN)/uv export --quiet --frozen --no-hashes --no-annotate --no-header; }
endef

lock: $(STAMP) ## resolve again after a change of dependencies
	$(BIN)/uv lock
	$(EXPORT) > requirements-dev.txt

lock-check: $(STAMP) ## fail if pyproject.toml, uv.lock and requirements-dev.txt disagree
	$(BIN)/uv lock --check
	$(EXPORT) | diff requirements-dev.txt -

setup: $(STAMP) ## only install what is locked

$(STAMP): pyproject.toml uv.lock requirements-dev.txt $(wildcard handlers/pyproject.toml plugins/*/pyproject.toml)
ifdef UV
	@echo 'Setting up $(VENV) with uv.'
	UV_PROJECT_ENVIRONMENT=$(VENV) uv sync --frozen $(UV_PYTHON)
else
	@$(PYTHON) -c 'import sys; sys.exit("journeykit needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Name another, as in: make $(MAKECMDGOALS) PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo 'Setting up $(VENV) with venv and pip; the first time takes a minute or two.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
endif
	@touch $@
