"""Assembles the job that the registers describe, and says why it can't be run."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE

from .job import JobKind, Output, job_layout
from .outlier_policy import Selection
from .registers import JobFlag, Refusal
from .widen import FORMAT_CODES

_SETTINGS = ("kind", "m", "n", "k", "tiles", "format", "output", "flags", "table", "selection",
             "units", "threshold")


def outputs(config):
    """List the formats in which results of a machine may leave."""
    return [output for output in Output
            if config.packs_results or output not in (Output.MX6, Output.MX9)]


class JobCheck(wiring.Component):
    """Check every field in its full width, so that nothing is cut off unseen.

    Parameters
    ----------
    config : Config

    Members
    -------
    job_… : In(32)
        As the registers of that name.
    job : Out(job_layout)
    refusal : Out(Refusal)
        NONE if the job can be run as far as the registers tell.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            **{f"job_{name}": In(32) for name in _SETTINGS},
            "job": Out(job_layout(config)), "refusal": Out(Refusal),
        })

    def connect_settings(self, m, registers):
        """Connect the inputs to the registers."""
        for name in _SETTINGS:
            m.d.comb += getattr(self, f"job_{name}").eq(getattr(registers, f"job_{name}"))

    def elaborate(self, platform):
        m = Module()
        config, job = self.config, self.job
        k_blocks = Signal(32)
        m.d.comb += [
            k_blocks.eq((self.job_k + (BLOCK_SIZE - 1)) >> (BLOCK_SIZE - 1).bit_length()),
            job.kind.eq(self.job_kind), job.m.eq(self.job_m), job.n.eq(self.job_n),
            job.k.eq(self.job_k), job.k_blocks.eq(k_blocks), job.tiles.eq(self.job_tiles),
            job.float_format.eq(self.job_format), job.output.eq(self.job_output),
            Cat(job.has_bias, job.reorder, job.measure).eq(self.job_flags),
            job.table.eq(self.job_table), job.policy.selection.eq(self.job_selection),
            job.policy.units.eq(self.job_units), job.policy.threshold.eq(self.job_threshold),
        ]
        is_packed = self.job_kind == JobKind.GEMM_PACKED.value
        is_transposed = self.job_kind == JobKind.CONVERT_TRANSPOSED.value
        converts = (self.job_kind == JobKind.CONVERT.value) | is_transposed
        is_floating, is_head = ~is_packed, self.job_selection == Selection.HEAD.value
        reads_table = job.reorder | (is_floating & (self.job_selection == Selection.STATIC.value))
        tiles_fit = (self.job_tiles != 0) & (self.job_tiles <= config.tile_slots) & (
            job.tiles * job.k_blocks <= config.act_depth)
        m.d.comb += self.refusal.eq(Refusal.NONE)
        # What a kind of job does not use is not looked at. The last that holds is reported.
        for wrong, code in (
            ((self.job_flags >= 1 << len(JobFlag))
             | (converts & (job.has_bias | (self.job_output != Output.FP32.value)))
             | ((is_packed | is_transposed) & (job.reorder | job.measure)),
             Refusal.BAD_COMBINATION),
            (reads_table & (self.job_table >= config.tables), Refusal.UNKNOWN_TABLE),
            (is_floating & self.job_threshold[31], Refusal.NEGATIVE_THRESHOLD),
            (is_floating & (self.job_units > Mux(is_head, 1, k_blocks)), Refusal.TOO_MANY_UNITS),
            (is_floating & ~_is_one_of(self.job_selection, Selection), Refusal.UNKNOWN_SELECTION),
            (~_is_one_of(self.job_output, outputs(config)), Refusal.UNKNOWN_OUTPUT),
            (is_floating & ~_is_code(self.job_format, config), Refusal.UNKNOWN_FORMAT),
            (~converts & ~tiles_fit, Refusal.TILES_OUT_OF_RANGE),
            (self.job_k > config.k_max, Refusal.K_TOO_LARGE),
            ((self.job_n == 0) | (self.job_k == 0) | (~converts & (self.job_m == 0)),
             Refusal.ZERO_SIZE),
            (~_is_one_of(self.job_kind, JobKind), Refusal.UNKNOWN_KIND),
        ):
            with m.If(wrong):
                m.d.comb += self.refusal.eq(code)
        return m


def _is_one_of(value, members):
    """Tell whether a value is that of some members of an enumeration."""
    return Cat(value == member.value for member in members).any()


def _is_code(value, config):
    """Tell whether a value stands for an activation format of the machine."""
    return Cat(value == FORMAT_CODES[name] for name in config.float_formats).any()
