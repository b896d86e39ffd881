# Everything a fresh clone needs: git, make, and Python 3.11 or newer with venv.
# `make help` lists the targets.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
RUN_ID ?= 3DBall

.DEFAULT_GOAL := help
.PHONY: help install train test test-learning test-interop lint format bench proto clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One environment for everything, made again when what it depends on changes. The extras are small
# beside PyTorch, so that training, testing and linting share it.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed; say which with make PYTHON=python3.12 ..."; exit 1; }
	@echo 'Installing into $(VENV); this takes a minute or more, PyTorch being the largest part.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test,lint]'
	@touch $@

install: $(VENV)/installed ## create the virtual environment in .venv

train: install ## train 3DBall, then evaluate the exported model over 100 episodes
	$(BIN)/mlagents-learn config/ppo/3DBall.yaml --env=3DBall --run-id=$(RUN_ID) --force
	$(BIN)/mlagents-evaluate results/$(RUN_ID)/3DBall.onnx --env=3DBall --episodes 100 --deterministic
	@echo "Results: results/$(RUN_ID)   Curves: $(BIN)/tensorboard --logdir results"

test: install ## run the fast test suite
	$(BIN)/python -m pytest

test-learning: install ## run the tests that train for real (minutes)
	$(BIN)/python -m pytest tests/learning -m learning --run-learning

test-interop: install ## run the tests with the original's packages, which it installs into .venv-peer
	$(BIN)/python -m pytest tests/interop --run-interop

lint: install ## check style, docstrings, annotations and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## measure throughput, the original's trainer beside ours
	$(BIN)/python -m benchmarks

# An older generator than the runtime, so that the messages load on every protobuf from 6.31 on.
proto: ## regenerate the protobuf messages from protobuf/
	$(PYTHON) -m venv .venv-proto
	.venv-proto/bin/python -m pip install --quiet grpcio-tools==1.73.1
	.venv-proto/bin/python protobuf/generate.py

clean: ## remove the virtual environments and caches
	rm -rf $(VENV) .venv-peer .venv-proto .mypy_cache .pytest_cache .ruff_cache build
