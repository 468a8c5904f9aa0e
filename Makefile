# What a person does with this project. Needs python3 (3.11 or later), python3-venv and make;
# nothing here needs root.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Many tests wait for a server or a disk: twice as many as there are processors.
WORKERS ?= $(shell expr $$(nproc) \* 2)

.PHONY: try test proofs check fuzz bench soak powercut clean

try: $(VENV)/.try ## show a mail going through, on a provider inside this computer
	@$(BIN)/pillarbox try $(ARGS)

test: $(VENV)/.test ## run the tests; what needs root or a system package is skipped with a reason
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q $(ARGS)

proofs: $(VENV)/.test ## every case of what the plain command takes a slice of
	@PILLARBOX_ALL_POINTS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m sliced $(ARGS)

check: $(VENV)/.lint ## style, types, documents
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests/typing/api.py

fuzz: $(VENV)/.test ## every fuzzer for SECONDS each (default 30)
	@for f in fuzz/fuzz_*.py; do echo "$$f"; $(BIN)/python "$$f" $(or $(SECONDS),30) || exit 1; done

bench: $(VENV)/.test ## what pillarbox costs, beside its peers
	@$(BIN)/python bench/run.py $(ARGS)

soak: $(VENV)/.test ## the daemon under load, killed about every second for SECONDS (default 60)
	@$(BIN)/python tests/crash/soak.py --seconds $(or $(SECONDS),60) $(ARGS)

powercut: $(VENV)/.test ## cut the power of real file systems 200 times; root, and xfsprogs for XFS
	@$(BIN)/python tests/powercut/run.py $(ARGS)

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.try: $(VENV)/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[try,dns,ui]'
	@touch $@

$(VENV)/.test: $(VENV)/bin/python pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[try,dns,ui,test]'
	@touch $@ $(VENV)/.try

$(VENV)/.lint: $(VENV)/.test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[try,dns,ui,test,lint]'
	@touch $@
