# JoinedUp Hub. `make help` lists what there is.

PYTHON ?= python3
BIN := .venv/bin
# Ours alone: a caller's environment must not leak into the tools.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH
unexport VIRTUAL_ENV

WORKSPACE := . schemas connectors plugins/sdk
PLUGINS := plugins/sdk plugins/families plugins/workforce
PLUGIN_PATH := plugins/families:plugins/workforce
PIP_QUIET := -qq --progress-bar off --no-input
# The distributions of this repository: no dependencies, no network, no build environment of their own.
PIP_LOCAL := $(PIP_QUIET) --no-index --no-deps --no-build-isolation

DEV_STAMP := .venv/.locked
WORKSPACE_STAMP := .venv/.workspace
PLUGINS_STAMP := .venv-plugins/.locked
PLUGINS_WORKSPACE_STAMP := .venv-plugins/.workspace
ASSETS_STAMP := hub/web/static/govuk/fetched.json
PROVIDER_STAMP := tests/oidc/node_modules/.pins

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install venvs demo test check fix bench coverage lock docs clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

install: venvs $(ASSETS_STAMP) ## build both virtual environments and fetch the web assets

venvs: $(WORKSPACE_STAMP) $(PLUGINS_WORKSPACE_STAMP)

demo: install ## the whole hub with a synthetic borough, on 127.0.0.1, in var/demo
	@$(BIN)/hub demo --dir var/demo $(ARGS)

test: install $(PROVIDER_STAMP) ## every test (ARGS="-k words" picks some)
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: venvs ## format, lint, types and import contracts; changes nothing
	@echo "ruff format --check"; $(BIN)/ruff format --check --quiet .
	@echo "ruff check"; $(BIN)/ruff check --quiet .
	@echo "mypy --strict hub_schemas hub_sdk"; $(BIN)/mypy
	@echo "lint-imports"; PYTHONPATH=$(PLUGIN_PATH) $(BIN)/lint-imports --no-cache --no-logo

fix: venvs ## let ruff format and repair what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

coverage: install ## the tests again, with the share of lines and branches they reach
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest -q -n auto $(ARGS)
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

bench: install ## print the comparison tables of benchmarks/
	@$(BIN)/python -m benchmarks $(ARGS)

docs: install ## make the generated parts of docs/ anew
	@$(BIN)/python tools/make_docs.py

lock: $(DEV_STAMP) ## resolve every requirement anew into requirements/*.lock
	@$(BIN)/python tools/lock.py $(ARGS)

clean: ## remove the virtual environments, fetched assets, caches and var/
	@rm -rf .venv .venv-plugins var dist hub/web/static/govuk tests/oidc/node_modules .ruff_cache .mypy_cache .pytest_cache .coverage* .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Clean."

# ---- what the targets stand on -------------------------------------------------------------------

define new_venv
command -v $(PYTHON) >/dev/null || { \
  echo "There is no $(PYTHON). The hub needs Python 3.11 or later; say which one with: make PYTHON=python3.12 ..." >&2; exit 1; }
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  echo "The hub needs Python 3.11 or later and $(PYTHON) is $$($(PYTHON) --version 2>&1). Say which one with: make PYTHON=python3.12 ..." >&2; exit 1; }
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
echo "Making $(1) with $$($(PYTHON) --version)"; \
$(PYTHON) -m venv --clear $(1); \
echo "Installing the $$(grep -c == $(2)) locked packages of $(2) into $(1) (a minute or two the first time)"; \
$(1)/bin/python -m pip install $(PIP_QUIET) --require-hashes --only-binary :all: -r $(2)
endef

$(DEV_STAMP): requirements/dev.lock
	@set -e; $(call new_venv,.venv,$<)
	@touch $@

$(PLUGINS_STAMP): requirements/plugins.lock
	@set -e; $(call new_venv,.venv-plugins,$<)
	@touch $@

$(WORKSPACE_STAMP): $(DEV_STAMP) pyproject.toml schemas/pyproject.toml connectors/pyproject.toml plugins/sdk/pyproject.toml
	@echo "Installing the hub, its contracts, connector and plugin SDK into .venv"
	@$(BIN)/python -m pip install $(PIP_LOCAL) $(WORKSPACE:%=-e ./%)
	@touch $@

$(PLUGINS_WORKSPACE_STAMP): $(PLUGINS_STAMP) $(PLUGINS:%=%/pyproject.toml)
	@echo "Installing the plugin SDK and the plugins into .venv-plugins"
	@.venv-plugins/bin/python -m pip install $(PIP_LOCAL) $(PLUGINS:%=-e ./%)
	@touch $@

$(ASSETS_STAMP): tools/fetch_assets.py | $(WORKSPACE_STAMP)
	@echo "Fetching the web assets"
	@$(BIN)/python tools/fetch_assets.py --dev
	@touch $@

# An OpenID provider that the sign-in tests speak with; without it they are skipped, unless nothing may be.
$(PROVIDER_STAMP): tools/fetch_provider.py tests/oidc/pins.json | $(WORKSPACE_STAMP)
	@$(BIN)/python tools/fetch_provider.py && touch $@ || test -z "$${HUB_REQUIRE_ALL:-}"
