"""Proof of `hw.control.job_check`."""

from amaranth import Cat, Mux, Signal, Value

import hw.control.job_check as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import (
    FORMAT_CODES,
    JobKind,
    Selection,
)
from hw.registers.codes import JobFlag, Refusal
from hw.registers.job_rules import CHECKS, USES

CONFIG = Config.sized(rows=2, cols=3, k_max=300, act_depth=24, float_formats=("fp32", "bf16"))
"""Columns whose results can't be packed, a K that is no multiple of 16, formats with a gap."""

ALL_FLAGS = sum(flag.value for flag in JobFlag)
"""Those with a name in the register map."""

BITS = 64
"""Of numbers here, in which nothing is cut off."""


class JobCheckHarness(Harness):
    """The table of refusals, said again over whole numbers, for all registers' values.

    Which kinds look at a register is the register map's data (`USES`), as kinds, not as bits.
    """

    def __init__(self, config=CONFIG):
        super().__init__()
        self.config = config

    def prove(self, m):
        m.submodules.dut = dut = module.JobCheck(self.config)
        self.free_inputs(m, dut)
        self.dut, self.numbers = dut, {}
        for name in ("m", "n", "k", "tiles", "units", "table"):
            self.numbers[name] = Signal(BITS, name=f"whole_{name}")
            m.d.comb += self.numbers[name].eq(getattr(dut, f"job_{name}"))
        self.k_blocks = Signal(BITS)
        m.d.comb += self.k_blocks.eq((self.numbers["k"] + BLOCK_SIZE - 1) // BLOCK_SIZE)
        fails = self._fails()
        expected = Signal(Refusal)
        for code in reversed(CHECKS):
            if code in fails:
                with m.If(fails[code]):
                    m.d.comb += expected.eq(code)
                self.cover(m, code.name.lower(), dut.refusal == code)
        self.check(m, "refusal", dut.refusal == expected)
        self._check_job(m)

    def _is(self, name, members):
        return Cat(getattr(self.dut, f"job_{name}") == member.value for member in members).any()

    def _flag(self, flag):
        return (self.dut.job_flags & flag.value) != 0

    def _uses(self, name):
        """Tell whether the kind looks at something, and what goes with that."""
        use = next(use for use in USES if use.name == name)
        selected = self._is("selection", use.selections) if use.selections else 1
        if use.flag is not None:  # either will do, and a flag needs no selection
            selected = selected | self._flag(use.flag)
        return self._is("kind", use.kinds) & selected

    def _forbidden(self, known=ALL_FLAGS):
        """Tell whether a flag or an output is set which this kind does not have."""
        present = {"OUTPUT": self.dut.job_output != 0,
                   **{flag.name: self._flag(flag) for flag in JobFlag}}
        return Cat(present[use.name] & ~self._is("kind", use.kinds)
                   for use in USES if use.others_zero).any() | ((self.dut.job_flags & ~known) != 0)

    def _fails(self):
        dut, number, loaded = self.dut, self.numbers, self.dut.loaded
        reorders = self._flag(JobFlag.REORDER)
        reads_tags = self._is("selection", {Selection.STATIC}) & ~self._is(
            "kind", {JobKind.GEMM_PACKED})
        most_units = Mux(self._is("selection", {Selection.HEAD}), 1, self.k_blocks)
        codes = [FORMAT_CODES[name] for name in self.config.float_formats]
        return {
            Refusal.UNKNOWN_KIND: ~self._is("kind", JobKind),
            Refusal.BAD_COMBINATION: self._forbidden(),
            Refusal.ZERO_SIZE: (self._uses("M") & (number["m"] == 0)) | (number["n"] == 0)
            | (number["k"] == 0),
            Refusal.K_TOO_LARGE: number["k"] > self.config.k_max,
            Refusal.TILES_OUT_OF_RANGE: self._uses("TILES") & (
                (number["tiles"] == 0) | (number["tiles"] > self.config.tile_slots)
                | ((number["tiles"] * self.k_blocks) > self.config.act_depth)),
            Refusal.UNKNOWN_FORMAT: self._uses("FORMAT")
            & ~Cat(dut.job_format == code for code in codes).any(),
            Refusal.UNKNOWN_OUTPUT: ~self._is("output", self.config.outputs),
            Refusal.UNKNOWN_SELECTION: self._uses("SELECTION") & ~self._is("selection", Selection),
            Refusal.TOO_MANY_UNITS: self._uses("UNITS") & (number["units"] > most_units),
            Refusal.BAD_THRESHOLD: self._uses("THRESHOLD") & (dut.job_threshold > 0x7F800000),
            Refusal.UNKNOWN_TABLE: (self._uses("TABLE") | dut.loads)
            & (number["table"] >= self.config.tables),
            Refusal.ORDER_DOUBLE: reorders & loaded.is_double,
            Refusal.ORDER_INCOMPLETE: reorders
            & ~(loaded.is_whole & (loaded.channels == number["k"])),
            Refusal.TAGS_INCOMPLETE: reads_tags & (loaded.tags != self.k_blocks),
        }

    def _kind(self):
        """Return what the engines are to know it by."""
        return self.dut.job_kind

    def _check_job(self, m):
        """Of a job that is taken nothing is cut off that anybody looks at."""
        dut, job = self.dut, self.dut.job
        taken = dut.refusal == Refusal.NONE
        fields = {
            "m": (job.m, "m", self._uses("M")),
            "n": (job.n, "n", 1), "k": (job.k, "k", 1),
            "tiles": (job.tiles, "tiles", self._uses("TILES")),
            "float_format": (job.float_format, "format", self._uses("FORMAT")),
            "output": (job.output, "output", 1),
            "table": (job.table, "table", self._uses("TABLE")),
            "selection": (job.policy.selection, "selection", self._uses("SELECTION")),
            "units": (job.policy.units, "units", self._uses("UNITS")),
            "threshold": (job.policy.threshold, "threshold", self._uses("THRESHOLD")),
        }
        for name, (field, register, matters) in fields.items():
            self.check(m, f"job_{name}", ~(taken & matters)
                       | (Value.cast(field) == getattr(dut, f"job_{register}")))
        self.check(m, "job_kind", ~taken | (Value.cast(job.kind) == self._kind()))
        self.check(m, "job_k_blocks", ~taken | (job.k_blocks == self.k_blocks))
        for flag, field in ((JobFlag.BIAS, job.has_bias), (JobFlag.REORDER, job.reorder),
                            (JobFlag.MEASURE, job.measure)):
            self.check(m, f"job_{flag.name.lower()}", field == self._flag(flag))


PROOFS = (Proof(
    name="job_check", make=JobCheckHarness, depth=0, steps=1,
    says="For all values of the job registers the refusal is the first that the table names, with "
         "every number whole; of a job that is taken every field that it looks at is whole.",
    bounds="A 2x3 machine that reads FP32 and BF16; K_MAX 300.",
    mutants=(
        Mutant(module.__name__, "(self.job_tiles <= config.tile_slots)",
               "(job.tiles <= config.tile_slots)"),
        Mutant(module.__name__, "self.job_threshold > FP32_INFINITY",
               "self.job_threshold >= FP32_INFINITY"),
        Mutant(module.__name__, "| (self.job_n == 0) | (self.job_k == 0)", "| (self.job_n == 0)"),
        Mutant(module.__name__, "loaded.channels == job.k", "loaded.channels >= job.k"))),)
