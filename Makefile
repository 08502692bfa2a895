# make study                the default study and its book, from nothing
# make study STUDY=smoke    another study of studies/
# make help                 everything else

STUDY ?= quick
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)

BIN := .venv/bin
INSTALLED := .venv/installed
# For what Snakemake starts. Recipes name their programs whole: the make of macOS looks for them where
# the PATH of its own start says.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# The user of a container may have no name, which Snakemake asks for, and no home folder, in which
# Jupyter, Snakemake and others keep files.
USER ?= $(shell id -u)
export USER
ifneq ($(shell test -w "$$HOME" && echo writable),writable)
export HOME := $(CURDIR)/.home
endif

# Tests of one file run one after another, in one process.
WORKERS = --numprocesses $(CORES) --dist loadfile
SNAKEMAKE = $(BIN)/snakemake --profile profiles/local --cores $(CORES) --config study=$(STUDY)
BOOK = _build/html/index.html

.DEFAULT_GOAL := help
.PHONY: help setup study plan book screenshot freeze lint test test-all audit clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|'

setup: $(INSTALLED) ## create .venv with the pinned packages (the others do this by themselves)

# The stamp is written last: an interrupted installation starts again.
$(INSTALLED): requirements.txt pyproject.toml
	@echo "Setting up .venv (once, and again when requirements.txt or pyproject.toml change)"
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("factmix needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; name another: make $(MAKECMDGOALS) PYTHON=python3.12")'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

study: $(INSTALLED) ## run a study (STUDY=quick) and build its book
	@$(SNAKEMAKE)
	@echo "The book: $(CURDIR)/$(BOOK)"

plan: $(INSTALLED) ## show what `make study` would run, and why
	@$(SNAKEMAKE) --dry-run --quiet host
	@echo "At most these: an arm whose drawn data come out the same is not trained again."

book: $(INSTALLED) ## build the book from the committed results and the runs there are
	$(BIN)/jupyter-book build book/ --path-output . -W --keep-going -n
	@echo "The book: $(CURDIR)/$(BOOK)"

screenshot: book ## take the picture of the book that the README shows (needs Chromium)
	$(BIN)/python tests/screenshot.py

freeze: $(INSTALLED) ## copy the small results of a study (STUDY=quick) to results/
	$(BIN)/factmix freeze $(STUDY)

lint: $(INSTALLED) ## check style, types and dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry lib book/_ext benchmarks tests

test: lint ## lint, and run the tests that cover every module
	$(BIN)/pytest -m "not slow" $(WORKERS)

test-all: test ## run the slow tests too
	$(BIN)/pytest -m slow $(WORKERS)

audit: $(INSTALLED) ## ask pypi.org for known vulnerabilities of the pinned packages
	test -x .venv/audit/bin/pip-audit || ($(BIN)/python -m venv .venv/audit && .venv/audit/bin/pip install --quiet pip-audit)
	.venv/audit/bin/pip-audit --requirement requirements.txt --no-deps --disable-pip --strict

clean: ## remove the built book and caches; runs/ and .venv stay
	rm -rf _build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@echo "Kept: runs/ (hours of training) and .venv; remove them by hand."
