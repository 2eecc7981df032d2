# `make help` lists the targets. PYTHON names the interpreter for `make setup`: make demo PYTHON=python3.11
PYTHON ?= python3
PY := .venv/bin/python
export PYTHON
# mim needs pkg_resources, and setuptools warns of it in every process that mim runs.
export PYTHONWARNINGS ?= ignore:pkg_resources is deprecated
# Where it is set, every process compiles this package, and every run of the tests all of them, again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo study test test-onedl lint lock format transfer docs bench wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with everything in it (once, about a minute)
	@tools/dev/setup_env.sh

demo: setup ## train and test a SNIPER detector on the embedded sample, with pictures
	@$(PY) tools/misc/demo.py

study: setup ## pre-train, transfer and compare on synthetic data: every table and figure of the paper, in one page
	@$(PY) tools/study/study.py run tools/study/sample.yaml

test: setup ## run the whole test suite
	@$(PY) -m pytest -n auto --dist worksteal

test-onedl: ## run it on OneDL, the maintained fork of OpenMMLab, in .venv-onedl
	@MMDETPRE_HOST=onedl tools/dev/setup_env.sh
	@.venv-onedl/bin/python -m pytest -n auto --dist worksteal

lint: setup ## check style and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

lock: setup ## pin the newest versions that fit requirements/*.txt, with their hashes
	@cd requirements && ../.venv/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header \
		--upgrade runtime.txt tests.txt docs.txt study.txt zoo.txt hub.txt onnx.txt build.txt --output-file lock.txt

format: setup ## rewrite the sources in the house style
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

transfer: setup ## move a backbone through mmdet, mmsegmentation and mmpretrain, on synthetic data
	@$(PY) tools/misc/move_backbone.py

docs: setup ## build the documentation site into build/docs, strictly
	@$(PY) -m sphinx -q -a -W --keep-going -b html docs build/docs && echo "Site: build/docs/index.html"

bench: setup ## measure ours beside the alternatives: one table, 20 minutes on two cores
	@$(PY) benchmarks/bench.py

wheel: setup ## build wheel and source distribution into dist/
	@$(PY) -m build --no-isolation

clean: ## remove what was made here, except .venv and data
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .demo
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
