"""Whole models on machines of this generator's cores, beside a GPU.

>>> from perf.studies.system import compare, load_preset, run_model
>>> from perf.workloads import load_models
>>> run = run_model(load_preset("server"), load_models()["dit-512"], "mixdit")
>>> compare(run).perfect > 2.1
True

==================  ==========================================================================
module              what it says
==================  ==========================================================================
`preset`            a machine as parameters, from TOML
`precision_shares`  which share is MX9
`layers`            a model's blocks as layers, with the vector operations beside each
`gemms`             a core's cycles, from `perf.rtl.schedule`
`work`              a linear layer divided over cores: cycles and bytes
`attention`         heads divided over cores
`pipeline`          samples that take turns, and what the cores still wait
`model_run`         a whole model, from all of these
`runs`              what a run says
`energy`            what is counted for `perf.studies.energy`
`gates`             gate equivalents of a core, from synthesis
`silicon`           square millimetres
`comparison`        beside the GPU and DaCapo
`assumptions`       what figures rest on, beside less friendly values
==================  ==========================================================================

What is taken for granted, unless a preset says otherwise: operands that several cores need are read
once and passed to all of them by a network that is never the bottleneck; DRAM gives its full
bandwidth; software keeps every core's queue of jobs filled, and does what `model_run` says of their
order. `assumptions` has each of these beside less friendly values.
"""

from perf.studies.system.bound import Bound
from perf.studies.system.comparison import Comparison, compare
from perf.studies.system.model_run import run_model
from perf.studies.system.precision_shares import POLICIES, PrecisionShares, find_policy
from perf.studies.system.preset import Preset, load_preset, make_preset, preset_names
from perf.studies.system.runs import LayerRun, ModelRun, Traffic
from perf.studies.system.silicon import Silicon, silicon

__all__ = ["POLICIES", "Bound", "Comparison", "LayerRun", "ModelRun", "PrecisionShares", "Preset",
           "Silicon", "Traffic", "compare", "find_policy", "load_preset", "make_preset",
           "preset_names", "run_model", "silicon"]
