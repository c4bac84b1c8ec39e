"""Proof of `hw.results.result_path`."""

from itertools import pairwise

from amaranth import Array, Cat, Mux, Signal, Value
from amaranth.lib import data

import hw.results.result_path as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import FP32
from hw.array.mac_array import array_latency
from hw.contract.block_bits import NAN_EXPONENT
from hw.contract.config import Config
from hw.contract.output_tile import output_tile_layout
from hw.contract.result_rows import result_rows_layout
from hw.results.normalizer import Normalizer

CONFIG = Config.sized(rows=3, cols=2, k_max=16, drain_lanes=4, acc_width=20, tile_slots=2,
                      cell_stages=0)

GROUPS, DRAIN_ROWS, DEPTH = CONFIG.drain_cycles, CONFIG.drain_rows, CONFIG.result_depth

STATE = data.StructLayout({
    "tile": output_tile_layout(CONFIG), "act_anchors": data.ArrayLayout(8, CONFIG.rows),
    "weight_anchors": data.ArrayLayout(8, CONFIG.cols), "bias": FP32.width * CONFIG.cols})

BESIDE = ("cols", "output", "token_tile", "part", "block_ends")
"""What a group has of its tile."""

GROUP = data.StructLayout({name: shape for name, shape in result_rows_layout(CONFIG).members.items()
                           if name != "results"})


class ResultPathHarness(Harness):
    """Tiles of any rows, as near each other as the array lets them be; the numbers are anything.

    The array is its control: a tile is captured its latency after its last beat, and drains for as
    many cycles as there are groups. The arithmetic is cut off and hands out anything.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.ResultPath(CONFIG)
        self.free_inputs(m, dut, but=("captured", "row_valid"))
        self._array(m, dut)
        self.groups = self._groups(m)
        self._releases(m, dut)
        self._enter(m, dut)
        self._arithmetic(m, dut)
        self._room(m, dut)
        self._look_inside(m)

    def _array(self, m, dut):
        """Carry a tile through the array, then let it drain."""
        new, current = Signal(STATE), Signal(STATE)
        self.current = current
        m.d.comb += [new[name].eq(getattr(dut, name)) for name in STATE.members]
        self.assume(m, ~dut.tile_ends | (new.tile.rows > 0) & (new.tile.rows <= CONFIG.rows))
        self.since_end, flies = Signal(), dut.tile_ends  # a tile's last beat was a cycle ago
        m.d.sync += self.since_end.eq(dut.tile_ends)
        self.assume(m, ~(self.since_end & dut.tile_ends))
        self.flying = []
        for stage in range(array_latency(CONFIG)):
            was, tile = Signal(name=f"flies_{stage}"), Signal(STATE, name=f"flying_{stage}")
            m.d.sync += [was.eq(flies), tile.eq(new)]
            flies, new = was, tile
            self.flying.append((was, tile))
        self.captured = flies
        self.group = Signal(range(GROUPS + 1), init=GROUPS)  # the next of those that drain
        self.drains, self.now, self.at = Signal(), Signal(STATE), Signal(range(GROUPS))
        m.d.comb += [self.now.eq(Mux(flies, Value.cast(new), Value.cast(current))),
                     self.at.eq(Mux(flies, 0, self.group)),
                     self.drains.eq(flies | (self.group != GROUPS)),
                     dut.captured.eq(flies), dut.row_valid.eq(self.drains)]
        m.d.sync += [current.eq(self.now)]
        with m.If(self.drains):
            m.d.sync += self.group.eq(self.at + 1)

    def _groups(self, m):
        """Say which group drains now, and carry that on beside the numbers."""
        comes, group = Signal(), Signal(GROUP)
        tile, left = self.now.tile, Signal(range(CONFIG.rows + 1))
        is_last = left <= DRAIN_ROWS
        m.d.comb += [
            comes.eq(self.drains & (tile.rows > self.at * DRAIN_ROWS)),
            left.eq(tile.rows - self.at * DRAIN_ROWS),
            group.rows.eq(Mux(is_last, left, DRAIN_ROWS)), group.tile_last.eq(is_last),
            group.job_last.eq(is_last & tile.job_last),
            *[group[name].eq(tile[name]) for name in BESIDE]]
        stages = [(comes, group)]
        for stage in range(1, module.drain_latency(CONFIG) + 1):
            was, held = Signal(name=f"came_{stage}"), Signal(GROUP, name=f"group_{stage}")
            m.d.sync += [was.eq(stages[-1][0]), held.eq(stages[-1][1])]
            stages.append((was, held))
            self.check(m, f"stage_{stage}", (self.look(f"dut.valid_{stage}") == was) & (
                ~was | (self.look(f"dut.beside_{stage}", GROUP.size) == Value.cast(held))))
        return stages

    def _releases(self, m, dut):
        tile = self.now.tile
        self.check(m, "releases", (dut.releases_act == (self.captured & tile.releases_act))
                   & (dut.releases_weight == (self.captured & tile.releases_weight))
                   & (~self.captured | (dut.released_blocks == tile.k_blocks)))

    def _enter(self, m, dut):
        """Say what enters the queue, and that the queue's other end is the module's."""
        layout = result_rows_layout(CONFIG)
        entering = self.look("dut.queue.i__payload", layout.size)
        self.entering = data.View(layout, entering).results
        comes, group = self.groups[-1]
        self.check(m, "enters", self.look("dut.queue.i__valid") == comes)
        self.check(m, "group", ~comes | (entering[-GROUP.size:] == Value.cast(group)))
        self.check(m, "leaves", (dut.o.valid == self.look("dut.queue.head.o__valid"))
                   & (Value.cast(dut.o.p) == self.look("dut.queue.head.o__payload", layout.size))
                   & (self.look("dut.queue.head.o__ready") == dut.o.ready)
                   & (dut.row_left == (dut.o.valid & dut.o.ready)))

    def _arithmetic(self, m, dut):
        """Compare what the cut-off arithmetic is given, and what is taken of it."""
        self.biases = [self.current]  # of the tile that drained a cycle ago, two, three
        for cycle in range(2, Normalizer.latency + 1):
            before = Signal(STATE, name=f"drained_{cycle}")
            m.d.sync += before.eq(self.biases[-1])
            self.biases.append(before)
        exponents = data.StructLayout({"accumulator": CONFIG.acc_width, "sum": 9, "is_nan": 1})
        comes, group = self.groups[0]
        for index in range(CONFIG.drain_lanes):
            row, col = divmod(index, CONFIG.cols)
            given = data.View(exponents, self.look(f"dut.normalizer_{row}_{col}.i",
                                                   exponents.size))
            act, weight = Signal(8, name=f"act_{index}"), self.now.weight_anchors[col]
            m.d.comb += act.eq(Array(self.now.act_anchors)[self.at * DRAIN_ROWS + row])
            self.check(m, f"normalizes_{index}", ~comes | (row >= group.rows) | (
                given.accumulator == dut.rows[index].as_unsigned()) & (given.sum == act + weight)
                & (given.is_nan == ((act == NAN_EXPONENT) | (weight == NAN_EXPONENT))))
            normal = self.cut(f"dut.normalizer_{row}_{col}.o", FP32.width)
            adder = f"dut.bias_adder_{row}_{col}"
            tile = self.biases[-1]
            self.check(m, f"adds_{index}", ~self.groups[Normalizer.latency][0] | (
                self.look(f"{adder}.a", FP32.width) == normal)
                & (self.look(f"{adder}.b", FP32.width) == tile.bias.word_select(col, FP32.width))
                & (self.look(f"{adder}.enable") == tile.tile.has_bias))
            self.check(m, f"result_{index}", self.entering[index] == self.cut(
                f"{adder}.o", FP32.width))

    def _room(self, m, dut):
        """Let tiles end as the issuer does: only if the queue has room for their groups."""
        behind = Signal(range(2 * DEPTH))
        ends, left = dut.tile_ends, dut.row_left
        m.d.sync += behind.eq(behind + Mux(ends, _groups_of(dut.tile), 0) - left)
        self.assume(m, ~ends | (behind + _groups_of(dut.tile) <= DEPTH))
        stored = self.look("dut.queue.memory.stored", DEPTH.bit_length())
        is_offered, is_behind, is_read = (self.look(f"dut.queue.head.{name}") for name in (
            "is_offered", "is_behind", "i__valid"))
        takes = self.look("dut.queue.i__ready")
        inside, drained = Signal(range(DEPTH + 4)), Signal(range(GROUPS + 1))
        m.d.comb += [inside.eq(stored + is_offered + is_behind + is_read),
                     drained.eq(Mux(self.group < _groups_of(self.current.tile),
                                    _groups_of(self.current.tile) - self.group, 0))]
        self.cover(m, "full", inside == DEPTH)
        self.check(m, "is_taken", ~self.groups[-1][0] | takes)
        self.check(m, "queue", (stored <= DEPTH) & (takes == (stored != DEPTH))
                   & (~is_behind | is_offered))
        self.check(m, "counted", (behind <= DEPTH) & (behind == sum(
            (Mux(flies, _groups_of(tile.tile), 0) for flies, tile in self.flying), drained)
            + sum(comes for comes, _ in self.groups[1:]) + inside))

    def _look_inside(self, m):
        """State what the registers mean: of the tile that flies, of that which drains."""
        look, current, size = self.look, self.current, STATE.size
        entering = look("dut.entering", size)
        for stage, (flies, tile) in enumerate(self.flying):
            self.check(m, f"flies_{stage}", ~flies | (entering == Value.cast(tile)) & (
                tile.tile.rows > 0) & (tile.tile.rows <= CONFIG.rows))
        # Tiles end with a cycle between, so all that follows one does.
        was_captured = [self.captured, look("dut.captured_1"), look("dut.captured_2")]
        follows = [self.since_end, *(flies for flies, _ in self.flying[1:]), *was_captured[1:]]
        self.check(m, "apart", ~Cat(a & b for a, b in pairwise(follows)).any()
                   & (self.since_end == self.flying[0][0]))
        self.check(m, "drains", self.group == Mux(was_captured[1], 1, GROUPS))

        leaving = data.View(STATE, look("dut.leaving", size))
        known = [Signal(name=f"captured_before_{cycle}") for cycle in range(4)]
        m.d.comb += known[0].eq(self.captured)
        m.d.sync += [after.eq(after | before) for before, after in pairwise(known)]
        rows, gone = current.tile.rows, self.group * DRAIN_ROWS
        self.check(m, "leaving", ~known[1] | (leaving.bias == current.bias)
                   & (leaving.weight_anchors == current.weight_anchors)
                   & (leaving.tile.rows == Mux(rows > gone, rows - gone, 0))
                   & (rows > 0) & (rows <= CONFIG.rows))
        self.check(m, "tile", ~known[1] | Cat(
            leaving.tile[name] == current.tile[name] for name in output_tile_layout(CONFIG).members
            if name != "rows").all())
        self.check(m, "anchors", ~known[1] | Cat(
            (gone + row >= CONFIG.rows)
            | (leaving.act_anchors[row] == Array(current.act_anchors)[gone + row])
            for row in range(CONFIG.rows)).all())
        # A tile's biases are there when its first group has been normalized.
        for cycle in (1, 2):
            self.check(m, f"same_tile_{cycle}", was_captured[cycle] | ~known[cycle + 1] | (
                Value.cast(self.biases[cycle]) == Value.cast(self.biases[cycle - 1])))
        shown = self.biases[-1]
        self.check(m, "bias", ~known[3] | (look("dut.bias_added", len(shown.bias)) == shown.bias)
                   & (look("dut.has_bias") == shown.tile.has_bias))
        self.check(m, "known", Cat(
            (known[cycle] | ~(known[cycle + 1] | self.groups[cycle][0] | was_captured[cycle]))
            & (known[cycle + 1] | ~known[cycle] | was_captured[cycle]) for cycle in (1, 2)).all()
            & (known[3] | ~self.groups[3][0]))


def _groups_of(tile):
    """Count the groups of a tile's rows."""
    return sum(tile.rows > first for first in range(0, CONFIG.rows, DRAIN_ROWS))


PROOFS = (Proof(
    name="result_path", make=ResultPathHarness, depth=1, steps=36,
    says="Of each captured tile every group with rows enters the queue once, in order, the "
         "latency of the arithmetic after it drained, with what it is; each lane is given its "
         "accumulator, its row's and its column's anchors and its tile's bias in the right cycle, "
         "and its result is taken in the right one. The queue takes every group. A tile's releases "
         "rise once, when it is captured.",
    assumes="A tile's last beat comes only when the queue has room for its results, as "
            "`beat_issuer` proves it; the array captures a tile its latency later, and drains it.",
    bounds="A 3x2 machine that drains two rows a cycle, cells without a register, tiles as near "
           "each other as can be. The arithmetic is cut off and hands out anything.",
    mutants=(Mutant(module.__name__, "is_tail.eq(now.tile.rows < config.drain_rows + 1)",
                    "is_tail.eq(now.tile.rows < config.drain_rows)"),
             Mutant(module.__name__, "valid.eq(self.row_valid & (now.tile.rows != 0))",
                    "valid.eq(self.row_valid)"),
             Mutant(module.__name__, "range(Normalizer.latency - 1)", "range(Normalizer.latency)"),
             Mutant(module.__name__, "self.releases_act.eq(self.captured & now",
                    "self.releases_act.eq(self.row_valid & now"),
             Mutant(module.__name__, "shift_right(8 * config.drain_rows)", "shift_right(8)"))),)
