# Everything a fresh machine needs is made here: a virtual environment from the hash-locked requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lock site soak bench compile clean-compiled clean schemas pages audit sbom

help: ## Show the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make the virtual environment from the locked dependencies

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "journey-stream needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup ## Watch a year of real households move through a journey
	@$(BIN)/journey-stream demo

test: setup ## Run every test but the long ones
	$(BIN)/python -m pytest -m "not soak" --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: setup ## Format, lint, types, import layers, schemas
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/journey-stream schemas check --page docs/contracts.md

format: setup ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schemas: setup ## Write the contracts: JSON Schemas, AsyncAPI document, page
	$(BIN)/journey-stream schemas export --page docs/contracts.md

pages: setup ## Write the reference, the Grafana dashboards, and what the Helm chart takes over from the code
	$(BIN)/python -m journey_stream.worker.metrics_page > docs/metrics.md
	$(BIN)/python -m journey_stream.events.reasons_page > docs/dead-letters.md
	$(BIN)/python -m journey_stream.worker.settings_page > docs/settings.md
	$(BIN)/python -m journey_stream.cli.command_line_page > docs/command-line.md
	$(BIN)/python -m journey_stream.serve.api.markdown > docs/http-api.md
	$(BIN)/python -m scripts.dashboards
	$(BIN)/python -m scripts.chart

site: setup ## Build the pages as a site into build/site; SITE_REPOSITORY=https://… links to files
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

soak: setup ## The long fault, determinism and load tests
	$(BIN)/python -m pytest -m soak -s

bench: setup ## Speed and memory beside peers; results in benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.run

compile: setup ## Compile the hot path (needs a C compiler); optional, a third faster
	$(BIN)/python scripts/compile.py

clean-compiled: ## Go back to the sources alone
	find src -name '*.so' -delete

LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet

lock: setup ## Resolve the dependencies anew (needs uv)
	$(LOCK) --all-extras --upgrade -o requirements.lock pyproject.toml
	$(LOCK) --extra serve --extra parquet --extra postgres --extra otel -c requirements.lock -o deploy/image/run.lock pyproject.toml
	printf 'hatchling\nmypy\nsetuptools\n' | $(LOCK) -c requirements.lock -o deploy/image/build.lock -

# Both tools run in environments of their own, so that they are no dependencies of ours.
audit: setup ## Look for known vulnerabilities in the locked dependencies (asks PyPI)
	$(BIN)/uv tool run --from pip-audit==2.10.1 pip-audit --strict --disable-pip --require-hashes -r requirements.lock

sbom: setup ## Write the locked dependencies as a CycloneDX list to build/sbom.json
	@mkdir -p build
	$(BIN)/uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements --pyproject pyproject.toml \
	  --mc-type application --output-reproducible --of JSON -o build/sbom.json requirements.lock

clean: clean-compiled ## Remove what make made
	rm -rf $(VENV) src/build build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
