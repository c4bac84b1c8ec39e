"""Result packets in floating point: a group of rows in one beat."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.job_codes import Output
from hw.contract.result_rows import packet_beat_layout, result_rows_layout
from hw.parts.emit import instantiate

from .narrow import Narrow


class FloatPackets(wiring.Component):
    """Narrow each group of rows to the job's format and send it as one packet of one beat.

    Row i of the group starts at byte i * `row_bytes` in FP32 and at half of that in FP16 and BF16,
    column 0 lowest. ``keep`` marks the bytes of the rows and columns there are. The others are
    zero: in rows that a tile does not have, the array multiplies what an earlier job left.

    Latency 1 cycle; a group each cycle; ``i`` stalls while ``o`` does.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of result_rows_layout)
        ``output`` is FP32, FP16 or BF16.
    o : Out(stream of packet_beat_layout)
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i": In(stream.Signature(result_rows_layout(config))),
            "o": Out(stream.Signature(packet_beat_layout(config))),
        })

    def elaborate(self, platform):
        m = Module()
        config, rows = self.config, self.i.p

        # Cycle 1: every number in the low bits of a lane.
        arriving, beside = (Signal(data.StructLayout({
            "rows": config.drain_rows, "cols": config.cols, "is_fp32": 1, "job_last": 1,
        }), name=name, reset_less=True) for name in ("arriving", "beside"))
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            # A group has a row and a column.
            arriving.rows.eq(Cat(1, *(row < rows.rows for row in range(1, config.drain_rows)))),
            arriving.cols.eq(Cat(1, *(col < rows.cols for col in range(1, config.cols)))),
            arriving.is_fp32.eq(rows.output == Output.FP32), arriving.job_last.eq(rows.job_last),
        ]
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), beside.eq(arriving)]
        lanes = self._lanes(m, platform, arriving)

        # Each number to its bytes.
        data_32, keep_32 = self._placed(m, lanes, beside, 4)
        data_16, keep_16 = self._placed(m, lanes, beside, 2)
        m.d.comb += [
            self.o.p.data.eq(Mux(beside.is_fp32, data_32, data_16)),
            self.o.p.keep.eq(Mux(beside.is_fp32, keep_32, keep_16)),
            self.o.p.last.eq(1), self.o.p.job_last.eq(beside.job_last),
        ]
        return m

    def _lanes(self, m, platform, arriving):
        """Narrow all numbers of the group at ``i`` that are there."""
        lanes = []
        for index in range(self.config.drain_lanes):
            row, col = divmod(index, self.config.cols)
            lane = instantiate(m, platform, Narrow, module="narrow", name=f"narrow_{index}")
            m.d.comb += [lane.load.eq(self.i.ready), lane.to.eq(self.i.p.output),
                         lane.is_there.eq(arriving.rows[row] & arriving.cols[col]),
                         lane.i.eq(self.i.p.results[index])]
            lanes.append(lane.o)
        return lanes

    def _placed(self, m, lanes, beside, number_bytes):
        """Lay numbers of so many bytes out in a beat; return its data and keep."""
        config = self.config
        row_bytes = config.row_bytes * number_bytes // 4
        words = Signal(8 * config.result_bytes, name=f"data_{8 * number_bytes}")
        keep = Signal(config.result_bytes, name=f"keep_{8 * number_bytes}")
        for row in range(config.drain_rows):
            for col in range(config.cols):
                at = row * row_bytes + col * number_bytes
                number = lanes[row * config.cols + col][: 8 * number_bytes]
                is_there = beside.rows[row] & beside.cols[col]
                m.d.comb += [words[8 * at : 8 * (at + number_bytes)].eq(number),
                             keep[at : at + number_bytes].eq(is_there.replicate(number_bytes))]
        return words, keep
