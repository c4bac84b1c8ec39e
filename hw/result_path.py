"""From the array's accumulators to the result stream."""

from amaranth import Array, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import FP32

from .block_walker import tile_layout
from .emit import instantiate
from .layouts import NAN_EXPONENT
from .normalizer import Normalizer
from .packet_guard import beat_layout
from .stream_fifo import StreamFIFO


class ResultPath(wiring.Component):
    """Normalize the rows of a finished tile, queue them, and send one packet per row.

    A packet is the tile's part of one row of C: up to `cols` FP32 numbers, column 0 lowest, one
    beat. Rows and columns beyond the edge of C never leave. Nothing here stalls before the queue,
    and the `BeatIssuer` counts its room.

    Parameters
    ----------
    config : Config

    Members
    -------
    tile : In(tile_layout), act_anchors, weight_anchors : In
        Of the tile whose last beat enters the array now.
    tile_ends : In(1)
        It does.
    captured : In(1), row_valid : In(1), row : In(cols x signed(acc_width))
        From the array.
    releases_act, releases_weight : Out(1)
        The captured tile was the last to need its token tile, its column tile.
    released_blocks : Out
        Blocks per lane in it.
    o : Out(stream of beat_layout)
    row_left : Out(1)
        A row left the queue.
    job_ended : Out(1)
        It was the last of its job.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "tile": In(tile_layout(config)), "tile_ends": In(1),
            "act_anchors": In(data.ArrayLayout(8, config.rows)),
            "weight_anchors": In(data.ArrayLayout(8, config.cols)),
            "captured": In(1), "row_valid": In(1),
            "row": In(data.ArrayLayout(signed(config.acc_width), config.cols)),
            "releases_act": Out(1), "releases_weight": Out(1),
            "released_blocks": Out(bits_for(config.k_blocks_max)),
            "o": Out(stream.Signature(beat_layout(config.result_bytes))),
            "row_left": Out(1), "job_ended": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        tile_state = data.StructLayout({
            "tile": tile_layout(config),
            "act_anchors": data.ArrayLayout(8, config.rows),
            "weight_anchors": data.ArrayLayout(8, config.cols),
        })
        # The array takes a tile's last beat `latency` cycles before it shows the results.
        entering, leaving, now = (Signal(tile_state, name=name)
                                  for name in ("entering", "leaving", "now"))
        with m.If(self.tile_ends):
            m.d.sync += [entering.tile.eq(self.tile), entering.act_anchors.eq(self.act_anchors),
                         entering.weight_anchors.eq(self.weight_anchors)]
        m.d.comb += now.eq(Mux(self.captured, entering.as_value(), leaving.as_value()))
        with m.If(self.row_valid):  # one row's anchor is used up
            m.d.sync += [leaving.eq(now),
                         leaving.act_anchors.eq(now.act_anchors.as_value() >> 8),
                         leaving.tile.rows.eq(Mux(now.tile.rows == 0, 0, now.tile.rows - 1))]
        m.d.comb += [
            self.releases_act.eq(self.captured & now.tile.releases_act),
            self.releases_weight.eq(self.captured & now.tile.releases_weight),
            self.released_blocks.eq(now.tile.k_blocks),
        ]

        row_layout = data.StructLayout({
            "results": data.ArrayLayout(FP32.width, config.cols),
            "cols": bits_for(config.cols),
            "job_last": 1,
        })
        m.submodules.queue = queue = StreamFIFO(row_layout, depth=config.result_depth)
        self._normalize(m, platform, now, queue)

        sent = self.o.valid & self.o.ready
        row = queue.o.p
        keep = Array(Const((1 << 4 * count) - 1, config.result_bytes)
                     for count in range(config.cols + 1))[row.cols]
        m.d.comb += [
            self.o.valid.eq(queue.o.valid), queue.o.ready.eq(self.o.ready),
            self.o.p.data.eq(row.results.as_value()), self.o.p.keep.eq(keep), self.o.p.last.eq(1),
            self.row_left.eq(sent), self.job_ended.eq(sent & row.job_last),
        ]
        return m

    def _normalize(self, m, platform, now, queue):
        """Normalize a row in one go; its place in C travels beside it."""
        config = self.config
        row_anchor = now.act_anchors[0]
        for col in range(config.cols):
            lane = instantiate(
                m, platform, lambda: Normalizer(
                    acc_width=config.acc_width, fraction_bits=config.fraction_bits),
                module="normalizer", name=f"normalizer_{col}")
            anchor = now.weight_anchors[col]
            m.d.comb += [
                lane.i_valid.eq(self.row_valid), lane.i.accumulator.eq(self.row[col]),
                lane.i.exponent_sum.eq(row_anchor + anchor),
                lane.i.is_nan.eq((row_anchor == NAN_EXPONENT) | (anchor == NAN_EXPONENT)),
                queue.i.p.results[col].eq(lane.o),
            ]
        place = data.StructLayout({"valid": 1, "cols": bits_for(config.cols), "job_last": 1})
        beside = Signal(place, name="place_0")
        m.d.comb += [
            beside.valid.eq(self.row_valid & (now.tile.rows != 0)), beside.cols.eq(now.tile.cols),
            beside.job_last.eq(now.tile.job_last & (now.tile.rows == 1)),
        ]
        for stage in range(Normalizer.latency):
            delayed = Signal(place, name=f"place_{stage + 1}")
            m.d.sync += delayed.eq(beside)
            beside = delayed
        m.d.comb += [queue.i.valid.eq(beside.valid), queue.i.p.cols.eq(beside.cols),
                     queue.i.p.job_last.eq(beside.job_last)]
