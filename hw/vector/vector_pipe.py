"""The lanes, with all that meets their numbers on the way."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import FP32
from golden.vector.formats import V24
from hw.contract.factor import Factor
from hw.contract.job import is_pass, job_layout, report_signature
from hw.contract.job_codes import Function
from hw.contract.named import Named
from hw.parts.bits import any_of
from hw.parts.emit import instantiate
from hw.streams.memory_fifo import MemoryFIFO
from hw.streams.packet_guard import beat_layout

from .lane import Addend, Lane, schedule
from .operand_loader import OperandLoader
from .row_passes import row_numbers_layout
from .v24 import V24Rounder

FUNCTIONS = ("exp2", "gelu", "silu")
TAKEN_AT = schedule(FUNCTIONS)

ROUND_TRIP = 24
"""Groups under way between the rows and who takes the results: a lane's cycles, and the queue's."""


_ENDS = ("row_last", "group_last", "job_last")
_MOVES = ("goes_on", "goes_back")


def pass_numbers_layout(lanes):
    """Describe neighbouring results of a row.

    Members
    -------
    numbers : lanes x unsigned(32)
        FP32 patterns; +0 from ``count`` on.
    count : unsigned
    row_last, group_last, job_last : unsigned(1)
        The last of their row; of the group in which it drained; of their job.
    """
    return data.StructLayout({
        "numbers": data.ArrayLayout(FP32.width, lanes), "count": bits_for(lanes),
        **dict.fromkeys(_ENDS, 1)})


class VectorPipe(wiring.Component):
    """Send rows through the lanes, a group of neighbours per cycle.

    Lanes never stall: a group starts when its results have room, and its residual is there. Jobs
    follow each other: one begins to load its vectors when the one before has met all of its own.

    Parameters
    ----------
    config : Config
        With a vector unit.

    Members
    -------
    jobs : In(stream of job_layout)
        Passes, and GEMMs whose results go through lanes.
    rows, tiles : In(stream of row_numbers_layout)
        Of passes, of GEMMs.
    beside : In(stream of beat_layout)
        As in `OperandLoader`.
    o : Out(stream of pass_numbers_layout)
    saturated : Out(report_signature(1))
        With each job's end: a power of two did not exist.
    """

    def __init__(self, config):
        self.config, self.lanes = config, config.vector_lanes
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "rows": In(stream.Signature(row_numbers_layout(self.lanes))),
            "tiles": In(stream.Signature(row_numbers_layout(self.lanes))),
            "beside": In(stream.Signature(beat_layout(FP32.width // 8 * self.lanes))),
            "o": Out(stream.Signature(pass_numbers_layout(self.lanes))),
            "saturated": Out(report_signature(1))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.loader = loader = OperandLoader(self.config)
        m.submodules.queue = queue = MemoryFIFO(self.o.p.shape(), depth=ROUND_TRIP)
        lanes = [instantiate(m, platform, lambda: Lane(functions=FUNCTIONS),
                             module="vector_lane", name=f"lane_{index}")
                 for index in range(self.lanes)]
        wiring.connect(m, wiring.flipped(self.jobs), loader.jobs)
        wiring.connect(m, wiring.flipped(self.beside), loader.i)
        wiring.connect(m, queue.o, wiring.flipped(self.o))

        job = self.jobs.p
        self.i = numbers = stream.Signature(row_numbers_layout(self.lanes)).create(
            path=("numbers",))
        of_pass = is_pass(job.kind)
        m.d.comb += [
            numbers.valid.eq(Mux(of_pass, self.rows.valid, self.tiles.valid)),
            numbers.p.eq(Mux(of_pass, self.rows.p.as_value(), self.tiles.p.as_value())),
            self.rows.ready.eq(numbers.ready & of_pass),
            self.tiles.ready.eq(numbers.ready & ~of_pass)]
        starts = Signal()
        all_started = Signal()
        room = Signal(range(ROUND_TRIP + 1), init=ROUND_TRIP)
        has_rows = Signal()  # its residual has
        m.d.comb += [
            has_rows.eq(job.stages.has_residual & ~job.stages.is_shift),
            self.i.ready.eq(loader.runs & ~all_started & (room != 0)
                            & (loader.has_residual | ~has_rows)),
            starts.eq(self.i.valid & self.i.ready), loader.takes.eq(starts & has_rows)]
        m.d.sync += room.eq(room - starts + (self.o.valid & self.o.ready))
        with m.If(starts & self.i.p.job_last):
            m.d.sync += all_started.eq(1)
        with m.Elif(loader.ended):
            m.d.sync += all_started.eq(0)

        stages = self._follow(m, starts, has_rows)
        self._meet(m, loader, lanes, stages)
        # Nothing is on its way to its last operand.
        met = 1 + TAKEN_AT["residual"]
        m.d.comb += loader.ended.eq(
            all_started & ~any_of(group.valid for group in stages[1 : met + 1]))
        self._collect(m, queue, lanes, stages[-1])
        return m

    def _follow(self, m, starts, has_rows):
        """Carry beside a group what it is; return it for each cycle, from 0 when it starts."""
        stages, job = self.jobs.p.stages, self.jobs.p
        layout = data.StructLayout({
            "valid": 1, "count": self.i.p.count.shape(), **dict.fromkeys((*_ENDS, *_MOVES), 1),
            "function": Named(Function), "has_bias": 1, "has_channel": 1, "has_rows": 1,
            "has_shift": 1})
        group = Signal(layout, name="group_0")
        m.d.comb += [
            group.valid.eq(starts), *(group[name].eq(self.i.p[name])
                                      for name in ("count", *_ENDS)),
            group.goes_on.eq(self.i.p.columns_end), group.goes_back.eq(self.i.p.group_ends),
            group.function.eq(stages.function),
            group.has_bias.eq(job.has_bias & is_pass(job.kind)),
            group.has_channel.eq(stages.has_channel), group.has_rows.eq(has_rows),
            group.has_shift.eq(stages.has_residual & stages.is_shift)]
        groups = [group]
        for cycle in range(1 + TAKEN_AT["is_valid"]):
            delayed = Signal(layout, name=f"group_{cycle + 1}")
            m.d.sync += delayed.eq(groups[-1])
            groups.append(delayed)
        return groups

    def _meet(self, m, loader, lanes, groups):
        """Give the lanes their numbers and operands, each when it is taken."""
        at = {name: 1 + cycle for name, cycle in TAKEN_AT.items()}
        numbers = Signal.like(self.i.p.numbers, name="numbers", reset_less=True)
        offset = Signal(Addend, reset_less=True)
        m.submodules.rounder = rounder = V24Rounder()
        first, job = Signal(Factor, name="row_factor_0"), self.jobs.p
        m.d.comb += [rounder.i.eq(job.stages.scalar), first.eq(self.i.p.operands.row_factor)]
        with m.If(~is_pass(job.kind) & job.stages.is_scaled):
            m.d.comb += [first.value.eq(rounder.o), first.enable.eq(1)]
        factors = [first]
        for cycle in range(at["row_factor"]):
            factor = Signal(Factor, name=f"row_factor_{cycle + 1}", reset_less=True)
            m.d.sync += factor.eq(factors[-1])
            factors.append(factor)
        m.d.sync += [numbers.eq(self.i.p.numbers), offset.eq(self.i.p.operands.addend)]
        reads = (("bias", loader.bias, "has_bias", at["addend"]),
                 ("factor", loader.factor, "has_channel", at["channel_factor"]),
                 ("shift", loader.shift, "has_shift", at["residual"]))
        for _, port, has, cycle in reads:  # a cycle before
            group = groups[cycle - 1]
            m.d.comb += [port.read.eq(group.valid & group[has]), port.read_last.eq(group.row_last),
                         *(getattr(port, name).eq(group[name]) for name in _MOVES)]
        met, has_bias = groups[at["residual"]], groups[at["addend"]].has_bias
        m.d.comb += loader.meets.eq(met.valid & met.has_rows)
        for index, lane in enumerate(lanes):
            bias, shift, row = (operand.word_select(index, FP32.width) for operand in (
                loader.bias.o, loader.shift.o, loader.residual))
            channel = groups[at["channel_factor"]]
            m.d.comb += [
                lane.i.eq(numbers[index]),
                lane.addend.eq(offset), lane.row_factor.eq(factors[-1]),
                lane.chosen.eq(groups[at["chosen"]].function),
                lane.channel_factor.value.eq(loader.factor.o.word_select(index, V24.width)),
                lane.channel_factor.enable.eq(channel.has_channel),
                lane.residual.value.eq(row), lane.residual.enable.eq(met.has_rows | met.has_shift),
                lane.is_valid.eq(groups[at["is_valid"]].count > index)]
            with m.If(has_bias):
                m.d.comb += [lane.addend.value.eq(bias), lane.addend.enable.eq(1),
                             lane.addend.subtracts.eq(0)]
            with m.If(met.has_shift):
                m.d.comb += lane.residual.value.eq(shift)

    def _collect(self, m, queue, lanes, group):
        """Queue what leaves the lanes, and say at a job's end whether something saturated."""
        so_far = Signal()
        saturated = Signal()
        m.d.comb += [
            queue.i.valid.eq(group.valid),
            *(queue.i.p[name].eq(group[name]) for name in ("count", *_ENDS)),
            *(number.eq(lane.o) for number, lane in zip(queue.i.p.numbers, lanes, strict=True)),
            saturated.eq(so_far | any_of(lane.saturated for lane in lanes)),
            self.saturated.valid.eq(group.valid & group.job_last),
            self.saturated.payload.eq(saturated)]
        with m.If(group.valid):
            m.d.sync += so_far.eq(saturated & ~group.job_last)
