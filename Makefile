# Every command sets up what it needs. An active conda or virtual environment is used as it is; else .venv is made.
PYTHON ?= python3
TRAIN ?= part
TRACK ?=
DATA ?=
PROFILE ?= full
PAPER ?=
SEEDS ?= 0
JOBS ?= 0
LEDGERS ?=
CLUSTER ?=
METHOD ?=

ifeq ($(VIRTUAL_ENV)$(CONDA_PREFIX),)
PY := .venv/bin/python
READY := .venv/.ready
else
PY := python
READY :=
endif

export PYTHONPATH := $(CURDIR)
export PYTHONUTF8 := 1
unexport MPLBACKEND PYTHONINSPECT PYTHONSTARTUP PYTHONWARNINGS
# pages of the tracks whose predictions are stored
PAGES = $(foreach track,$(notdir $(wildcard data/samples/*)),$(if $(wildcard data/samples/$(track)/*.parquet),notebooks/executed/$(track)))
RUN = $(PY) -m paperlib.companion.reproduce --train "$(TRAIN)" --track "$(TRACK)" --data "$(DATA)" \
	--profile "$(PROFILE)" --paper "$(PAPER)" --seeds $(SEEDS) --jobs $(JOBS) --cluster "$(CLUSTER)" --method "$(METHOD)"

.PHONY: help reproduce explain verify test lint lab audit data bench lock clean site soak

help:  ## these lines
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

reproduce: $(READY)  ## all pages of stored predictions, and some runs trained again; TRAIN=none|all, TRACK=ferplus DATA=<folder> PROFILE=smoke|full|paper PAPER=<key> SEEDS=5 JOBS=2, METHOD=<a file with a method of your own>
	@$(RUN)

explain: $(READY)  ## what TRAIN=all would train, and why (takes the same settings)
	@$(RUN) --explain

verify: $(READY)  ## the ledgers of these pages against those of the last commit, or LEDGERS=<a figures folder>
	@$(PY) -m paperlib.companion.verify $(if $(LEDGERS),"$(LEDGERS)")

test: $(READY)  ## unit tests, then the kept pages of the stored predictions, executed anew (nbval); uses PAPERLIB_DATA if it is set
	@failed=0; $(PY) -m pytest -q -n 2 --dist loadfile || failed=1; \
	PAPERLIB_OUTPUTS="$(CURDIR)/.cache/nbval" $(PY) -m pytest -q -n 2 --dist loadfile -p no:cacheprovider --nbval-lax --nbval-current-env \
		--nbval-cell-timeout=300 -W ignore $(PAGES) || failed=1; \
	exit $$failed

soak: $(READY)  ## what the project survives: kills, a full disk, changed data, some 900 malformed files (minutes)
	$(PY) -m pytest -q -n 2 --dist loadfile tests/soak/test_*.py

lint: $(READY)  ## ruff check and format (notebooks too), mypy over paperlib
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

lab: $(READY)  ## JupyterLab on the notebooks
	$(PY) -m jupyterlab notebooks

site: $(READY)  ## the pages, the scoreboard and the API as a web site in .cache/site
	@$(PY) -m sphinx -q -W --keep-going -b html -c docs -d .cache/doctrees . .cache/site
	@echo "to read it in a browser: $(PY) -m http.server -d .cache/site"

audit: $(READY)  ## the papers' printed numbers, recomputed
	@$(PY) -m paperlib.companion.audit $(PAPER)

data: $(READY)  ## what each track needs, and whether it is there (DATA=<folder>)
	@$(PY) -m paperlib.data --data "$(DATA)"

bench: $(READY)  ## speeds, as ratios measured side by side
	@$(PY) -m paperlib.bench

lock: $(READY)  ## renew requirements.lock from pyproject.toml
	$(PY) -m uv pip compile --generate-hashes --universal --no-header --no-emit-index-url --python-version 3.11 \
		--extra notebooks --extra cluster --extra faces --extra fast --extra site --extra dev --upgrade --quiet pyproject.toml -o requirements.lock

clean:  ## remove generated data, cached runs and the environment
	rm -rf .cache .venv *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis figures/.making figures/*-smoke figures/*-paper \
		figures/*-own-* notebooks/executed/*-smoke notebooks/executed/*-paper notebooks/executed/*-own-*

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed; this is {v[0]}.{v[1]}: name another, make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "on Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	.venv/bin/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
