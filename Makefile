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
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: help install demo test unit lint local-up local-down lock pictures clean

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
