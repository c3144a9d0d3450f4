# `make` prints the table of contents. Only Python >= 3.11, make and git must be there beforehand.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
STUDY := embedded
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
PARALLEL := -n 2 --dist loadfile
# What executing a notebook writes into it besides its outputs.
NOISE := metadata.language_info metadata.widgets cell.metadata.execution

.DEFAULT_GOAL := help
.PHONY: help setup study smoke full reference test nbval lab screenshot bench lint

help:  ## this table of contents
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## install everything into .venv (the targets below do so by themselves)

study: $(READY)  ## the embedded study from nothing: videos, training, notebooks, figures
	$(RUN) -m condi_lib study embedded --students 3 --job-cores 1

smoke: $(READY)  ## the same in miniature, recomputed every time: does everything run?
	$(RUN) -m condi_lib study smoke --fresh --students 6 --job-cores 1

full: $(READY)  ## the study with every seed, as behind the committed reference results
	$(RUN) -m condi_lib study full

reference: full  ## commit-ready: the full study's tables to data/reference, notebooks run on them
	$(RUN) -m condi_lib reference full
	$(RUN) -m condi_lib times full
	$(RUN) -m jupyter nbconvert --to notebook --execute --inplace $(NOTEBOOKS)
	$(RUN) -m nbstripout --keep-output --keep-count --keep-id --extra-keys "$(NOISE)" $(NOTEBOOKS)

# One thread a process: two test processes with two threads each slow one another down. A third
# works while others wait for the processes that they started.
test: export OMP_NUM_THREADS = 1
test: lint  ## lint, unit tests, and every number in the notebooks
	$(RUN) -m pytest tests -n 3 --dist loadfile
	@$(MAKE) --no-print-directory nbval

nbval: $(READY)  ## recompute the notebooks from the committed tables, compare every output
ifeq ($(NOTEBOOKS),)
	@echo "nbval: notebooks/ has no notebook yet"
else
	$(RUN) -m pytest --nbval --nbval-current-env --nbval-cell-timeout=300 $(PARALLEL) $(NOTEBOOKS)
endif

lab: $(READY)  ## the explorer in JupyterLab, of the embedded study or of STUDY=name
	$(RUN) -m condi_lib.explore $(STUDY)

screenshot: $(READY)  ## make the README's picture of the explorer, in a real browser
	$(RUN) tests/take_screenshot.py

bench: $(READY)  ## measure speed and memory, for hours: better one file of benchmarks/ by itself
	@set -e; for file in $(wildcard benchmarks/*.py); do echo "$$file"; $(RUN) $$file; done

lint: $(READY)  ## check style and format of code and notebooks
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

# The stamp is written last, so an interrupted set-up starts again and a finished one is a no-op.
# Bytecode is compiled at once: otherwise each notebook kernel would parse torch again.
# ipykernel's console line about its TCP port is silenced: every notebook would print it.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("make setup: needs \
	Python 3.11 or newer, but $(PYTHON) is %d.%d; try: make setup PYTHON=python3.11" % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check uv
	$(RUN) -m uv pip install --python $(RUN) --compile-bytecode \
		-r requirements.lock -e '.[study,test,cluster]'
	@mkdir -p $(VENV)/etc/ipython
	@echo 'c.IPKernelApp.log_level = 40' > $(VENV)/etc/ipython/ipython_kernel_config.py
	@touch $@
