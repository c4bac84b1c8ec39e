# Every target creates .venv if it is missing. `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
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

# One size for a start: what `python -m hw --help` lists can be given in HW.
HW ?= --rows 8 --cols 8 --acc-width 40

.PHONY: help setup setup-torch verilog registers emission demo demo-attention gemm test test-matrix test-x test-icarus test-full test-torch \
        fuzz fuzz-files fuzz-quantized planted-bugs waves lint bench bench-rtl perf perf-check sweep ppa accumulators fpga train samples quality quality-full capture clean \
        tools-venv tools-verilator tools-icarus tools-lint tools-ppa

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

tools-ppa: tools-venv
	$(NEEDS) sta osu018

$(VENV)/ready: pyproject.toml | tools-venv
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[sim,ppa,cluster,dev]'
	touch $@

$(VENV)/torch-ready: $(VENV)/ready
	$(PY) -m pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[quality,formats]'
	touch $@

setup: $(VENV)/ready  ## Make .venv with all that demo and test need
setup-torch: $(VENV)/torch-ready  ## Add torch and diffusers, for training and the torch tests

verilog: $(VENV)/ready  ## Emit the accelerator and its memory module: build/verilog (options in HW=)
	$(PY) -m hw $(HW)

registers: $(VENV)/ready  ## Make the register page, the C header and SystemRDL anew
	$(PY) -m hw.registers.files

emission: $(VENV)/ready  ## Time and size of the Verilog at 4x4, 16x16 and 64x64
	$(PY) -m hw.tools.emission

demo: tools-verilator $(VENV)/ready  ## Run every kind of layer of a trained DiT through the Verilog
	$(PY) -m examples demo

demo-attention: tools-verilator $(VENV)/ready  ## Run one whole attention of that DiT through the Verilog
	$(PY) -m examples attention

gemm: tools-verilator $(VENV)/ready  ## Run your own: ACTIVATIONS=a.npy WEIGHTS=w.npy
	$(PY) -m examples gemm --activations "$(ACTIVATIONS)" --weights "$(WEIGHTS)"

test: tools-verilator $(VENV)/ready  ## Golden model and all benches, without torch
	$(PY) -m pytest -n $(JOBS) --dist loadgroup

ACCELERATOR_TESTS := $(addprefix sim_tests/accelerator/test_,accelerator.py faults.py abort.py isolation.py reset.py)

test-matrix: tools-verilator $(VENV)/ready  ## The accelerator's tests on every machine of the parameter matrix
	MIXDIT_MATRIX=1 $(PY) -m pytest -n $(JOBS) --dist loadgroup $(ACCELERATOR_TESTS)

test-x: tools-verilator $(VENV)/ready  ## The accelerator's tests from random registers and memories (SEED=)
	MIXDIT_SIMULATOR=random $(PY) -m pytest -n $(JOBS) --dist loadgroup $(ACCELERATOR_TESTS)

test-icarus: tools-icarus $(VENV)/ready  ## The accelerator's tests in four-state Icarus, from X (half an hour and more)
	MIXDIT_ICARUS=1 MIXDIT_REQUIRE_ICARUS=1 $(PY) -m pytest -n $(JOBS) sim_tests/accelerator/test_icarus.py

test-full: tools-verilator $(VENV)/ready  ## Everything with more seeds and sizes, on every machine (hours)
	MIXDIT_FULL=1 MIXDIT_MATRIX=1 $(PY) -m pytest -n $(JOBS) --dist loadgroup

fuzz: tools-verilator $(VENV)/ready  ## 2,000 random jobs, good, bad, broken and aborted (ten minutes)
	$(PY) -m sim_tests.fuzz $(if $(filter file,$(origin SEED)),,--seed $(SEED))

fuzz-files: $(VENV)/ready  ## Broken files of MX tensors for an hour, in bounded memory
	$(PY) -m golden.tests.fuzz_files --minutes 60

fuzz-quantized: $(VENV)/torch-ready  ## Broken files of quantized models for an hour, in bounded memory
	$(PY) -m golden.tests.fuzz_quantized --minutes 60

test-torch: $(VENV)/torch-ready  ## The tests that need torch or diffusers
	$(PY) -m pytest -n $(JOBS) golden/tests quality/tests perf/tests/test_workloads.py

planted-bugs: tools-verilator $(VENV)/ready  ## Plant bugs one by one and see a test turn red (half an hour)
	$(PY) -m sim_tests.planted_bugs

waves: tools-verilator $(VENV)/ready  ## Run one bench with waveforms: TEST=sim_tests/array/test_mac_array.py
	WAVES=1 $(PY) -m pytest $(or $(TEST),$(error say which: make waves TEST=sim_tests/array/test_mac_array.py))
	@find build/sim -name 'dump.*' -newer $(VENV)/ready | sort

lint: tools-lint $(VENV)/ready  ## ruff on the Python, Verilator -Wall on the Verilog
	$(PY) -m ruff check .
	$(PY) -m hw.tools.lint

bench: $(VENV)/ready  ## Speed of the golden model (beside AMD Quark, where installed)
	$(PY) -m golden.bench

bench-rtl: tools-verilator $(VENV)/ready  ## Utilisation, cost of precision, stalls: from the machine's counters
	$(PY) -m perf.rtl_bench

perf-check: tools-verilator $(VENV)/ready  ## Predicted counters of 350 random jobs against the Verilog's
	$(PY) -m perf.check

perf: $(VENV)/ready  ## Whole models beside an RTX 3090: tables and build/perf/report.html
	$(PY) -m perf report --out build/perf --jobs $(JOBS)

sweep: $(VENV)/ready  ## 648 machines around the server; goes on where it stopped
	$(PY) -m perf sweep --jobs $(JOBS)

ppa: tools-ppa $(VENV)/ready  ## Area and clock of the parts and of references (Debian: qflow-tech-osu018 opensta)
	$(PY) -m perf.ppa --jobs $(JOBS)

accumulators: $(VENV)/ready  ## Accumulator width against accuracy, on captured activations
	$(PY) -m perf.accumulators

$(VENV)/fpga-ready: $(VENV)/ready
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[fpga]'
	touch $@

fpga: $(VENV)/fpga-ready  ## A 4x4 accelerator placed and routed on a Lattice ECP5; Xilinx counts
	$(PY) -m perf.fpga

train: $(VENV)/torch-ready  ## Train the small DiT; resumes where it stopped
	$(PY) -m quality train

samples: $(VENV)/torch-ready  ## Draw a grid of samples
	$(PY) -m quality sample

quality: $(VENV)/torch-ready  ## Every policy on the small DiT, 3 x 250 images (POLICY=); half an hour
	$(PY) -m quality evaluate --policy $(POLICY) --images 250 --probe 10 --jobs $(JOBS)
	$(PY) -m quality report

quality-full: $(VENV)/torch-ready  ## The same with 3 x 1000 images (an hour more); goes on where it stopped
	$(PY) -m quality evaluate --policy $(POLICY) --images 1000 --jobs $(JOBS)
	$(PY) -m quality report

capture: $(VENV)/torch-ready  ## Record the layers' inputs and weights anew
	$(PY) -m quality capture

clean:  ## Remove everything that can be made again, but .venv
	rm -rf build
