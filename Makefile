# The project's commands.  `make help` lists them.
PYTHON ?= python3
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
else
BIN := .venv/bin
endif
VENV_PYTHON := $(BIN)/python
READY := .venv/.ready
# A worker for each core, two at least (those of Binder and most CI) and eight at most, which share the memory.
WORKERS ?= $(shell $(VENV_PYTHON) -c 'import os; print(min(8, max(2, os.cpu_count() or 2)))')
PORT ?= 8000
# Commands that look for other programs (nbgrader calls alembic, jupyter calls its parts) must find this environment's.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup book pages serve test lint lab labs grade-demo samples corrections slider numbers bench owner release-check clean distclean
.DEFAULT_GOAL := help

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-22s %s\n", $$1, $$2}'

$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	@# Without --no-compile pip translates every file of every package, most of which nobody imports.
	@echo "Setting up .venv (a few minutes the first time) ..."
	@test -x $(VENV_PYTHON) || $(PYTHON) -m venv .venv
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[all]'
	@touch $(READY)

setup: $(READY) ## Make .venv and install everything into it (the other commands do this by themselves)

book: $(READY) ## Execute every page and build the site into _build/html
	@$(VENV_PYTHON) data_scripts/build_book.py --workers $(WORKERS)

pages: $(READY) ## Execute every page, without building the site (make book goes on from there)
	@$(VENV_PYTHON) data_scripts/build_book.py --workers $(WORKERS) --pages

serve: $(READY) ## Serve the built site on http://127.0.0.1:8000
	@test -f _build/html/index.html || { echo "There is no site yet; build it with: make book"; exit 2; }
	@$(VENV_PYTHON) -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

test: $(READY) ## Run every test: notebooks, doctests, unit tests, site (built first if it is stale)
	@$(VENV_PYTHON) data_scripts/run_tests.py --workers $(WORKERS)

lint: $(READY) ## Check style and the order of the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

lab: $(READY) ## Open JupyterLab in the labs folder
	@$(BIN)/jupyter lab --notebook-dir=labs/release $(if $(filter 0,$(shell id -u)),--allow-root)

labs: $(READY) ## Regenerate the student notebooks from their sources
	@$(VENV_PYTHON) data_scripts/release_labs.py

grade-demo: $(READY) ## Release, collect, grade and export for three invented students
	@$(VENV_PYTHON) data_scripts/grade_demo.py

samples: $(READY) ## Regenerate the bundled simulated samples
	@$(VENV_PYTHON) data_scripts/make_samples.py --workers $(WORKERS)

corrections: $(READY) ## Measure the corrections of the bundled samples again (after make samples)
	@$(VENV_PYTHON) data_scripts/make_corrections.py

slider: $(READY) ## Regenerate the data of the interactive figures
	@$(VENV_PYTHON) data_scripts/make_slider_data.py

bench: $(READY) ## Run the benchmarks and write their results
	@for script in $$(ls benchmarks/*.py | grep -v record.py); do $(VENV_PYTHON) $$script || exit 1; done

numbers: $(READY) ## Print the numbers that README and chapters quote, from committed results
	@$(VENV_PYTHON) data_scripts/show_numbers.py

owner: $(READY) ## Set the public address everywhere: make owner NAME=your-github-name
	@$(VENV_PYTHON) data_scripts/set_owner.py "$(NAME)"

release-check: $(READY) ## Build the wheel and try it where the repository is not
	@$(VENV_PYTHON) data_scripts/release_check.py

clean: ## Remove what was built (not .venv, not downloads)
	rm -rf _build build dist .pytest_cache .ruff_cache .hypothesis labs/submitted labs/autograded labs/feedback labs/gradebook.db

distclean: clean ## Remove also .venv and the vendored scripts of the site
	rm -rf .venv node_modules book/_static/vendor
