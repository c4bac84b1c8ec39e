"""What a pass meets beside its rows: vectors of its columns, and its residual."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from golden.vector.formats import V24
from hw.contract.job import is_pass, job_layout
from hw.streams.memory_fifo import MemoryFIFO
from hw.streams.packet_guard import beat_layout

from .column_vector import ColumnVector
from .v24 import V24Rounder

RESIDUALS_AHEAD = 32
"""Groups of a residual that wait: more than are on their way between their place being kept for a
number and the number needing it."""


def column_read_signature(lanes, width):
    """Describe how a vector is read, seen from the reader: as in `ColumnVector`."""
    return wiring.Signature({"read": Out(1), "read_last": Out(1), "goes_on": Out(1),
                             "goes_back": Out(1), "o": In(lanes * width)})


class OperandLoader(wiring.Component):
    """Load the vectors of a job, let its rows go, and keep its residual ready for them.

    A job brings packets of FP32 numbers: its bias, if it is a pass, its factor and its shift, of a
    number for each column, as far as it has them; or, where the residual is none for all rows, the
    residual in one packet, in rows of a pass or of a GEMM's tiles, as they come. Vectors are loaded
    when all rows of the job before have met theirs.

    Parameters
    ----------
    config : Config
        With a vector unit.

    Members
    -------
    jobs : In(stream of job_layout)
        Passes, and GEMMs whose results go through lanes; taken with `ended`.
    i : In(stream of beat_layout(4 * lanes))
        As many numbers per beat as there are lanes; a packet, and a row, begins with a beat.
    runs : Out(1)
        The vectors of the job at `jobs` are there.
    ended : In(1)
        All rows of that job have met all of its operands.
    takes : In(1)
        Keep the next group of the residual for a number that needs it later.
    has_residual : Out(1)
        There is such a group.
    bias, shift : In(column_read_signature(lanes, 32))
    factor : In(column_read_signature(lanes, 24))
    residual : Out(lanes * 32), meets : In(1)
        The oldest group that was kept; it is not needed any more.
    """

    def __init__(self, config):
        self.config, lanes = config, config.vector_lanes
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(beat_layout(FP32.width // 8 * lanes))),
            "runs": Out(1), "ended": In(1), "takes": In(1), "has_residual": Out(1),
            **{name: In(column_read_signature(lanes, width)) for name, width in (
                ("bias", FP32.width), ("factor", V24.width), ("shift", FP32.width))},
            "residual": Out(lanes * FP32.width), "meets": In(1)})

    def elaborate(self, platform):
        m = Module()
        lanes, job, stages = self.config.vector_lanes, self.jobs.p, self.jobs.p.stages
        self._keep_residual(m)
        vectors = {}
        for name, port in (("bias", self.bias), ("factor", self.factor), ("shift", self.shift)):
            width = len(port.o) // lanes
            vectors[name] = vector = ColumnVector(
                lanes=lanes, width=width, columns_max=self.config.k_max)
            m.submodules[name] = vector
            m.d.comb += [*(getattr(vector, each).eq(getattr(port, each))
                           for each in ("read", "read_last", "goes_on", "goes_back")),
                         port.o.eq(vector.o), vector.write_last.eq(self.i.p.last),
                         vector.numbers.eq(self._numbers(m, width))]
        # Biases of a GEMM come with its weights.
        has = {"bias": job.has_bias & is_pass(job.kind), "factor": stages.has_channel,
               "shift": stages.has_residual & stages.is_shift}
        has_come = Signal()  # all of the residual
        m.d.comb += self.jobs.ready.eq(self.ended)
        with m.FSM():
            names = list(vectors)
            with m.State("WAIT"):
                with m.If(self.jobs.valid):
                    m.next = names[0]
            for name, after in zip(names, [*names[1:], "RUN"], strict=True):
                with m.State(name):
                    m.d.comb += [self.i.ready.eq(has[name]),
                                 vectors[name].write.eq(has[name] & self.i.valid)]
                    with m.If(~has[name] | (self.i.valid & self.i.p.last)):
                        m.next = after
            with m.State("RUN"):
                m.d.comb += self.runs.eq(1)
                with m.If(stages.has_residual & ~stages.is_shift & ~has_come):
                    m.d.comb += [self.residuals.valid.eq(self.i.valid),
                                 self.i.ready.eq(self.residuals.ready)]
                with m.If(self.i.valid & self.i.ready & self.i.p.last):
                    m.d.sync += has_come.eq(1)
                with m.If(self.ended):
                    m.d.sync += has_come.eq(0)
                    m.next = "WAIT"
        return m

    def _numbers(self, m, width):
        """Give the numbers that come, rounded to V24 if they are factors."""
        if width == FP32.width:
            return self.i.p.data
        rounded = []
        for lane in range(self.config.vector_lanes):
            m.submodules[f"rounder_{lane}"] = rounder = V24Rounder()
            m.d.comb += rounder.i.eq(self.i.p.data.word_select(lane, FP32.width))
            rounded.append(rounder.o)
        return Cat(rounded)

    def _keep_residual(self, m):
        """Queue groups of the residual, and count those that are not kept for a number."""
        m.submodules.queue = queue = MemoryFIFO(len(self.residual), depth=RESIDUALS_AHEAD)
        self.residuals = queue.i
        free = Signal(range(queue.capacity + 1))
        m.d.comb += [queue.i.p.eq(self.i.p.data), self.residual.eq(queue.o.p),
                     queue.o.ready.eq(self.meets), self.has_residual.eq(free != 0)]
        m.d.sync += free.eq(free + (queue.i.valid & queue.i.ready) - self.takes)
