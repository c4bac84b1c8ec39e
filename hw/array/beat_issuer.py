"""Turns pairs of blocks into beats of the array, one per cycle."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.contract.counts import BEAT_COUNTS
from hw.contract.job import report_signature
from hw.contract.output_tile import output_tile_layout

from .block_walker import walked_pair_layout


class BeatIssuer(wiring.Component):
    """Issue the beats of each block pair: H·H, then L·H, H·L and L·L as the precisions ask.

    A residual beat is skipped when that residual is zero in every lane. A tile's last beat waits
    until the array's result registers and the queue behind them are sure to have room; so nothing
    behind this point ever stalls.

    Parameters
    ----------
    config : Config
    interval : int
        Least cycles between the last beats of two tiles.

    Members
    -------
    i : In(stream of walked_pair_layout)
    walker_waits_for_act, walker_waits_for_weight : In(1)
    issue : Out(1)
        A beat leaves now; what follows belongs to it.
    act_address, weight_address, act_slot, weight_slot : Out
    act_residual, weight_residual : Out(1)
    first, last : Out(1)
        The beat is the first, the last one of its output tile.
    tile : Out(output_tile_layout)
    row_left : In(1)
        A group of `drain_rows` result rows left the queue behind the array.
    pair_ends, pair_first, pair_last : Out(1)
        With a vector unit: the beat that is issued is its block pair's last; that is its tile's
        first, its last.
    counts : Out(report_signature(BEAT_COUNTS))
    """

    def __init__(self, config, *, interval):
        self.config, self.interval = config, interval
        super().__init__({
            "i": In(stream.Signature(walked_pair_layout(config))),
            "walker_waits_for_act": In(1), "walker_waits_for_weight": In(1),
            "issue": Out(1),
            "act_address": Out(bits_for(config.act_depth - 1)),
            "weight_address": Out(bits_for(config.weight_depth - 1)),
            "act_slot": Out(bits_for(config.tile_slots - 1)),
            "weight_slot": Out(bits_for(config.weight_slots - 1)),
            "act_residual": Out(1), "weight_residual": Out(1),
            "first": Out(1), "last": Out(1), "tile": Out(output_tile_layout(config)),
            "row_left": In(1),
            **({"pair_ends": Out(1), "pair_first": Out(1), "pair_last": Out(1)}
               if config.vector_lanes else {}),
            "counts": Out(report_signature(BEAT_COUNTS)),
        })

    def elaborate(self, platform):
        m = Module()
        walked = self.i.p
        # The beat as (weight residual, act residual): 00, then 01, 10, 11 as far as they exist.
        beat = Signal(2)
        next_beat = Signal(2)
        pair_ends = Signal()
        with m.Switch(Cat(beat, walked.act.has_residual, walked.weight.has_residual)):
            for has_weight in (0, 1):
                for has_act in (0, 1):
                    order = [0] + [1] * has_act + [2] * has_weight + [3] * (has_act & has_weight)
                    for now, after in zip(order, [*order[1:], 0], strict=True):
                        with m.Case(now | has_act << 2 | has_weight << 3):
                            m.d.comb += [next_beat.eq(after), pair_ends.eq(now == order[-1])]

        credits = Signal(range(self.config.result_depth + 1), init=self.config.result_depth)
        hold = Signal(range(max(2, self.interval)))
        can_end = Signal()
        m.d.comb += [
            can_end.eq((hold == 0) & (credits >= self.config.drain_cycles)),
            self.last.eq(walked.pair.last & pair_ends),
            self.issue.eq(self.i.valid & (can_end | ~self.last)),
            self.i.ready.eq(self.issue & pair_ends),
            self.first.eq(walked.pair.first & (beat == 0)),
            Cat(self.act_residual, self.weight_residual).eq(beat),
            self.act_address.eq(walked.pair.act_address),
            self.weight_address.eq(walked.pair.weight_address),
            self.act_slot.eq(walked.pair.act_slot), self.weight_slot.eq(walked.pair.weight_slot),
            self.tile.eq(walked.pair.tile),
        ]
        if self.config.vector_lanes:
            m.d.comb += [self.pair_ends.eq(self.issue & pair_ends),
                         self.pair_first.eq(walked.pair.first),
                         self.pair_last.eq(walked.pair.last)]
        with m.If(self.issue):
            m.d.sync += beat.eq(next_beat)
        ends = Signal()
        m.d.comb += ends.eq(self.issue & self.last)
        drain_rows = self.config.drain_rows  # a power of two
        groups = (walked.pair.tile.rows + (drain_rows - 1)) >> (drain_rows - 1).bit_length()
        m.d.sync += credits.eq(credits + self.row_left - Mux(ends, groups, 0))
        with m.If(ends):
            m.d.sync += hold.eq(self.interval - 1)
        with m.Elif(hold != 0):
            m.d.sync += hold.eq(hold - 1)
        self._count(m, walked, pair_ends, ends & walked.pair.tile.job_last)
        return m

    def _count(self, m, walked, pair_ends, job_ends):
        """Add up counters, a cycle later; a cycle without a beat has one cause at most."""
        wanted = Mux(walked.act.is_mx9, 2, 1) << walked.weight.is_mx9
        issued = Mux(walked.act.has_residual, 2, 1) << walked.weight.has_residual
        waits_for_act, waits_for_weight = self.walker_waits_for_act, self.walker_waits_for_weight
        ended = Signal()
        m.d.sync += ended.eq(job_ends)
        counts = Signal(BEAT_COUNTS)
        total = Signal(BEAT_COUNTS)
        for name, more in (
            ("beats", self.issue),
            ("skipped", Mux(self.issue & pair_ends, wanted - issued, 0)[:2]),
            ("result_stalls", self.i.valid & ~self.issue),
            ("act_stalls", ~self.i.valid & waits_for_act),
            ("weight_stalls", ~self.i.valid & ~waits_for_act & waits_for_weight),
        ):
            added = Signal(len(more), name=f"added_{name}")
            m.d.sync += added.eq(more)
            m.d.comb += total[name].eq(counts[name] + added)
        m.d.comb += [self.counts.payload.eq(total), self.counts.valid.eq(ended)]
        m.d.sync += counts.eq(Mux(ended, 0, total.as_value()))
