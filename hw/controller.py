"""Starts jobs, refuses bad ones, and keeps the score of those that end."""

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from golden.formats import BLOCK_SIZE

from .beat_issuer import BEAT_COUNTS
from .csr import register_signature
from .job import job_layout, report_signature
from .job_fork import JOBS_UNDER_WAY
from .outlier_policy import Selection
from .registers import COUNTERS, IDENTIFICATION, VERSION, Refusal, StreamFault
from .tile_writer import CONVERSION_COUNTS, COUNT_BITS
from .widen import FORMAT_CODES


class Controller(wiring.Component):
    """Check the job in the registers, send it to the engines, and report its end.

    The job registers may be rewritten as soon as the start has been answered. Up to
    `JOBS_UNDER_WAY` jobs are under way; one that cannot be started is refused: REFUSAL says why,
    nothing is consumed. Jobs end in the order they started.

    Parameters
    ----------
    config : Config

    Members
    -------
    registers : In(register_signature())
    jobs : Out(stream of job_layout)
    beat_counts, conversion_counts : In(report_signature)
        Of each job, before it ends.
    job_ended : In(1)
        Its last result has left.
    faults : In(4)
        As in `StreamFault`, at once.
    act_faults, weight_faults : In(report_signature(2))
        Of each job, before it ends.
    irq : Out(1)
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "registers": In(register_signature()),
            "jobs": Out(stream.Signature(job_layout(config))),
            "beat_counts": In(report_signature(BEAT_COUNTS)),
            "conversion_counts": In(report_signature(CONVERSION_COUNTS)),
            "job_ended": In(1),
            "faults": In(len(StreamFault)),
            "act_faults": In(report_signature(2)),
            "weight_faults": In(report_signature(2)),
            "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        registers = self.registers
        self._identify(m)

        under_way = Signal(range(JOBS_UNDER_WAY + 1))
        refusal = self._check(m, under_way)
        start = Signal()
        m.d.comb += [
            start.eq(registers.control[0]),
            self.jobs.valid.eq(start & (refusal == Refusal.NONE)),
            registers.status.eq(Cat(Const(0, 8) | under_way, JOBS_UNDER_WAY - under_way)),
        ]
        m.d.sync += under_way.eq(under_way + self.jobs.valid - self.job_ended)
        with m.If(self.job_ended):
            m.d.sync += registers.jobs_ended.eq(registers.jobs_ended + 1)

        with m.If(start):
            m.d.sync += registers.refusal.eq(refusal)
        refused = start & (refusal != Refusal.NONE)
        m.d.comb += [
            registers.irq_pending_set.eq(Cat(self.job_ended, refused, self.faults)),
            self.irq.eq((registers.irq_pending & registers.irq_enable).any()),
        ]
        self._score(m, under_way)
        return m

    def _identify(self, m):
        """Show the build parameters."""
        registers, config = self.registers, self.config
        m.d.comb += [registers.id.eq(IDENTIFICATION), registers.version.eq(VERSION)]
        for name in ("rows", "cols", "acc_width", "k_max", "act_bytes", "weight_bytes",
                     "result_bytes", "act_depth", "weight_depth", "tile_slots"):
            m.d.comb += getattr(registers, name).eq(getattr(config, name))
        m.d.comb += [
            registers.formats.eq(sum(1 << FORMAT_CODES[name] for name in config.float_formats)),
            registers.job_slots.eq(JOBS_UNDER_WAY),
        ]

    def _check(self, m, under_way):
        """Assemble the job; return why it can't be started."""
        registers, config, job = self.registers, self.config, self.jobs.p
        k_blocks = (registers.job_k + (BLOCK_SIZE - 1)) >> (BLOCK_SIZE - 1).bit_length()
        m.d.comb += [
            job.m.eq(registers.job_m), job.n.eq(registers.job_n), job.k.eq(registers.job_k),
            job.k_blocks.eq(k_blocks), job.tiles.eq(registers.job_tiles),
            job.float_format.eq(registers.job_format),
            job.policy.selection.eq(registers.job_selection),
            job.policy.units.eq(registers.job_units),
            job.policy.threshold.eq(registers.job_threshold),
        ]
        # Registers are compared in full, so that nothing is cut off unseen.
        formats = [FORMAT_CODES[name] for name in config.float_formats]
        selections = [selection.value for selection in (Selection.TOP, Selection.THRESHOLD)]
        refusal = Signal(Refusal)
        m.d.comb += refusal.eq(Refusal.NONE)
        for wrong, code in (
            (registers.job_threshold[31], Refusal.NEGATIVE_THRESHOLD),
            (registers.job_units > k_blocks, Refusal.TOO_MANY_UNITS),
            (~_is_one_of(registers.job_selection, selections), Refusal.UNKNOWN_SELECTION),
            (~_is_one_of(registers.job_format, formats), Refusal.UNKNOWN_FORMAT),
            ((registers.job_tiles == 0) | (registers.job_tiles > config.tile_slots)
             | (job.tiles * job.k_blocks > config.act_depth), Refusal.TILES_OUT_OF_RANGE),
            (registers.job_k > config.k_max, Refusal.K_TOO_LARGE),
            ((registers.job_m == 0) | (registers.job_n == 0) | (registers.job_k == 0),
             Refusal.ZERO_SIZE),
            (under_way == JOBS_UNDER_WAY, Refusal.QUEUE_FULL),
        ):
            with m.If(wrong):  # the last one that holds is reported
                m.d.comb += refusal.eq(code)
        return refusal

    def _score(self, m, under_way):
        """Latch a job's counters and faults at its end."""
        scores = []
        for name in ("beat_counts", "conversion_counts", "act_faults", "weight_faults"):
            score = getattr(self, name)
            queue = SyncFIFOBuffered(width=len(Value.cast(score.payload)), depth=JOBS_UNDER_WAY)
            m.submodules[name] = queue
            m.d.comb += [queue.w_en.eq(score.valid), queue.w_data.eq(score.payload),
                         queue.r_en.eq(self.job_ended)]
            scores.append(queue.r_data)
        beats, conversions, act_faults, weight_faults = scores
        cycles = Signal(COUNT_BITS)
        with m.If(self.job_ended | (under_way == 0)):
            m.d.sync += cycles.eq(0)
        with m.Else():
            m.d.sync += cycles.eq(cycles + 1)
        beat = data.View(BEAT_COUNTS, beats)
        conversion = data.View(CONVERSION_COUNTS, conversions)
        values = {
            "CYCLES": cycles + 1, "BEATS": beat.beats, "SKIPPED": beat.skipped,
            "ACT_STALLS": beat.act_stalls, "WEIGHT_STALLS": beat.weight_stalls,
            "RESULT_STALLS": beat.result_stalls, "MX9_UNITS": conversion.mx9_units,
            "NAN_BLOCKS": conversion.nan_blocks, "SATURATED": conversion.saturated_elements,
        }
        with m.If(self.job_ended):
            m.d.sync += self.registers.job_faults.eq(Cat(act_faults, weight_faults))
            for name, _ in COUNTERS:
                low = getattr(self.registers, f"{name}_LOW".lower())
                high = getattr(self.registers, f"{name}_HIGH".lower())
                m.d.sync += Cat(low, high).eq(values[name])


def _is_one_of(value, codes):
    """Tell whether a value is one of some constants."""
    return Cat(value == code for code in codes).any()
