"""Assembles the job that the registers describe, and says why it can't be run."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.formats import BLOCK_SIZE
from golden.memory.checks import NORMS
from golden.memory.descriptor import JobFlag
from hw.contract.job import asked_stages_layout, job_layout, reads_tags
from hw.contract.job import converts as converts_kind
from hw.contract.job_codes import (
    FORMAT_CODES,
    AnyKind,
    Function,
    JobKind,
    Output,
    Rows,
    Selection,
)
from hw.registers.codes import Refusal
from hw.registers.csr import fields_of
from hw.registers.job_rules import CHECKS, USE
from hw.registers.map import JOB
from hw.registers.model import REGISTER_BITS

from .table_record import loaded_signature

FP32_INFINITY = 0x7F800000
"""The largest pattern of a magnitude; those above it are NaNs or have a sign."""

FP32_SMALLEST = 0x00800000
"""Pattern of the smallest normal number."""

PASS_FLAGS = (JobFlag.BIAS | JobFlag.CHANNEL | JobFlag.RESIDUAL | JobFlag.SCALED).value
"""That a pass may have."""

JOB_FLAGS = PASS_FLAGS | (JobFlag.REORDER | JobFlag.MEASURE | JobFlag.TAGGED).value
"""That other jobs may have, of a machine with a vector unit."""


class JobCheck(wiring.Component):
    """Check every field in its full width, so that nothing is cut off unseen.

    Parameters
    ----------
    config : Config

    Members
    -------
    job_… : In(32)
        As the registers of that name.
    loads : In(1)
        Something will be loaded into that table.
    stages : In(asked_stages_layout)
        With a vector unit: what results go through.
    loaded : In(loaded_signature)
        What the table that ``job_table`` names was loaded with.
    job : Out(job_layout)
    refusal : Out(Refusal)
        NONE if the job can be run as far as the registers tell.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            **{register.name.lower(): In(REGISTER_BITS) for register in JOB},
            "loads": In(1), "loaded": In(loaded_signature(config)),
            **({"stages": In(asked_stages_layout())} if config.vector_lanes else {}),
            "job": Out(job_layout(config)), "refusal": Out(Refusal),
        })

    def connect_settings(self, m, registers):
        """Connect the inputs to the registers."""
        for name in (register.name.lower() for register in JOB):
            m.d.comb += getattr(self, name).eq(getattr(registers, name))

    def elaborate(self, platform):
        m = Module()
        config, job = self.config, self.job
        k_blocks = Signal(32)
        flags = fields_of(self, "job_flags")
        m.d.comb += [
            k_blocks.eq((self.job_k + (BLOCK_SIZE - 1)) >> (BLOCK_SIZE - 1).bit_length()),
            job.kind.eq(self.job_kind), job.m.eq(self.job_m), job.n.eq(self.job_n),
            job.k.eq(self.job_k), job.k_blocks.eq(k_blocks), job.tiles.eq(self.job_tiles),
            job.float_format.eq(self.job_format), job.output.eq(self.job_output),
            job.has_bias.eq(flags.bias), job.reorder.eq(flags.reorder),
            job.measure.eq(flags.measure),
            job.table.eq(self.job_table), job.policy.selection.eq(self.job_selection),
            job.policy.units.eq(self.job_units), job.policy.threshold.eq(self.job_threshold),
        ]
        self.ignored = self._describe_pass(m) if config.vector_lanes else {}
        uses_units, uses_threshold = self._uses("UNITS"), self._uses("THRESHOLD")
        is_head = job.policy.selection == Selection.HEAD
        reorders = self._uses("REORDER") & job.reorder
        tiles_fit = (self.job_tiles != 0) & (self.job_tiles <= config.tile_slots) & (
            job.tiles * job.k_blocks <= config.act_depth)
        loaded = self.loaded
        # Of all ones, it would be compared with the most that 16 bits of a command hold.
        bits = config.k_max.bit_length()
        k_too_large = self.job_k > config.k_max if config.k_max + 1 < 1 << bits else (
            (self.job_k >> bits).any())
        present = {"OUTPUT": self.job_output.any(), "BIAS": job.has_bias, "REORDER": job.reorder,
                   "MEASURE": job.measure}
        fails = {
            Refusal.UNKNOWN_KIND: ~_is_one_of(self.job_kind, JobKind),
            Refusal.BAD_COMBINATION: flags.unknown.any() | self._not_zero(present),
            Refusal.ZERO_SIZE: ((self._uses("M") & (self.job_m == 0))
                                | (self.job_n == 0) | (self.job_k == 0)),
            Refusal.K_TOO_LARGE: k_too_large,
            Refusal.TILES_OUT_OF_RANGE: self._uses("TILES") & ~tiles_fit,
            Refusal.UNKNOWN_FORMAT: self._uses("FORMAT") & ~_is_code(self.job_format, config),
            Refusal.UNKNOWN_OUTPUT: ~_is_one_of(self.job_output, config.outputs),
            Refusal.UNKNOWN_SELECTION: (self._uses("SELECTION")
                                        & ~_is_one_of(self.job_selection, Selection)),
            Refusal.TOO_MANY_UNITS: uses_units & (self.job_units > Mux(is_head, 1, k_blocks)),
            Refusal.BAD_THRESHOLD: uses_threshold & (self.job_threshold > FP32_INFINITY),
            Refusal.UNKNOWN_TABLE: ((reorders | reads_tags(job) | self.loads)
                                    & (self.job_table >= config.tables)),
            Refusal.ORDER_DOUBLE: reorders & loaded.is_double,
            Refusal.ORDER_INCOMPLETE: reorders & ~(loaded.is_whole & (loaded.channels == job.k)),
            Refusal.TAGS_INCOMPLETE: reads_tags(job) & (loaded.tags != job.k_blocks),
        }
        if config.vector_lanes:
            combined = (self.job_flags & ~JOB_FLAGS).any() | self._not_zero(present)
            fails |= self._fails_of_pass(combined)
            tagged, n_blocks = self.stages.tagged & ~self.is_pass, Signal(32)
            m.d.comb += n_blocks.eq((self.job_n + (BLOCK_SIZE - 1)) >> exact_log2(BLOCK_SIZE))
            fails[Refusal.K_TOO_LARGE] |= (self.job_n > config.k_max) & (
                self.stages.has_channel | self.stages.has_residual & self.stages.is_shift | tagged)
            fails[Refusal.UNKNOWN_TABLE] |= tagged & (self.job_table >= config.tables)
            fails[Refusal.TAGS_INCOMPLETE] |= tagged & (loaded.tags != n_blocks)
        m.d.comb += self.refusal.eq(Refusal.NONE)
        for code in reversed(CHECKS):  # the last one that is assigned stays
            if code in fails:
                with m.If(fails[code]):
                    m.d.comb += self.refusal.eq(code)
        return m

    def _describe_pass(self, m):
        """Describe what a vector unit is asked for; return who ignores what, by its name.

        The lower bits of a pass are a GEMM's kind, so it looks at what that does but for some.
        """
        job, asked = self.job, self.stages
        self.is_pass, packs, chooses = (
            Signal(name=name) for name in ("is_pass", "packs", "chooses"))
        output = self.job_output[:len(Value.cast(job.output))]  # of the job, it would be a loop
        m.d.comb += [
            self.is_pass.eq(self.job_kind == AnyKind.VECTOR),
            chooses.eq(output == Output.MX6.value),
            packs.eq(chooses | (output == Output.MX9.value)),
            *(job.stages[name].eq(asked[name]) for name, _ in asked.shape())]
        at_drain, staged = Signal(name="at_drain"), Signal(name="staged")
        m.d.comb += [
            staged.eq(self.is_pass | asked.is_scaled | asked.has_channel | asked.has_residual
                      | (asked.rows == Rows.SUM.value)),
            at_drain.eq(~staged & (asked.function == Function.EXP2.value)),
            job.stages.at_drain.eq(at_drain),
            job.stages.through_lanes.eq(staged | asked.function.any() & ~at_drain)]
        with m.If(self.is_pass):
            m.d.comb += job.kind.eq(Mux(packs, AnyKind.VECTOR_PACKED, AnyKind.VECTOR))
            with m.If(~chooses):  # all blocks are MX9, or there are none
                m.d.comb += [job.policy.selection.eq(Selection.HEAD), job.policy.units.eq(1)]
        return {"TILES": self.is_pass, **dict.fromkeys(
            ("SELECTION", "UNITS", "THRESHOLD"), self.is_pass & ~chooses)}

    def _fails_of_pass(self, combined):
        """Say what is wrong with what a vector unit is asked for; `combined` is so with a GEMM."""
        asked = self.stages
        is_norm = _is_one_of(asked.rows, NORMS)
        is_measured = is_norm | (asked.rows == Rows.MAXIMUM)
        is_gate = _is_one_of(asked.function, (Function.GELU, Function.SILU))
        divides = asked.rows == Rows.SUM
        excluded = Cat((is_norm | divides) & asked.is_scaled, is_gate & asked.has_channel)
        of_pass = Cat(excluded, (self.job_flags & ~PASS_FLAGS).any(), divides,
                      is_measured & self.job.has_bias).any()
        converts = converts_kind(self.job_kind)
        mistagged = asked.tagged & (
            (self.job_output != Output.MX6.value) | (self.job_kind == JobKind.GEMM)
            & (self.job_selection == Selection.STATIC))
        of_job = Cat(
            combined, excluded, is_measured, divides & (self.job_kind != JobKind.GEMM_PACKED),
            converts & self.job.stages.through_lanes, converts & self.job.stages.at_drain,
            mistagged).any()
        return {
            Refusal.UNKNOWN_KIND: ~_is_one_of(self.job_kind, (*JobKind, AnyKind.VECTOR)),
            Refusal.UNKNOWN_FUNCTION: ~_is_one_of(asked.function, Function),
            Refusal.UNKNOWN_ROWS: ~_is_one_of(asked.rows, Rows),
            Refusal.BAD_COMBINATION: Mux(self.is_pass, of_pass, of_job),
            Refusal.BAD_SCALAR: is_norm & ((asked.scalar < FP32_SMALLEST)
                                           | (asked.scalar >= FP32_INFINITY)),
        }

    def _uses(self, name):
        """Tell whether the job's kind and selection look at a register or flag: see `Use`."""
        # The lower bits do: what they don't tell apart is refused by an earlier check.
        use = USE[name]
        uses = _is_one_of(self.job_kind[:2], use.kinds)
        if use.selections and use.flag is None:
            uses &= _is_one_of(self.job_selection[:2], use.selections)
        if name in self.ignored:
            uses &= ~self.ignored[name]
        return uses

    def _not_zero(self, present):
        """Tell whether something is there that jobs of this kind must leave zero."""
        return Cat(is_there & ~_is_one_of(self.job_kind[:2], USE[name].kinds)
                   for name, is_there in present.items()).any()


def _is_one_of(value, members):
    """Tell whether a value is that of some members of an enumeration."""
    return Cat(value == code for code in sorted(member.value for member in members)).any()


def _is_code(value, config):
    """Tell whether a value stands for an activation format of the machine."""
    return Cat(value == FORMAT_CODES[name] for name in config.float_formats).any()
