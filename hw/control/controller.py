"""Starts jobs, refuses bad ones, aborts, and shows what became of them."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.activations.calibration_tables import order_write_signature, tag_write_signature
from hw.contract.counts import BEAT_COUNTS, CONVERSION_COUNTS, COUNT_BITS
from hw.contract.job import job_layout
from hw.contract.job_codes import FORMAT_CODES, ROUNDINGS
from hw.registers.csr import register_signature
from hw.registers.map import COUNTERS, IDENTIFICATION, VERSION, Command, Refusal, StreamFault

from .job_check import JobCheck, outputs
from .job_queue import JOBS_UNDER_WAY
from .scoreboard import SCORE
from .table_record import TableRecord

COUNTED = {"SATURATED": "SATURATED_ELEMENTS"}
"""Counters whose register has another name than what is counted."""


class Controller(wiring.Component):
    """Start the job in the registers, or refuse it, and show how the last one ended.

    The job registers may be rewritten as soon as the start has been answered. Up to
    `JOBS_UNDER_WAY` jobs are under way; one that cannot be started is refused: REFUSAL says why,
    nothing is consumed. Jobs end in the order they started.

    ABORT raises ``drain``, which holds the engines in reset and lets the streams run dry, until
    RESUME.

    Parameters
    ----------
    config : Config

    Members
    -------
    registers : In(register_signature())
    jobs : Out(stream of job_layout)
    order_write : Out(order_write_signature), tag_write : Out(tag_write_signature)
        To `CalibrationTables`; only to tables that no job under way uses.
    under_way, tables_in_use : In
        As in `Scoreboard`.
    job_ended : In(1), score : In(SCORE)
        The last result of a job has left, and its score: see `hw.control.scoreboard.SCORE`.
    faults : In(4)
        As in `StreamFault`, at once.
    output_pending : In(1)
        As in `OutputHold`.
    drain : Out(1)
    irq : Out(1)
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "registers": In(register_signature()),
            "jobs": Out(stream.Signature(job_layout(config))),
            "order_write": Out(order_write_signature(config)),
            "tag_write": Out(tag_write_signature(config)),
            "under_way": In(range(JOBS_UNDER_WAY + 1)), "tables_in_use": In(config.tables),
            "job_ended": In(1), "score": In(SCORE), "faults": In(len(StreamFault)),
            "output_pending": In(1), "drain": Out(1), "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        registers = self.registers
        self._identify(m)
        m.submodules.check = check = JobCheck(self.config)
        check.connect_settings(m, registers)
        m.submodules.record = record = TableRecord(self.config)
        self._fill_tables(m, record)
        wiring.connect(m, record.loaded, check.loaded)
        m.d.comb += record.select.eq(registers.job_table)

        # The registers stand at least a cycle before a START is written: see `CSR`.
        checked, refusal = Signal(Refusal), Signal(Refusal)
        m.d.sync += checked.eq(check.refusal)
        m.d.comb += refusal.eq(checked)
        with m.If(self.under_way == JOBS_UNDER_WAY):
            m.d.comb += refusal.eq(Refusal.QUEUE_FULL)
        start, abort, resume = Signal(), Signal(), Signal()
        refused = Signal()
        with m.If(self.drain | abort):
            m.d.comb += refusal.eq(Refusal.DRAINING)
        m.d.comb += [
            *(flag.eq((registers.control & command.value).any()) for flag, command in
              ((start, Command.START), (abort, Command.ABORT), (resume, Command.RESUME))),
            refused.eq(start & (refusal != Refusal.NONE)),
            self.jobs.p.eq(check.job), self.jobs.valid.eq(start & ~refused),
            registers.status[0:8].eq(self.under_way),
            registers.status[8:16].eq(Mux(self.drain, 0, JOBS_UNDER_WAY - self.under_way)),
            registers.status[16].eq(self.drain), registers.status[17].eq(self.output_pending),
            registers.irq_pending_set.eq(Cat(self.job_ended, refused, self.faults)),
            self.irq.eq((registers.irq_pending & registers.irq_enable).any()),
        ]
        with m.If(start):
            m.d.sync += registers.refusal.eq(refusal)
        with m.If(abort):
            m.d.sync += self.drain.eq(1)
        with m.Elif(resume):
            m.d.sync += self.drain.eq(0)

        with m.If(self.job_ended):
            m.d.sync += [registers.jobs_ended.eq(registers.jobs_ended + 1),
                         registers.job_faults.eq(self.score.faults)]
        self._count(m)
        return m

    def _count(self, m):
        """Show the counters of the job that ended last; zero before the first."""
        registers, score = self.registers, self.score
        cycles = Signal(COUNT_BITS)
        has_beats, has_ended = Signal(), Signal()
        with m.If(self.job_ended):
            m.d.sync += [cycles.eq(score.cycles), has_beats.eq(score.has_beats), has_ended.eq(1)]
        shown = {
            "CYCLES": cycles,
            **{name.upper(): Mux(has_beats, score.beat_counts[name], 0)
               for name in BEAT_COUNTS.members},
            **{name.upper(): Mux(has_ended, score.conversion_counts[name], 0)
               for name in CONVERSION_COUNTS.members},
        }
        for name, _ in COUNTERS:
            low = getattr(registers, f"{name}_LOW".lower())
            high = getattr(registers, f"{name}_HIGH".lower())
            m.d.comb += Cat(low, high).eq(shown[COUNTED.get(name, name)])

    def _identify(self, m):
        """Show the build parameters."""
        registers, config = self.registers, self.config
        m.d.comb += [registers.id.eq(IDENTIFICATION), registers.version.eq(VERSION)]
        for name in ("rows", "cols", "acc_width", "k_max", "act_bytes", "weight_bytes",
                     "result_bytes", "act_depth", "weight_depth", "tile_slots", "stage_depth",
                     "drain_lanes", "tables", "fraction_bits", "cell_stages", "weight_slots",
                     "result_depth"):
            m.d.comb += getattr(registers, name).eq(getattr(config, name))
        m.d.comb += [
            registers.formats.eq(sum(1 << FORMAT_CODES[name] for name in config.float_formats)),
            registers.outputs.eq(sum(1 << output.value for output in outputs(config))),
            registers.rounding.eq(ROUNDINGS.index(config.rounding)),
            registers.job_slots.eq(JOBS_UNDER_WAY),
        ]

    def _fill_tables(self, m, record):
        """Let entries through to tables that exist and are not in use, and into their record."""
        registers, config = self.registers, self.config
        table = registers.table_select
        in_use = Signal()
        m.d.comb += in_use.eq((table >= config.tables) | Array(self.tables_in_use)[table])
        order, tag = registers.order_entry, registers.tag_entry
        m.d.comb += [
            registers.order_entry_busy.eq(
                in_use | (order[:16] >= config.k_max) | (order[16:] >= config.k_max)
                | ~record.order_fits),
            registers.tag_entry_busy.eq(
                in_use | (tag[16:] >= config.k_blocks_max) | ~record.tag_fits),
            registers.table_clear_busy.eq(in_use),
            registers.entries_wait.eq(record.busy),
            self.order_write.valid.eq(registers.order_entry_write),
            self.order_write.table.eq(table), self.order_write.place.eq(order[:16]),
            self.order_write.channel.eq(order[16:]),
            self.tag_write.valid.eq(registers.tag_entry_write), self.tag_write.table.eq(table),
            self.tag_write.k_block.eq(tag[16:]), self.tag_write.is_mx9.eq(tag[0]),
            record.clear.table.eq(table),
            Cat(record.clear.order, record.clear.tags).eq(
                registers.table_clear & registers.table_clear_write.replicate(2)),
        ]
        for name in ("order_write", "tag_write"):
            written = getattr(self, name)
            for member in written.signature.members:
                m.d.comb += getattr(getattr(record, name), member).eq(getattr(written, member))
