# make demo   every verb on the embedded sample
# make test   all tests
# make lint   style, types and the direction of imports
# Each makes .venv when it is not there, with the versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
DEMO := build/demo

.PHONY: demo test lint format constraints clean

demo: .venv/installed
	rm -rf $(DEMO)
	$(BIN)/oidata demo --dataset $(DEMO)

# Files in their own order: by default those with few tests come last, and some of these take longest.
test: .venv/installed
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Newest versions that fit; review the difference before you commit it. What builds the package is installed beside
# it, not apart as usual, so that it is pinned too: hatchling, and editables that it asks for when it is at work.
constraints:
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/pip install --quiet --disable-pip-version-check --upgrade pip hatchling editables
	build/constraints/bin/pip install --quiet --no-build-isolation --check-build-dependencies --editable . --group dev
	build/constraints/bin/pip freeze --all --exclude-editable > constraints.txt

clean:
	rm -rf .venv build

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --build-constraint constraints.txt --editable . --group dev
	touch $@
