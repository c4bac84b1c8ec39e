"""Proof of `hw.array.beat_issuer`."""

from amaranth import Cat, Mux, Signal, Value

import hw.array.beat_issuer as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.config import Config

CONFIG = Config.sized(rows=3, cols=2, k_max=32, drain_lanes=4)

INTERVAL = 4

DEPTH = CONFIG.result_depth


class BeatIssuerHarness(Harness):
    """Pairs of any flags and tiles of any rows; groups leave the queue at any time.

    The harness counts the beats that each pair is owed, and the groups between the array and the
    end of the queue.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.BeatIssuer(CONFIG, interval=INTERVAL)
        self.free_inputs(m, dut)
        self.offers_stay(m, dut.i, "i")
        pair, issue = dut.i.p.pair, dut.issue
        has_act, has_weight = dut.i.p.act.has_residual, dut.i.p.weight.has_residual
        self.assume(m, ~dut.i.valid | (pair.tile.rows > 0) & (pair.tile.rows <= CONFIG.rows))

        # H·H, then every product of a residual that is there, each once, in order.
        beats, index = Signal(3), Signal(2)
        m.d.comb += beats.eq((1 + has_act) * (1 + has_weight))
        is_last_beat = index == beats - 1
        m.d.sync += index.eq(Mux(dut.i.valid & dut.i.ready, 0, index + issue))
        residuals = Cat(dut.act_residual, dut.weight_residual)
        self.check(m, "residuals", ~issue | (residuals == Mux(
            beats == 2, Mux(has_act, index, index << 1), index)))
        self.check(m, "taken_with_the_last", dut.i.ready == (issue & is_last_beat))
        self.check(m, "only_of_a_pair", ~issue | dut.i.valid)
        self.check(m, "index", (index == 0) | dut.i.valid & (index < beats))
        self.check(m, "first", ~issue | (dut.first == (pair.first & (index == 0))))
        self.check(m, "last", ~issue | (dut.last == (pair.last & is_last_beat)))
        for name in ("act_address", "weight_address", "act_slot", "weight_slot", "tile"):
            self.check(m, name, ~issue | (Value.cast(getattr(dut, name))
                                          == Value.cast(getattr(pair, name))))
        beat = self.look("dut.beat", 2)
        self.check(m, "beat", beat == Mux(dut.i.valid & (beats == 2),
                                          Mux(has_act, index, index << 1), index))
        self._ends(m, dut, issue & pair.last & is_last_beat, pair, issue, is_last_beat)

    def _ends(self, m, dut, ends, pair, issue, is_last_beat):
        """A tile ends only with room for its groups, and some cycles after the one before."""
        groups = -(-CONFIG.rows // CONFIG.drain_rows)
        behind = Signal(range(2 * DEPTH))  # groups in the array and in the queue
        added = Signal(range(groups + 1))
        since = Signal(range(INTERVAL), init=INTERVAL - 1)  # cycles
        m.d.comb += added.eq(sum(pair.tile.rows > first
                                 for first in range(0, CONFIG.rows, CONFIG.drain_rows)))
        m.d.sync += [
            behind.eq(behind + Mux(ends, added, 0) - dut.row_left),
            since.eq(Mux(ends, 0, Mux(since == INTERVAL - 1, since, since + 1)))]
        self.assume(m, ~dut.row_left | (behind != 0))
        self.cover(m, "full", behind == DEPTH)
        self.check(m, "room_is_kept", behind <= DEPTH)
        self.check(m, "apart", ~ends | (since == INTERVAL - 1))
        self.check(m, "waits_for_room_alone", issue | ~dut.i.valid | pair.last & is_last_beat
                   & ((since < INTERVAL - 1) | (behind > DEPTH - groups)))
        self.check(m, "counted", self.look("dut.credits", DEPTH.bit_length()) == DEPTH - behind)
        self.check(m, "hold", self.look("dut.hold", 2) == INTERVAL - 1 - since)


PROOFS = (Proof(
    name="beat_issuer", make=BeatIssuerHarness, depth=1, steps=60,
    says="Each pair gets H·H and one beat for each product of residuals that are there, in order, "
         "and leaves with its last. A tile's last beat comes only when the queue has room for its "
         "results and an interval after the last one's; nothing else waits.",
    assumes="What i offers stays until it is taken; tiles have rows of the array.",
    bounds=f"A 3x2 machine that drains two rows a cycle; an interval of {INTERVAL}; without its "
           "counters.",
    mutants=(Mutant(module.__name__, "credits >= self.config.drain_cycles",
                    "credits >= self.config.drain_cycles - 1"),
             Mutant(module.__name__, "(walked.pair.tile.rows + (drain_rows - 1))",
                    "walked.pair.tile.rows"),
             Mutant(module.__name__, "hold.eq(self.interval - 1)", "hold.eq(self.interval - 2)"),
             Mutant(module.__name__, "[1] * has_act + [2] * has_weight",
                    "[2] * has_weight + [1] * has_act"))),)
