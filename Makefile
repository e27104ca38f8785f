# Everything runs in .venv, made on first use; nothing else needs to be installed but Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

.PHONY: help demo test lint interop bench wheel clean

help:
	@echo "make demo     run the whole chain on made-up movies and show how good it is (a few minutes, no GPU)"
	@echo "make test     run the tests"
	@echo "make lint     check style, types and the workflow"
	@echo "make interop  run the long tests, and those against RELION, Topaz, Slurm and Chromium (installed by .ci/install)"
	@echo "make bench    measure our denoiser beside Topaz (BENCH=--large, BENCH=--quick; half an hour on two cores)"
	@echo "make wheel    build the package, workflow included"
	@echo "make clean    remove .venv, $(DEMO) and build files"

$(BIN)/cryopair: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch --editable ".[dev]"
	@touch $@

demo: $(BIN)/cryopair
	$(BIN)/cryopair simulate $(DEMO) --movies 16
	cd $(DEMO) && test -f config/config.yaml || ../$(BIN)/cryopair init \
		--from CtfFind/job003/micrographs_ctf.star --diameter 150 --set shards.size=8 --set training.steps=300
	cd $(DEMO) && ../$(BIN)/cryopair run
	cd $(DEMO) && ../$(BIN)/cryopair score

test: $(BIN)/cryopair
	$(BIN)/pytest --numprocesses=auto -m "not slow"

interop: $(BIN)/cryopair
	$(BIN)/pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder -m slow tests

bench: $(BIN)/cryopair
	$(BIN)/python benchmarks/denoising.py $(BENCH)
	$(BIN)/python benchmarks/real_pairs.py

lint: $(BIN)/cryopair
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules workflow/Snakefile
	$(BIN)/snakemake --lint

wheel: $(BIN)/cryopair
	$(BIN)/python -m build

clean:
	rm -rf .venv $(DEMO) build dist src/*.egg-info
