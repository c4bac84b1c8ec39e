"""Starts jobs, refuses bad ones, aborts, and shows what became of them."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.activations.calibration_tables import order_write_signature, tag_write_signature
from hw.contract.config import JOBS_UNDER_WAY
from hw.contract.counts import BEAT_COUNTS, CONVERSION_COUNTS, COUNT_BITS
from hw.contract.job import asked_stages_layout, job_layout
from hw.registers.built import build_values
from hw.registers.codes import Refusal, StreamFault
from hw.registers.csr import fields_of, register_signature
from hw.registers.map import COUNTERS

from .job_check import JobCheck
from .scoreboard import score_layout
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
    loads : In(1)
        Something will be loaded into the table that the job registers name.
    stages : In(asked_stages_layout)
        With a vector unit: what else the job asks for.
    checked : Out(Refusal)
        Why the job would be refused that the registers described in the cycle before; NONE if it
        would not.
    jobs : Out(stream of job_layout)
    order_write : Out(order_write_signature), tag_write : Out(tag_write_signature)
        To `CalibrationTables`; only to tables that no job under way uses.
    under_way, tables_in_use : In
        As in `Scoreboard`.
    job_ended : In(1), score : In(score_layout)
        The last result of a job has left, and its score: see `hw.control.scoreboard`.
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
            "registers": In(register_signature()), "loads": In(1), "checked": Out(Refusal),
            **({"stages": In(asked_stages_layout())} if config.vector_lanes else {}),
            "jobs": Out(stream.Signature(job_layout(config))),
            "order_write": Out(order_write_signature(config)),
            "tag_write": Out(tag_write_signature(config)),
            "under_way": In(range(JOBS_UNDER_WAY + 1)), "tables_in_use": In(config.tables),
            "job_ended": In(1), "score": In(score_layout(config)), "faults": In(len(StreamFault)),
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
        refusal = Signal(Refusal)
        m.d.sync += self.checked.eq(check.refusal)
        m.d.comb += [check.loads.eq(self.loads), refusal.eq(self.checked)]
        if self.config.vector_lanes:
            m.d.comb += check.stages.eq(self.stages)
        with m.If(self.under_way == JOBS_UNDER_WAY):
            m.d.comb += refusal.eq(Refusal.QUEUE_FULL)
        command, status = fields_of(registers, "control"), fields_of(registers, "status")
        events = fields_of(registers, "irq_pending", "_set")
        start = Signal()
        abort = Signal()
        resume = Signal()
        refused = Signal()
        with m.If(self.drain | abort):
            m.d.comb += refusal.eq(Refusal.DRAINING)
        m.d.comb += [
            start.eq(command.start), abort.eq(command.abort), resume.eq(command.resume),
            refused.eq(start & (refusal != Refusal.NONE)),
            self.jobs.p.eq(check.job), self.jobs.valid.eq(start & ~refused),
            status.under_way.eq(self.under_way),
            status.free.eq(Mux(self.drain, 0, JOBS_UNDER_WAY - self.under_way)),
            status.draining.eq(self.drain), status.output_pending.eq(self.output_pending),
            events.ended.eq(self.job_ended), events.refused.eq(refused),
            Cat(events[fault.name.lower()] for fault in StreamFault).eq(self.faults),
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
        has_beats = Signal()
        has_ended = Signal()
        with m.If(self.job_ended):
            m.d.sync += [cycles.eq(score.cycles), has_beats.eq(score.has_beats),
                         has_ended.eq(score.has_blocks if self.config.vector_lanes else 1)]
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
        """Show how the machine was built."""
        for name, value in build_values(self.config).items():
            m.d.comb += getattr(self.registers, name.lower()).eq(value)

    def _fill_tables(self, m, record):
        """Let entries through to tables that exist and are not in use, and into their record."""
        registers, config = self.registers, self.config
        table = registers.table_select
        in_use = Signal()
        m.d.comb += in_use.eq((table >= config.tables) | Array(self.tables_in_use)[table])
        order, tag = fields_of(registers, "order_entry"), fields_of(registers, "tag_entry")
        clear = fields_of(registers, "table_clear")
        m.d.comb += [
            registers.order_entry_busy.eq(
                in_use | (order.place >= config.k_max) | (order.channel >= config.k_max)
                | ~record.order_fits),
            registers.tag_entry_busy.eq(
                in_use | (tag.k_block >= config.k_blocks_max) | ~record.tag_fits),
            registers.table_clear_busy.eq(in_use),
            registers.entries_wait.eq(record.busy),
            self.order_write.valid.eq(registers.order_entry_write),
            self.order_write.table.eq(table), self.order_write.place.eq(order.place),
            self.order_write.channel.eq(order.channel),
            self.tag_write.valid.eq(registers.tag_entry_write), self.tag_write.table.eq(table),
            self.tag_write.k_block.eq(tag.k_block), self.tag_write.is_mx9.eq(tag.mx9),
            record.clear.table.eq(table),
            record.clear.order.eq(registers.table_clear_write & clear.order),
            record.clear.tags.eq(registers.table_clear_write & clear.tags),
        ]
        for name in ("order_write", "tag_write"):
            written = getattr(self, name)
            for member in written.signature.members:
                m.d.comb += getattr(getattr(record, name), member).eq(getattr(written, member))
