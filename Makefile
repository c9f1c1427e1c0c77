# Everything that one types here. `make` alone prints the list.
#
# A new clone needs a Python of version 3.11 or later with its venv module, and nothing else:
# every target below sets up .venv first, when it is not there or older than its pins.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Set-up. PYTHON: which Python makes .venv (found when empty). PIP_FLAGS: passed to pip, for example an
# index that offers a PyTorch without CUDA.
PYTHON ?=
PIP_FLAGS ?=
VENV := .venv
READY := $(VENV)/.ready
EXTRAS := tf,pytorch,onnx,safetensors,dask,s3,demo,dev
# Tests side by side, in more processes than cores, since many wait: for disks, locks, windows. Each may import two
# frameworks, and asserts are rewritten once, wherever Python is told to keep no bytecode.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(VENV)/bin/python -m pytest --numprocesses 4 --dist worksteal

# One comparison. HUB: the study's folder; DOSE, VIEW: which of its comparisons; WINDOW: how long one
# call may take; CHUNK: groups of a chunk of full-*; RECON: the reconstruction to compare with (default: that of the same split).
# TRUST: arms whose models may run their makers' code (.pt2, TorchScript, SavedModel); the demo's is of your own making.
# REQUIRE_DEBUG=1: full-* begins only if debug-* of the same split is complete, by its content.
DEMO_HUB := demo/hub
HUB ?= $(DEMO_HUB)
WINDOW ?= 170s
OF_THE_DEMO := $(if $(filter-out $(DEMO_HUB),$(patsubst %/,%,$(HUB))),,yes)
DOSE ?= $(if $(OF_THE_DEMO),100000)
CHUNK ?= $(if $(OF_THE_DEMO),64,256)
TRUST ?= $(if $(OF_THE_DEMO),pinn)
VIEW ?= dense
# The demo's study has a debug_v4 of its own: the first groups of the full comparison, not a selection of 320.
DEBUG_NAME ?= $(if $(OF_THE_DEMO),debug_320,debug_v4)
RECON ?=
REQUIRE_DEBUG ?=
RUN ?=
BASE ?=
CONFIG ?=
SPLITS ?=
# The recipes read these from the environment, so that blanks and quotes in a path do no harm.
export PYTHON HUB WINDOW DOSE VIEW CHUNK BASE CONFIG SPLITS TRUST DEBUG_NAME RECON REQUIRE_DEBUG RUN

##@ Start here

.PHONY: help
help:  ## print this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z-]*:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables: HUB=%s WINDOW=%s DOSE=%s VIEW=%s CHUNK=%s\n' \
	  "$$HUB" "$$WINDOW" "$${DOSE:-1000, or the only one of the hub}" "$$VIEW" "$$CHUNK"

.PHONY: demo
demo: $(READY)  ## a study: simulate, train, reconstruct, compare in windows with a kill -9 in the middle
	@$(VENV)/bin/python examples/demo/make_demo.py

.PHONY: test
test: $(READY)  ## run the tests: a sample of each long kind, within 10 minutes
	@HYPOTHESIS_PROFILE=quick $(PYTEST) -m "not slow"

# `window.sh` exits with 75 when its window closed and work remains. That is no failure, and make has
# only one exit code for failures (2), so a target says it in words and succeeds. A script that needs
# to know calls window.sh itself. (docs/decisions/make-exit-codes.md)
define one_window
@code=0; \
examples/loop/window.sh $(1) $(2) || code=$$?; \
if [ "$$code" -eq 75 ]; then \
  echo "Work remains: run 'make $@' again, or 'make loop-$@' until it is complete."; \
  code=0; \
fi; \
exit "$$code"
endef

##@ One window of a comparison (again until it says complete)

.PHONY: debug-train debug-test full-train full-test
debug-train: $(READY)  ## 320 groups of the train split
	$(call one_window,train,debug)
debug-test: $(READY)  ## 320 groups of the test split
	$(call one_window,test,debug)
full-train: $(READY)  ## every group of the train split
	$(call one_window,train,full)
full-test: $(READY)  ## every group of the test split
	$(call one_window,test,full)

##@ Windows until it is complete

loop = @examples/loop/until_complete.sh examples/loop/window.sh $(1) $(2)

.PHONY: loop-debug-train loop-debug-test loop-full-train loop-full-test
loop-debug-train: $(READY)  ## repeat debug-train
	$(call loop,train,debug)
loop-debug-test: $(READY)  ## repeat debug-test
	$(call loop,test,debug)
loop-full-train: $(READY)  ## repeat full-train
	$(call loop,train,full)
loop-full-test: $(READY)  ## repeat full-test
	$(call loop,test,full)

##@ RUN, or every run of HUB

# Asks ptyrun one thing of each run that has one of the files $(2). What is not finished yet is no failure.
define each_run
@found=; worst=0; \
for run in "$${RUN:-$$HUB/analysis}"/{,*/,*/*/,*/*/*/}; do \
  run=$${run%/}; \
  for name in $(2); do [ ! -e "$$run/$$name" ] || break; done; \
  [ -e "$$run/$$name" ] || continue; \
  found=yes; \
  $(if $(filter status,$(1)),,echo "$$run:";) \
  code=0; \
  "$${PTYRUN:-$(VENV)/bin/ptyrun}" $(1) "$$run" || code=$$?; \
  [ -e "$$run/manifest.json" ] || code=0; \
  case $$code in 0 | 75) ;; *) worst=$$code ;; esac; \
done; \
[ -n "$$found" ] || echo "no run with $(firstword $(2)) under $${RUN:-$$HUB/analysis}"; \
exit "$$worst"
endef

.PHONY: status preview report verify logs
status: $(READY)  ## say how far it is
	$(call each_run,status,manifest.json cache/refused.json cache/planning)
preview: $(READY)  ## draw what is committed so far
	$(call each_run,preview,manifest.json)
report: $(READY)  ## write the page of a finished run again
	$(call each_run,report,results.json)
verify: $(READY)  ## check every byte
	$(call each_run,verify,manifest.json)
logs: $(READY)  ## show what its background session says
	$(call each_run,logs,process.json)

##@ A study: its data and overlap views, in windows

# BASE: NPZ with object, probe and positions; CONFIG: a study.toml; SPLITS: train, test or both. Without HUB it
# is a study of the demo's object and probe, in a hub of its own.
said = $(if $(filter-out file default undefined,$(origin $(1))),$(2) $$$(1))
study_words = $(if $(filter-out file,$(origin HUB)),--hub "$$HUB",--hub demo/study) \
  $(if $(CONFIG),--config "$$CONFIG") $(call said,DOSE,--dose) $(call said,VIEW,--view) $(call said,SPLITS,--splits)
study_base = $(if $(BASE),--base-npz "$$BASE",$(if $(filter-out file,$(origin HUB)),,--positions base \
  --base-npz demo/base.npz))

.PHONY: study study-status study-verify
study: $(READY)  ## one window of a study: simulate, split, make overlap views
	@code=0; \
	"$${PTYRUN:-$(VENV)/bin/ptyrun}" study run $(study_words) $(study_base) --window "$$WINDOW" || code=$$?; \
	if [ "$$code" -eq 75 ]; then echo "Work remains: run 'make $@' again."; code=0; fi; \
	exit "$$code"
study-status: $(READY)  ## say how far each stage of a study is
	@"$${PTYRUN:-$(VENV)/bin/ptyrun}" study status $(study_words) $(study_base)
study-verify: $(READY)  ## check the comparisons and summaries of a study
	@"$${PTYRUN:-$(VENV)/bin/ptyrun}" study verify $(if $(filter-out file,$(origin HUB)),--hub "$$HUB",--hub demo/study)

##@ Development

.PHONY: lint
lint: $(READY)  ## lint, format and types
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy
	$(VENV)/bin/python -m mypy --config-file tests/mypy.ini tests docs examples/{demo,loop,custom_predictor}

FAST := tests/ptycho/geometry tests/ptycho/metrics tests/report tests/models tests/test_testing.py \
  tests/test_documents.py tests/test_doctests.py
.PHONY: test-fast
test-fast: $(READY)  ## run the tests of functions, models and documents, within a minute
	@$(PYTEST) -m "not slow" $(FAST)
	@echo "Left out: scans from files, whole commands, crashes, windows, networks, examples (make test)."

# pip resolves to the newest: each lower bound of setup.cfg becomes a constraint. Old releases warn of new ones,
# and upstream's metrics (compared to 1e-7) come out within 2e-6.
LOWEST := build/lowest
.PHONY: test-lowest
test-lowest: $(READY)  ## run the tests of functions with the oldest dependencies that setup.cfg allows
	@$(VENV)/bin/python -m venv --clear $(LOWEST)
	@sed -n '/^install_requires/,/^$$/s/^ *\([a-zA-Z0-9-]*\) *>=\([0-9.]*\).*/\1==\2/p' setup.cfg >$(LOWEST)/lowest.txt
	@$(LOWEST)/bin/python -m pip install --quiet $(PIP_FLAGS) --constraint $(LOWEST)/lowest.txt \
	  . hypothesis pytest pytest-timeout
	@$(LOWEST)/bin/python -m pip check
	@$(LOWEST)/bin/python -m pytest -q -o filterwarnings=default \
	  --ignore tests/ptycho/metrics/test_upstream_metrics.py tests/ptycho/geometry tests/ptycho/metrics tests/report

.PHONY: test-slow
test-slow: $(READY)  ## run the tests that take long: the rest of those kinds
	@$(PYTEST) -m slow
	@$(PYTEST) -m "hypothesis and not slow"

.PHONY: check
check: lint test test-slow  ## lint, format, types and all tests, as continuous integration does

# Its needs contradict the pins of .venv (python-dateutil), so that it has an environment of its own.
S3_SERVER := build/s3-server
.PHONY: bucket-server
bucket-server:  ## install a server that speaks S3, for the tests of published runs
	@$(VENV)/bin/python -m venv --clear $(S3_SERVER)
	@$(S3_SERVER)/bin/python -m pip install --quiet --requirement tests/s3-server.txt

.PHONY: htcondor
htcondor:  ## install Debian 13's HTCondor into build/htcondor, for the tests of that queue
	@tests/examples/install_htcondor.sh build/htcondor

.PHONY: mutants
mutants: $(READY)  ## make ptyrun wrong in a hundred ways and see each noticed (MUTANTS=words: only those)
	@$(VENV)/bin/python -m tests.mutants $(MUTANTS)

.PHONY: faults
faults: $(READY)  ## let the disk fail at every call, in every way, and see the next session heal it
	@$(VENV)/bin/python -m tests.faults $(FAULTS)

.PHONY: fuzz
fuzz: $(READY)  ## spoil 20 000 files of every kind and see each end in words (FUZZ="--kind ledger": those)
	@$(VENV)/bin/python -m tests.fuzz $(FUZZ)

.PHONY: format
format: $(READY)  ## put the code into its format
	$(VENV)/bin/python -m ruff check --fix-only .
	$(VENV)/bin/python -m ruff format .

.PHONY: tables
tables: $(READY)  ## write the tables that follow from the code into the documents
	@$(VENV)/bin/python -m docs.tables

# What `docs` and `package` need besides comes with their first call.
$(VENV)/.extra-%: $(READY)
	@$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt $(PIP_FLAGS) --editable '.[$*]'
	@touch $@

.PHONY: docs
docs: $(VENV)/.extra-docs  ## make the documents into a site, build/site; any warning is an error
	@$(VENV)/bin/python -m sphinx -q -W --keep-going -b html docs build/site
	@$(VENV)/bin/python -m docs.links build/site
	@echo "build/site/index.html"

.PHONY: package
package: $(VENV)/.extra-release  ## build wheel and source archive into build/dist, and check both
	@rm -rf build/dist
	@$(VENV)/bin/python -m build --outdir build/dist . >/dev/null
	@$(VENV)/bin/python -m twine check --strict build/dist/*

.PHONY: bench
bench: $(READY)  ## measure overheads side by side and print them as ratios
	@$(VENV)/bin/python -m benchmarks $(BENCH)

.PHONY: setup
setup: $(READY)  ## set up .venv (every other target does, when needed)

# The stamp is written last: an interrupted set-up is taken up again by the next call.
# PyTorch comes first, so that a build chosen by PIP_FLAGS or pip's configuration stays.
$(READY): setup.cfg pyproject.toml constraints.txt
	@echo "setting up $(VENV), which takes a few minutes once" >&2
	@if ! $(VENV)/bin/python -m pip --version >/dev/null 2>&1; then \
	  candidates=(python3.11 python3.12 python3.13 python3); \
	  if [ -n "$$PYTHON" ]; then candidates=("$$PYTHON"); fi; \
	  for python in "$${candidates[@]}"; do \
	    if "$$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	      && "$$python" -m venv --clear $(VENV); then break; fi; \
	  done; \
	  $(VENV)/bin/python -m pip --version >/dev/null 2>&1 || { \
	    echo "error: no virtual environment could be made with: $${candidates[*]}" >&2; \
	    echo "  why: it needs Python 3.11 or later with its venv module" >&2; \
	    echo "  do:  install it (Debian: apt-get install python3-venv), or say make PYTHON=..." >&2; \
	    exit 1; \
	  }; \
	fi
	@$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt $(PIP_FLAGS) torch
	@$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt $(PIP_FLAGS) \
	  --editable '.[$(EXTRAS)]'
	@# pty-chi asks for torchvision, of which it uses one blur that the demo never calls; its other needs
	@# are the extra `demo`.
	@$(VENV)/bin/python -m pip install --quiet --no-deps --constraint constraints.txt $(PIP_FLAGS) ptychi
	@touch $@

.PHONY: clean
clean:  ## delete caches and the demo's results
	rm -rf demo build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find ptyrun tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean  ## also delete .venv
	rm -rf $(VENV)
