# The commands of this project. Each installs what it needs into .venv first, and only when that has changed.
#
#   make run                        start the server; make run ARGS="--all-ports 0 --in-memory" passes flags on
#   make test                       lint and every test
#   make lint                       formatting, types, import contracts
#   make conformance                the SDKs of other languages, of those that are here: Node.js 20, Go 1.25, Java 17 with Maven
#   make image                      the container image, with docker or podman
#   make image-test                 builds the image, and uses containers of it
#   make docs                       writes the pages that come from tables, and builds the site into build/site
#   make grammars                   works out the tables of the grammars anew, after a change to one or a new lark
#   make bench                      speed and memory; make bench-full takes many minutes
#
# PYTHON=/path/to/python3.12 chooses the interpreter that .venv is made from, JOBS=8 how many tests run at once.

VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 4
SCALE ?= small
NPM := npm
JS := tests/conformance/js
GO := tests/conformance/go
JAVA := tests/conformance/java
JAVA_SOURCES := $(wildcard $(JAVA)/src/main/java/localzure/conformance/*.java)

# $(call where,COMMAND,FILE): the file, where there is such a command
where = $(if $(shell command -v $(1) 2>/dev/null),$(2))
SDKS = $(call where,$(NPM),$(JS)/node_modules/.installed) $(call where,go,$(GO)/build/conformance) \
       $(call where,mvn,$(JAVA)/target/classpath)
SDK_7_14 := $(VENV)/sdk-servicebus-7.14

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test lint conformance sdks image image-test docs grammars bench bench-full
.DEFAULT_GOAL := run

run: $(VENV)/.installed
	@exec $(BIN)/localzure start $(ARGS)

test: lint $(SDK_7_14)/.installed
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --ignore tests/conformance

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One server and one run of each program a language, so without -n.
conformance: $(VENV)/.installed-dev sdks
	$(BIN)/python -m pytest tests/conformance

sdks: $(SDKS)

image:
	@engine=$$(command -v docker || command -v podman) || { echo "make: docker or podman is missing" >&2; exit 1; }; \
	exec "$$engine" build --tag localzure $(ARGS) .

image-test: $(VENV)/.installed-dev
	LOCALZURE_CONTAINER_TESTS=1 $(BIN)/python -m pytest tests/container

docs: $(VENV)/.installed-dev $(VENV)/.installed-docs
	$(BIN)/python -m tests.tidy.feature_matrix
	$(BIN)/python -m tests.tidy.configuration_page
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

grammars: $(VENV)/.installed-dev
	$(BIN)/python -m tests.tidy.grammar_tables

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.run --scale $(SCALE) $(ARGS)

bench-full:
	$(MAKE) bench SCALE=full

$(VENV)/.installed: pyproject.toml
	@sh .ci/make-venv $(VENV) "$(PYTHON)"
	@echo "Installing into $(VENV) (a minute, the first time)"
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

$(JS)/node_modules/.installed: $(JS)/package-lock.json
	@cd $(JS) && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(GO)/build/conformance: $(GO)/go.mod $(GO)/go.sum $(wildcard $(GO)/*.go)
	@cd $(GO) && go build -o build/conformance .

$(JAVA)/target/classpath: $(JAVA)/pom.xml $(JAVA_SOURCES)
	@cd $(JAVA) && mvn --quiet --batch-mode compile dependency:build-classpath -Dmdep.outputFile=target/classpath
	@touch $@

# An older client library beside the current one, for the tests that run against both. Its dependencies are the same.
$(SDK_7_14)/.installed: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install --quiet --upgrade --no-deps --target $(SDK_7_14) azure-servicebus==7.14.3
	@touch $@
