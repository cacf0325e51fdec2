# Every target sets up what it needs in .venv, once, from the locks. Nothing outside this folder changes.

ifndef PYTHON
PYTHON := $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
endif

FITS = $(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))'
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
UV_VERSION := 0.13.9

# A stamp carries the digest of what was installed, and where: a touched file or a new branch costs
# nothing, a changed lock or a moved folder installs again.
digest = $(shell (pwd; cat pyproject.toml $(1)) | cksum | cut -d' ' -f1)
RUN_STAMP := $(VENV)/.run-$(call digest,requirements/run.lock)
DEV_STAMP := $(VENV)/.dev-$(call digest,requirements/run.lock requirements/dev.lock)

.DEFAULT_GOAL := help
.PHONY: help demo test check bench broker docs lock clean format lint types-mypy types-pyright imports

help:
	@echo "make demo    the main job, end to end"
	@echo "make test    all tests; ARGS= goes to pytest, as in ARGS='-k token -x'"
	@echo "make check   format, lint, types, import rules; changes nothing"
	@echo "make bench   benchmarks; ARGS= goes to them, as in ARGS='--only kafka'"
	@echo "make broker  a Kafka broker to try things on, until Ctrl-C; ARGS='--help' for more"
	@echo "make docs    the field reference, docs/events.md, from the schemas"
	@echo "make lock    resolve the dependencies anew (UPGRADE=1: to their newest versions)"
	@echo "make clean   remove the environment, caches and builds"

demo: $(RUN_STAMP)
	@$(BIN)/python examples/demo.py $(ARGS)

# All of them: one process for each core. Some of them: as pytest does it, with its output as it comes.
test: $(DEV_STAMP)
	@$(BIN)/python -m pytest $(or $(ARGS),-n auto --dist loadgroup)

bench: $(DEV_STAMP)
	@$(BIN)/python -m benchmarks $(ARGS)

broker: $(DEV_STAMP)
	@exec $(BIN)/python -m tests.kafka $(ARGS)

docs: $(RUN_STAMP)
	@$(BIN)/python -m hitl_events.adapters.avro.reference > $(VENV)/events.md && mv $(VENV)/events.md docs/events.md

# The slowest two start first; each prints when it ends, and one that fails stops no other.
check: $(DEV_STAMP)
	@$(MAKE) --no-print-directory -k -j2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) types-pyright types-mypy imports lint format

types-pyright: $(DEV_STAMP)
	@echo "== pyright"; $(BIN)/python -m basedpyright

types-mypy: $(DEV_STAMP)
	@echo "== mypy"; $(BIN)/python -m mypy

imports: $(DEV_STAMP)
	@echo "== imports"; $(BIN)/python -c 'from importlinter.cli import lint_imports_command as c; c()'

lint: $(DEV_STAMP)
	@echo "== lint"; $(BIN)/python -m ruff check

format: $(DEV_STAMP)
	@echo "== format"; $(BIN)/python -m ruff format --check

$(RUN_STAMP):
	@$(FITS) 2>/dev/null || { echo "expected Python 3.11 or newer, found $(if $(PYTHON),$(PYTHON): `$(PYTHON) --version 2>&1`,none): install it, or name it with PYTHON=" >&2; exit 1; }
	@$(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| $(PYTHON) -m venv --clear $(VENV) \
		|| { echo "expected a Python that can make environments: install its venv package (python3-venv)" >&2; exit 1; }
	@echo "installing what runs into $(VENV)"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements/run.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@rm -f $(VENV)/.run-* && touch $@

$(DEV_STAMP): $(RUN_STAMP)
	@echo "installing the developers' tools into $(VENV)"
	@$(PIP) install --quiet --no-deps --require-hashes -r requirements/dev.lock
	@rm -f $(VENV)/.dev-* && touch $@

# dev.lock decides the versions; run.lock is the part of it that a run needs, kafka.lock that of the
# Dockerfile. No lock names an address.
compile = $(VENV)/lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command 'make lock'
lock:
	@$(PYTHON) -m venv $(VENV)/lock
	@$(VENV)/lock/bin/python -m pip --disable-pip-version-check install --quiet uv==$(UV_VERSION)
	$(compile) $(if $(UPGRADE),--upgrade) --all-extras --group dev -o requirements/dev.lock
	$(compile) $(if $(UPGRADE),--upgrade) --group build -c requirements/dev.lock -o requirements/run.lock
	$(compile) $(if $(UPGRADE),--upgrade) --group build --extra kafka --extra postgres -c requirements/dev.lock -o requirements/kafka.lock

clean:
	rm -rf $(VENV) .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find hitl_events services tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
