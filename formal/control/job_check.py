"""Proof of `hw.control.job_check`."""

from amaranth import Cat, Mux, Signal, Value

import hw.control.job_check as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BLOCK_SIZE
from hw.contract.config import Config
from hw.contract.job_codes import (
    FORMAT_CODES,
    AnyKind,
    Function,
    JobKind,
    Output,
    Rows,
    Selection,
)
from hw.registers.codes import JobFlag, Refusal
from hw.registers.job_rules import CHECKS, USES

CONFIG = Config.sized(rows=2, cols=3, k_max=300, act_depth=24, float_formats=("fp32", "bf16"))
"""Columns whose results can't be packed, a K that is no multiple of 16, formats with a gap."""

VECTOR = Config.sized(rows=2, cols=4, k_max=300, act_depth=24, float_formats=("fp32", "bf16"),
                      bus_bytes=8, vector_lanes=2)
"""One with a vector unit."""

PASS_FLAGS = 1 | 16 | 32 | 64
"""BIAS, CHANNEL, RESIDUAL and SCALED of a descriptor."""

JOB_FLAGS = 127
"""All that a descriptor has."""

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


class PassCheckHarness(JobCheckHarness):
    """The same of a machine with a vector unit, whose fourth kind is a pass."""

    def __init__(self):
        super().__init__(VECTOR)

    def _is_pass(self):
        return self.dut.job_kind == AnyKind.VECTOR.value

    def _chooses(self):
        return self._is_pass() & self._is("output", {Output.MX6})

    def _uses(self, name):
        """Tell whether a job looks at something; passes choose blocks only for MX6."""
        selections = {"UNITS": {Selection.TOP, Selection.HEAD}, "SELECTION": set(Selection),
                      "THRESHOLD": {Selection.THRESHOLD}, "TABLE": {Selection.STATIC}}
        of_pass = {"M": 1, "FORMAT": 1}.get(name, 0)
        if name in selections:
            of_pass = self._chooses() & (1 if name == "SELECTION"
                                         else self._is("selection", selections[name]))
        return super()._uses(name) | (self._is_pass() & of_pass)

    def _fails(self):
        dut, asked = self.dut, self.dut.stages

        def is_one_of(value, members):
            return Cat(value == member.value for member in members).any()

        usual = super()._fails()
        norms, gates = {Rows.LAYER_NORM, Rows.RMS_NORM}, {Function.GELU, Function.SILU}
        is_norm, divides = is_one_of(asked.rows, norms), is_one_of(asked.rows, {Rows.SUM})
        is_measured = is_one_of(asked.rows, norms | {Rows.MAXIMUM})
        excluded = ((is_norm | divides) & asked.is_scaled
                    | is_one_of(asked.function, gates) & asked.has_channel)
        of_pass = Cat(
            excluded, (dut.job_flags & ((1 << 32) - 1 - PASS_FLAGS)) != 0, divides,
            is_measured & self._flag(JobFlag.BIAS)).any()
        anything = Cat(asked.function != 0, asked.rows != 0, asked.is_scaled, asked.has_channel,
                       asked.has_residual)
        tagged = asked.tagged & ~self._is_pass()
        of_job = Cat(
            excluded, is_measured, self._forbidden(JOB_FLAGS),
            divides & ~self._is("kind", {JobKind.GEMM_PACKED}),
            self._is("kind", {JobKind.CONVERT, JobKind.CONVERT_TRANSPOSED})
            & (anything.any() | asked.tagged),
            asked.tagged & ~self._is("output", {Output.MX6}),
            asked.tagged & self._is("kind", {JobKind.GEMM})
            & self._is("selection", {Selection.STATIC})).any()
        n_blocks = Signal(BITS, name="whole_n_blocks")
        self.n_blocks = n_blocks
        keeps = tagged | asked.has_channel | asked.has_residual & asked.is_shift
        exponent = asked.scalar[23:31]
        return usual | {
            Refusal.UNKNOWN_KIND: ~self._is("kind", {*JobKind, AnyKind.VECTOR}),
            Refusal.UNKNOWN_FUNCTION: ~is_one_of(asked.function, Function),
            Refusal.UNKNOWN_ROWS: ~is_one_of(asked.rows, Rows),
            Refusal.BAD_COMBINATION: Mux(self._is_pass(), of_pass, of_job),
            Refusal.K_TOO_LARGE: usual[Refusal.K_TOO_LARGE] | keeps & (
                self.numbers["n"] > self.config.k_max),
            Refusal.UNKNOWN_TABLE: usual[Refusal.UNKNOWN_TABLE] | tagged & (
                self.numbers["table"] >= self.config.tables),
            Refusal.BAD_SCALAR: is_norm & (
                asked.scalar[31] | (exponent == 0) | (exponent == 255)),
            Refusal.TAGS_INCOMPLETE: usual[Refusal.TAGS_INCOMPLETE]
            & (~self._is_pass() | self._chooses()) | tagged & (dut.loaded.tags != n_blocks)}

    def _kind(self):
        packs = self._is("output", {Output.MX6, Output.MX9})
        return Mux(self._is_pass() & packs, AnyKind.VECTOR_PACKED.value, self.dut.job_kind)

    def _check_job(self, m):
        super()._check_job(m)
        dut, job = self.dut, self.dut.job
        taken = dut.refusal == Refusal.NONE
        self.cover(m, "packs", taken & (job.kind == AnyKind.VECTOR_PACKED))
        m.d.comb += self.n_blocks.eq((self.numbers["n"] + BLOCK_SIZE - 1) // BLOCK_SIZE)
        self.check(m, "job_stages", ~taken | Cat(
            Value.cast(job.stages[name]) == dut.stages[name]
            for name, _ in dut.stages.shape()).all())
        asked = dut.stages
        staged = (asked.is_scaled | asked.has_channel | asked.has_residual
                  | (asked.rows == Rows.SUM.value))
        at_drain = ~self._is_pass() & ~staged & (asked.function == Function.EXP2.value)
        self.check(m, "at_drain", ~taken | (job.stages.at_drain == at_drain))
        self.check(m, "through_lanes", ~taken | (job.stages.through_lanes == (
            self._is_pass() | staged | (asked.function != 0) & ~at_drain)))
        self.check(m, "all_or_none_are_mx9", ~(taken & self._is_pass()) | self._chooses() | (
            (job.policy.selection == Selection.HEAD) & (job.policy.units == 1)))


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
        Mutant(module.__name__, "loaded.channels == job.k", "loaded.channels >= job.k"))), Proof(
    name="pass_check", make=PassCheckHarness, depth=0, steps=1,
    says="The same of a machine with a vector unit: which stages a pass may ask for, and which "
         "another job; where they are; that a pass looks at a selection only where it chooses "
         "blocks, and is told apart where its results are packed.",
    bounds="A 2x4 machine with two lanes that reads FP32 and BF16; K_MAX 300.",
    mutants=(
        Mutant(module.__name__, "(*JobKind, AnyKind.VECTOR)", "AnyKind"),
        Mutant(module.__name__, "is_measured & self.job.has_bias", "is_norm & self.job.has_bias"),
        Mutant(module.__name__, "asked.scalar >= FP32_INFINITY", "asked.scalar > FP32_INFINITY"),
        Mutant(module.__name__, "self.is_pass & ~chooses)}", "self.is_pass)}"),
        Mutant(module.__name__, "Mux(self.is_pass, of_pass, of_job)",
               "Mux(self.is_pass, of_pass, combined)"),
        Mutant(module.__name__, "loaded.tags != n_blocks", "loaded.tags < n_blocks"))))
