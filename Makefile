# Everything that a fresh machine needs: Python 3.11 to 3.13, git, make, and a package index.
PYTHON ?= python3 python3.13 python3.12 python3.11
# the first of them that will do
FOUND = $(shell for p in $(PYTHON); do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PORT ?= 5000
# another build of torch, given to pip as it stands: make setup TORCH="--index-url ADDRESS torch==2.13.0"
TORCH ?=
export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help setup repro test test-shapes test-pipelines test-heavy test-servers test-browser check ui deps lock

help: ## what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## the environment in .venv, from requirements.lock
	@$(BIN)/reprolm doctor

repro: .venv/ready ## the pipeline, end to end (dvc repro)
	dvc repro

test: .venv/ready-dev ## the tests
	pytest

# what checks the annotations cannot be compiled
test-shapes: .venv/ready-dev ## the tests of the model with the shapes in its annotations checked
	pytest tests/model --jaxtyping-packages=reprolm.model,beartype.beartype -p no:xdist -o addopts= -k "not compiled"

test-pipelines: .venv/ready-dev ## every preset, end to end in its smoke size
	pytest tests/pipeline -m heavy

test-heavy: .venv/ready-dev ## the tests that take minutes, those too
	pytest -m heavy

test-servers: .venv/ready-dev ## those with PostgreSQL, an S3 store and an MLflow server with passwords
	pytest tests/servers -m servers -n 0

test-browser: .venv/ready-dev ## those that look at the pages in Chromium
	pytest tests/browser -m browser -n 0

check: .venv/ready-dev ## style and types
	ruff check
	ruff format --check
	mypy

ui: .venv/ready ## the MLflow pages of this repository, on this machine alone (PORT=5000)
	reprolm ui --port $(PORT)

deps: .venv/ready-dev ## write the code that each stage depends on into dvc.yaml
	python -m tests.architecture.closure

lock: .venv/ready-dev ## resolve requirements.lock, requirements-dev.lock and numerics.lock anew
	$(COMPILE) pyproject.toml --extra dev | sed -n 's/^\(nvidia-[a-z0-9-]*\|cuda-[a-z0-9-]*\|triton\)==.*/--no-emit-package \1/p' >.venv/omitted
	$(COMPILE) pyproject.toml --extra dev $$(cat .venv/omitted) -o requirements-dev.lock >/dev/null
	$(COMPILE) pyproject.toml --constraint requirements-dev.lock $$(cat .venv/omitted) -o requirements.lock >/dev/null
	grep -E '^(ftfy|numpy|regex|safetensors|tokenizers|torch)==' requirements.lock >numerics.lock

# nvidia, cuda and triton are left out: torch's own metadata pins them where its CUDA build is installed
COMPILE = uv pip compile --quiet --upgrade --universal --python-version 3.11 --fork-strategy fewest --no-header --no-annotate

define install
	test -x $(BIN)/pip || $(or $(FOUND),$(error Python 3.11 to 3.13 is needed, and none of these is: $(PYTHON); \
	name one: make $(MAKECMDGOALS) PYTHON=...)) -m venv .venv || { rm -rf .venv; echo "make: $(FOUND) cannot \
	make an environment: install its venv package (Debian: apt install python3-venv)" >&2; exit 1; }
	$(if $(TORCH),$(BIN)/python -m pip install --quiet $(TORCH))
	$(if $(TORCH),grep -v '^torch==' $(1) >.venv/lock.txt,cp $(1) .venv/lock.txt)
	$(BIN)/python -m pip install --quiet --requirement .venv/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
endef

.venv/ready: requirements.lock pyproject.toml
	@echo "Installing into .venv: some minutes the first time"
	@$(call install,requirements.lock)
	@touch $@

.venv/ready-dev: requirements-dev.lock .venv/ready
	@$(call install,requirements-dev.lock)
	@touch $@
