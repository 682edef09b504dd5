# `make demo`, `make test`, `make local-up`, `make local-down`: each installs what it needs first.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
LOCAL := .local
BIN := .venv/bin
UV ?= uv
NODE_TOOLS := $(LOCAL)/installed-node
CLOUD := $(LOCAL)/venv-cloud
RUNTIME := $(LOCAL)/venv-runtime
INSTALLED := $(LOCAL)/installed-python $(LOCAL)/installed-cloud $(LOCAL)/installed-runtime $(NODE_TOOLS)
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: help install demo test unit bench lint local-up local-down lock pictures clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

install: $(INSTALLED) ## install everything that the other targets need

$(LOCAL)/prerequisites:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' \
	  || { echo "Node 20 or newer is needed (https://nodejs.org)" >&2; exit 1; }
	@mkdir -p $(LOCAL) && touch $@

$(LOCAL)/installed-python: requirements-dev.txt pyproject.toml | $(LOCAL)/prerequisites
	@echo "installing the connector's Python packages into .venv (the largest step, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP_INSTALL) -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(LOCAL)/installed-cloud: local/cloud/requirements.txt | $(LOCAL)/prerequisites
	@echo "installing the embedded AWS into $(CLOUD)"
	@$(PYTHON) -m venv $(CLOUD)
	@$(CLOUD)/bin/python $(PIP_INSTALL) -r $<
	@touch $@

$(LOCAL)/installed-runtime: local/cloud/runtime-requirements.txt | $(LOCAL)/prerequisites
	@echo "installing the Lambda runtime client into $(RUNTIME)"
	@$(PYTHON) -m venv $(RUNTIME)
	@$(RUNTIME)/bin/python $(PIP_INSTALL) -r $<
	@touch $@

$(NODE_TOOLS): package-lock.json | $(LOCAL)/prerequisites
	@echo "installing the CDK CLI into node_modules"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: install ## deploy into an embedded AWS and show the connector at work
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m local.demo

test: install lint ## run every test
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist loadfile

unit: install ## run only the tests that need no socket
	@$(BIN)/python -m pytest test/unit

bench: install ## measure speed and memory beside simpler ways (half an hour; try it with ARGS=--quick)
	@$(BIN)/python -m bench $(ARGS)

lint: install ## ruff, mypy --strict and the import contracts
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

local-up: install ## leave the connector running on this machine, and say how to use it
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m local.cloud up

local-down: install ## stop what local-up started
	@$(BIN)/python -m local.cloud down

pictures: $(NODE_TOOLS) ## draw imgs/*.svg from their sources
	@for source in imgs/*.dot; do node_modules/.bin/wasm-graphviz-cli -T svg $$source > $${source%.dot}.svg; done

lock: ## lock the requirements of pyproject.toml with hashes (needs uv)
	@$(LOCK) pyproject.toml -o requirements.txt
	@$(LOCK) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	@$(LOCK) --group lambda -c requirements.txt -o lambdas/requirements.txt
	@$(LOCK) --group cloud -o local/cloud/requirements.txt
	@$(LOCK) --group runtime -o local/cloud/runtime-requirements.txt

clean: ## remove everything that was installed or built
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m local.cloud down; fi
	@rm -rf .venv .local build cdk.out node_modules
