"""From the array's accumulators to a queue of FP32 results."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import FP32
from hw.contract.block_bits import NAN_EXPONENT
from hw.contract.job import report_signature
from hw.contract.job_codes import Function
from hw.contract.output_tile import output_tile_layout
from hw.contract.result_rows import result_rows_layout
from hw.floats.fp32_adder import FP32Adder
from hw.parts.bits import any_of
from hw.parts.emit import instantiate
from hw.streams.stream_fifo import StreamFIFO
from hw.vector.lane import Lane, schedule
from hw.vector.row_sum import RowSum

from .normalizer import Normalizer
from .row_factor import RowFactor

NARROW = schedule(("exp2",), is_full=False)


def drain_latency(config):
    """Count the cycles from a group to its place in the queue."""
    return Normalizer.latency + (NARROW["is_valid"] if config.vector_lanes else FP32Adder.latency)


class ResultPath(wiring.Component):
    """Normalize the rows of a finished tile, add the biases of its columns, and queue them.

    A group is what drains from the array in one cycle: up to `drain_rows` rows of one tile. It
    enters the queue `latency` cycles later; one beyond the edge of C is dropped. Nothing here
    stalls before the queue, and the `BeatIssuer` counts its room.

    With a vector unit biases are added in narrow lanes of the pipe, which have exp2 too, and what
    is one over a row's sum comes with the row.

    Parameters
    ----------
    config : Config

    Members
    -------
    tile : In(output_tile_layout), act_anchors, weight_anchors : In
        The output tile whose beat enters the array in this cycle, and its anchors.
    bias : In(cols x unsigned(32), flat)
        FP32 patterns for the tile's columns, where ``tile.has_bias``.
    tile_ends : In(1)
        The beat is the tile's last.
    captured : In(1), row_valid : In(1), rows : In(drain_lanes x signed(acc_width))
        As in `MACArray`.
    releases_act, releases_weight : Out(1)
        The captured tile was the last to need its token tile, its column tile.
    released_blocks : Out
        Blocks per lane in that tile.
    o : Out(stream of result_rows_layout)
    row_left : Out(1)
        A group left the queue.
    sums : In(drain_rows x signed)
        With a vector unit: as in `RowSums`.
    saturated : Out(report_signature(1))
        With a vector unit, with the end of each job whose exp2 is here: a power of two did not
        exist.
    """

    def __init__(self, config):
        self.config, self.latency = config, drain_latency(config)
        of_vector = {
            "sums": In(data.ArrayLayout(signed(RowSum.width_of(config.k_max)), config.drain_rows)),
            "saturated": Out(report_signature(1))}
        super().__init__({
            "tile": In(output_tile_layout(config)), "tile_ends": In(1),
            "act_anchors": In(data.ArrayLayout(8, config.rows)),
            "weight_anchors": In(data.ArrayLayout(8, config.cols)),
            "bias": In(FP32.width * config.cols),
            "captured": In(1), "row_valid": In(1),
            "rows": In(data.ArrayLayout(signed(config.acc_width), config.drain_lanes)),
            "releases_act": Out(1), "releases_weight": Out(1),
            "released_blocks": Out(bits_for(config.k_blocks_max)),
            "o": Out(stream.Signature(result_rows_layout(config))),
            "row_left": Out(1),
            **(of_vector if config.vector_lanes else {}),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        tile_state = data.StructLayout({
            "tile": output_tile_layout(config),
            "act_anchors": data.ArrayLayout(8, config.rows),
            "weight_anchors": data.ArrayLayout(8, config.cols),
            "bias": FP32.width * config.cols,
        })
        # The array takes a tile's last beat `latency` cycles before it shows the results.
        entering, leaving = (Signal(tile_state, name=name, reset_less=True)
                             for name in ("entering", "leaving"))
        now = Signal(tile_state)
        with m.If(self.tile_ends):
            m.d.sync += [entering.tile.eq(self.tile), entering.act_anchors.eq(self.act_anchors),
                         entering.weight_anchors.eq(self.weight_anchors),
                         entering.bias.eq(self.bias)]
        m.d.comb += now.eq(Mux(self.captured, entering.as_value(), leaving.as_value()))
        is_tail = Signal()  # nothing of the tile is left after this group
        m.d.comb += is_tail.eq(now.tile.rows < config.drain_rows + 1)
        with m.If(self.row_valid):  # the anchors of a group are used up
            m.d.sync += [
                leaving.eq(now),
                leaving.act_anchors.eq(
                    now.act_anchors.as_value().shift_right(8 * config.drain_rows)),
                leaving.tile.rows.eq(Mux(is_tail, 0, now.tile.rows - config.drain_rows)),
            ]
        m.d.comb += [
            self.releases_act.eq(self.captured & now.tile.releases_act),
            self.releases_weight.eq(self.captured & now.tile.releases_weight),
            self.released_blocks.eq(now.tile.k_blocks),
        ]

        m.submodules.queue = queue = StreamFIFO(self.o.payload.shape(), depth=config.result_depth)
        groups = self._describe(m, now, is_tail, queue)
        self._add_biases(m, platform, leaving, self._normalize(m, platform, now), queue, groups)
        if config.vector_lanes:
            self._divide(m, now, queue)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        m.d.comb += self.row_left.eq(self.o.valid & self.o.ready)
        return m

    def _describe(self, m, now, is_tail, queue):
        """Carry beside a group what it is; return that for each cycle of its way."""
        members = result_rows_layout(self.config).members
        elsewhere = ("results", "factors")
        described = data.StructLayout({
            **{name: shape for name, shape in members.items() if name not in elsewhere},
            **({"at_drain": 1} if self.config.vector_lanes else {})})
        valid = Signal(name="valid_0")
        beside = Signal(described, name="beside_0")
        m.d.comb += [
            valid.eq(self.row_valid & (now.tile.rows != 0)),
            beside.rows.eq(Mux(is_tail, now.tile.rows, self.config.drain_rows)),
            beside.tile_last.eq(is_tail), beside.job_last.eq(is_tail & now.tile.job_last),
        ]
        m.d.comb += [beside[name].eq(now.tile[name])
                     for name in ("cols", "output", "token_tile", "part", "block_ends")]
        if self.config.vector_lanes:
            m.d.comb += [
                *(beside[name].eq(now.tile[name]) for name in ("at_drain", "through_lanes")),
                beside.columns_end.eq(now.tile.releases_weight),
                beside.group_ends.eq(now.tile.releases_act & now.tile.releases_weight)]
        groups = [(valid, beside)]
        for stage in range(self.latency):
            was_valid = Signal(name=f"valid_{stage + 1}")
            delayed = Signal(described, name=f"beside_{stage + 1}", reset_less=True)
            m.d.sync += [was_valid.eq(valid), delayed.eq(beside)]
            valid, beside = was_valid, delayed
            groups.append((valid, beside))
        m.d.comb += queue.i.valid.eq(valid)
        m.d.comb += [queue.i.p[name].eq(beside[name]) for name in members
                     if name not in elsewhere]
        return groups

    def _normalize(self, m, platform, now):
        """Normalize a group in one go; return a pattern per lane."""
        config = self.config
        patterns = []
        for row in range(min(config.drain_rows, config.rows)):
            for col in range(config.cols):
                lane = instantiate(
                    m, platform, lambda: Normalizer(
                        acc_width=config.acc_width, fraction_bits=config.fraction_bits),
                    module="normalizer", name=f"normalizer_{row}_{col}")
                act, weight = now.act_anchors[row], now.weight_anchors[col]
                m.d.comb += [
                    lane.i.accumulator.eq(self.rows[row * config.cols + col]),
                    lane.i.exponent_sum.eq(act + weight),
                    lane.i.is_nan.eq((act == NAN_EXPONENT) | (weight == NAN_EXPONENT)),
                ]
                patterns.append(lane.o)
        return patterns

    def _add_biases(self, m, platform, leaving, patterns, queue, groups):
        """Add a column's bias to all patterns of the column."""
        config = self.config
        # Biases change one cycle before their tile's first patterns do. Until then the tile is the
        # one that leaves, for the next is captured at least the array's latency later, 2 cycles.
        captured = self.captured
        for stage in range(Normalizer.latency - 1):
            delayed = Signal(name=f"captured_{stage + 1}")
            m.d.sync += delayed.eq(captured)
            captured = delayed
        bias = Signal.like(leaving.bias, name="bias_added", reset_less=True)
        has_bias = Signal(reset_less=True)
        with m.If(captured):
            m.d.sync += [bias.eq(leaving.bias), has_bias.eq(leaving.tile.has_bias)]
        if config.vector_lanes:
            self._raise(m, platform, patterns, bias, has_bias, queue, groups)
            return
        for index, pattern in enumerate(patterns):
            row, col = divmod(index, config.cols)
            adder = instantiate(m, platform, FP32Adder, module="fp32_adder",
                                name=f"bias_adder_{row}_{col}")
            m.d.comb += [
                adder.a.eq(pattern), adder.b.eq(bias.word_select(col, FP32.width)),
                adder.enable.eq(has_bias), queue.i.p.results[index].eq(adder.o),
            ]

    def _raise(self, m, platform, patterns, bias, has_bias, queue, groups):
        """Add biases, and make powers of two where that is all; count what does not exist."""
        config = self.config
        (_, at_function), (valid, leaving) = (groups[Normalizer.latency + NARROW[name]]
                                              for name in ("chosen", "is_valid"))
        saturated = []
        for index, pattern in enumerate(patterns):
            row, col = divmod(index, config.cols)
            lane = instantiate(m, platform, lambda: Lane(functions=("exp2",), is_full=False),
                               module="narrow_lane", name=f"lane_{row}_{col}")
            m.d.comb += [
                lane.i.eq(pattern), lane.addend.value.eq(bias.word_select(col, FP32.width)),
                lane.addend.enable.eq(has_bias),
                lane.chosen.eq(Mux(at_function.at_drain, Function.EXP2, Function.NONE)),
                lane.is_valid.eq((leaving.rows > row) & (leaving.cols > col)),
                queue.i.p.results[index].eq(lane.o)]
            saturated.append(lane.saturated)
        so_far, found = Signal(name="saturated_so_far"), Signal(name="has_saturated")
        m.d.comb += [
            found.eq(so_far | any_of(saturated)), self.saturated.payload.eq(found),
            self.saturated.valid.eq(valid & leaving.job_last & leaving.at_drain)]
        with m.If(valid):
            m.d.sync += so_far.eq(found & ~leaving.job_last)

    def _divide(self, m, now, queue):
        """Bring one over the sum of each row to the queue with the row."""
        for row in range(min(self.config.drain_rows, self.config.rows)):
            m.submodules[f"row_factor_{row}"] = factor = RowFactor(columns_max=self.config.k_max)
            m.d.comb += [factor.sum.eq(self.sums[row]), factor.largest.eq(now.act_anchors[row]),
                         factor.enable.eq(now.tile.sums)]
            value = factor.o
            for cycle in range(self.latency - factor.latency):
                delayed = Signal(value.shape(), name=f"factor_{row}_{cycle + 1}", reset_less=True)
                m.d.sync += delayed.eq(value)
                value = delayed
            m.d.comb += queue.i.p.factors[row].eq(value)
