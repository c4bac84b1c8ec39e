"""Cuts rows of activations, as they come off the stream, into blocks of sixteen elements."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE, FLOAT_FORMATS

from .job import job_layout, report_signature
from .packet_guard import PacketGuard, beat_layout, gather_faults
from .ring import index_signal
from .widen import FORMAT_BITS, FORMAT_CODES

ELEMENT_BITS = 32


def raw_block_layout(config):
    """Describe a block of unconverted elements and its place in the token tile."""
    return data.StructLayout({
        "elements": data.ArrayLayout(ELEMENT_BITS, BLOCK_SIZE),
        "float_format": FORMAT_BITS,
        "row_first": 1,
        "row_last": 1,
        "block_last": 1,
        "policy": job_layout(config).members["policy"],
    })


class RowUnpacker(wiring.Component):
    """Cut each row (one packet, K elements, element 0 lowest) into blocks; pad the tail with zeros.

    Elements take the low bits of their 32-bit lanes. A block leaves the cycle after its last beat;
    one beat per cycle goes in. The next job starts in the cycle after the last beat of this one.

    Parameters
    ----------
    config : Config

    Members
    -------
    jobs : In(stream of job_layout)
    i : In(stream of beat_layout)
    o : Out(stream of raw_block_layout)
        Row-major within a token tile of R rows; the last tile of a job may be shorter.
    faults : Out(2)
        Length, tkeep: see `PacketGuard`.
    job_faults : Out(report_signature(2))
        All of a job's, with its last beat.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "jobs": In(stream.Signature(job_layout(config))),
            "i": In(stream.Signature(beat_layout(config.act_bytes))),
            "o": Out(stream.Signature(raw_block_layout(config))),
            "faults": Out(2), "job_faults": Out(report_signature(2)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        m.submodules.guard = guard = PacketGuard(stream_bytes=config.act_bytes)
        wiring.connect(m, wiring.flipped(self.i), guard.i)
        m.d.comb += self.faults.eq(Cat(guard.bad_length, guard.bad_keep))

        job = Signal(job_layout(config))
        busy = Signal()
        rows_left = Signal.like(job.m)        # this row included
        row = index_signal(config.rows, "row")      # within the token tile
        # This beat included; wide enough for comparisons with a block, however small k_max is.
        elements_left = Signal(max(len(job.k), bits_for(BLOCK_SIZE)))
        place = Signal(range(BLOCK_SIZE))     # of this beat within its block

        row_ends = Signal()
        block_ends = Signal()
        take = Signal()
        m.d.comb += [
            guard.is_final.eq(row_ends),
            take.eq(busy & guard.o.valid & (~self.o.valid | self.o.ready)),
            guard.o.ready.eq(busy & (~self.o.valid | self.o.ready)),
        ]
        block = self.o.payload
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(take):
            m.d.sync += [
                self.o.valid.eq(block_ends), block.float_format.eq(job.float_format),
                block.row_first.eq(row == 0),
                block.row_last.eq((row == config.rows - 1) | (rows_left == 1)),
                block.block_last.eq(row_ends), block.policy.eq(job.policy),
                place.eq(Mux(block_ends, 0, place + 1)),
            ]
        with m.Switch(job.float_format):
            for name in config.float_formats:
                with m.Case(FORMAT_CODES[name]):
                    self._unpack(m, FLOAT_FORMATS[name].width, guard, take, place, elements_left,
                                 row_ends, block_ends)

        with m.If(take & row_ends):
            last_of_tile = (row == config.rows - 1) | (rows_left == 1)
            m.d.sync += [elements_left.eq(job.k), rows_left.eq(rows_left - 1),
                         row.eq(Mux(last_of_tile, 0, row + 1))]
        job_ends = Signal()
        m.d.comb += [job_ends.eq(take & row_ends & (rows_left == 1)),
                     self.jobs.ready.eq(~busy | job_ends)]
        gather_faults(m, self.faults, job_ends, self.job_faults)
        with m.If(self.jobs.ready):
            m.d.sync += busy.eq(self.jobs.valid)
            with m.If(self.jobs.valid):
                m.d.sync += [job.eq(self.jobs.p), rows_left.eq(self.jobs.p.m),
                             elements_left.eq(self.jobs.p.k)]
        return m

    def _unpack(self, m, width, guard, take, place, elements_left, row_ends, block_ends):
        """Place one beat of `width`-bit elements in the block; say what ends with it."""
        per_beat = 8 * self.config.act_bytes // width
        beats = BLOCK_SIZE // per_beat
        element_bytes = width // 8
        present = [Signal(name=f"present_{width}_{index}") for index in range(per_beat)]
        for index, flag in enumerate(present):
            m.d.comb += flag.eq(elements_left > index)
        m.d.comb += [
            row_ends.eq(elements_left <= per_beat),
            block_ends.eq(row_ends | (place == beats - 1)),
            guard.keep.eq(Cat(flag.replicate(element_bytes) for flag in present)),
        ]
        with m.If(take):
            with m.If(~row_ends):
                m.d.sync += elements_left.eq(elements_left - per_beat)
            for lane in range(BLOCK_SIZE):
                index = lane % per_beat
                element = guard.o.p[index * width:(index + 1) * width]
                with m.If(place == lane // per_beat):
                    m.d.sync += self.o.p.elements[lane].eq(Mux(present[index], element, 0))
                with m.Elif(place == 0):
                    m.d.sync += self.o.p.elements[lane].eq(0)
