# `make lab` and `make test` are all a newcomer needs; both install what is missing first, and nothing twice.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Tests start the daemon hundreds of times: with its bytecode kept, each start takes two thirds of the processor time.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ARGS ?=

.PHONY: help setup lab guest test test-all test-appliance image bench fuzz check format clean

help:
	@echo "make lab        the virtual data centre, until Ctrl-C       (ARGS='--check' runs the main job by itself)"
	@echo "make guest      a shell in the guest of tests/guest/        (ARGS=FILE runs the tests of a file in it)"
	@echo "make test       the tests that gate a change                make test-all   every test"
	@echo "make test-appliance    the acceptance test of the flashed image, part of test-all"
	@echo "make check      lint and types                              make bench      the benchmark table"
	@echo "make setup      install what is missing                     make fuzz       ten million broken packets a protocol"
	@echo "make image      the appliance's disk image                  (ARGS='--twice' builds it twice and compares)"

# Debian packages are installed once, as root or through sudo; without either, the command to run is printed.
setup: $(VENV)/.installed node_modules/.installed
	@true

.PHONY: packages
packages:
	@./setup-packages

$(VENV)/.installed: pyproject.toml setup-packages | packages
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the Python packages ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,probe,vms]'
	@touch $@

node_modules/.installed: package.json package-lock.json appliance/web/assets.py | packages $(VENV)/.installed
	@echo "Installing the console's assets ..."
	@npm ci --silent --no-audit --no-fund
	@$(BIN)/python -m appliance.web.assets
	@touch $@

lab: setup
	@$(BIN)/qrm lab $(ARGS)

guest: setup
	@$(BIN)/python -m tests.guest $(ARGS)

# Long files begin first (tests/conftest.py orders them), so that no core is idle at the end. Most tests wait for programs
# that they started: one process more than there are cores keeps all of them busy.
# A process that dies of a test is told with the name of the test, and is not begun anew for ever.
PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder --max-worker-restart 1
TESTS := $(PYTEST) -n $(shell echo $$(($$(nproc) + 1)))
# Virtual machines keep every core busy, so they come after what measures time; status 5 is "none chosen by ARGS".
VM_TESTS := $(PYTEST) -n $(shell nproc)
# Where ARGS names none, their files are named: to read all others would take as long as one of their tests.
VM_FILES := $(if $(findstring tests,$(ARGS)),,$(shell grep -rlE 'mark\.vm\b' --include='test_*.py' tests) tests/guest)

test: setup
	@$(CHECK) $(VENV)/.collected
	@$(TESTS) -m 'not vm and not slow' $(ARGS) || [ $$? = 5 ]
	@$(VM_TESTS) -m 'vm and not slow' $(VM_FILES) $(ARGS) || [ $$? = 5 ]

test-all: setup
	@$(CHECK) $(VENV)/.collected
	@$(TESTS) -m 'not vm' $(ARGS) || [ $$? = 5 ]
	@$(VM_TESTS) -m vm $(VM_FILES) $(ARGS) || [ $$? = 5 ]

# The flashed image in virtual machines, with bare machines beside it: set-up, updates, restore, trouble.
test-appliance: setup
	@$(VM_TESTS) -m vm tests/appliance $(ARGS)

# Prints the directory of the image; the seconds of each phase and the sizes come on stderr.
image: setup
	@$(BIN)/python image-builder/build appliance $(ARGS)

bench: setup
	@$(BIN)/python -m tests.benchmarks $(ARGS)

fuzz: setup
	@$(BIN)/python -m tests.fuzz $(ARGS)

CHECK := $(MAKE) --no-print-directory --jobs=2 --output-sync style types rules

check: setup
	@$(CHECK)

.PHONY: style types rules
style:
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .

types:
	@$(BIN)/mypy

rules:
	@$(BIN)/python -m pytest -q tests/test_architecture.py

# Every process of `make test` reads all tests. In a fresh checkout one compiles them for all, while types are checked.
$(VENV)/.collected:
	@said=$$($(BIN)/python -m pytest -q --collect-only -p no:cacheprovider 2>&1) || { echo "$$said"; exit 1; }
	@touch $@

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

clean:
	rm -rf $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
