# Two commands are all one needs: `make quickstart` and `make test`. Both repeat safely and then start at once.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform linux --no-emit-index-url --no-header --no-annotate pyproject.toml
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: quickstart test test-slow coverage lint docs audit secrets lock hooks clean

quickstart: $(VENV)/.ready
	$(BIN)/locbench quickstart

test: $(VENV)/.ready-dev lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -m slow --timeout 3600

coverage: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" --cov --cov-report=term-missing:skip-covered

lint: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell bench detectors sweeps tests docs README.md CONTRIBUTING.md
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: $(VENV)/.ready-dev
	$(BIN)/mkdocs build --strict

audit: $(VENV)/.ready-dev
	$(BIN)/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r requirements.lock -r deploy/mlflow/requirements.lock

secrets: $(VENV)/.ready-dev
	git ls-files -z | xargs -0 $(BIN)/detect-secrets-hook --no-verify --exclude-secrets '^locbench-mlflow$$'

lock: $(VENV)/.ready-dev
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) --upgrade --all-extras -o requirements-dev.lock
	$(COMPILE) --extra timm --extra optuna --extra nvml -c requirements-dev.lock -o requirements.lock
	$(subst pyproject.toml,deploy/mlflow/requirements.in,$(COMPILE)) -c requirements-dev.lock -o deploy/mlflow/requirements.lock

hooks: $(VENV)/.ready-dev
	$(BIN)/pre-commit install

clean:
	rm -rf $(VENV) runs site

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "locbench needs Python 3.11 or newer; set PYTHON=/path/to/it" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	$(BIN)/python -m pip install --quiet -r requirements-dev.lock
	@touch $@
