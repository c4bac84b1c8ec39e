"""Proof of `hw.results.part_joiner`."""

from amaranth import Array, Mux, Signal, Value

import hw.results.part_joiner as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BLOCK_SIZE, FP32
from hw.contract.config import Config
from hw.contract.job_codes import Output

CONFIG = Config.sized(rows=3, cols=4, k_max=16, drain_lanes=8, tile_slots=2)

DRAIN_ROWS, GROUPS = CONFIG.drain_rows, CONFIG.drain_cycles

PARTS = BLOCK_SIZE // CONFIG.cols

WIDTH = FP32.width


class PartJoinerHarness(Harness):
    """Parts of any tiles; one arbitrary element of an arbitrary row of a tile is followed."""

    def prove(self, m):
        m.submodules.dut = dut = module.PartJoiner(CONFIG)
        self.free_inputs(m, dut)
        rows, o, group = dut.i.p, dut.o, Signal(range(GROUPS))
        taken, ends = Signal(), Signal()
        m.d.comb += [taken.eq(dut.i.valid & dut.i.ready), ends.eq(taken & rows.block_ends)]
        with m.If(taken):
            m.d.sync += group.eq(Mux(rows.tile_last, 0, group + 1))
        self.assume(m, ~dut.i.valid | (rows.rows > 0) & (rows.rows <= DRAIN_ROWS)
                    & (rows.tile_last | (group < GROUPS - 1)))

        # The group whose rows leave, and what is next.
        held, busy, lane = Signal(rows.shape()), Signal(), Signal(range(DRAIN_ROWS))
        held_group, goes = Signal.like(group), Signal()
        row_last = lane == held.rows - 1
        m.d.comb += goes.eq(busy & o.ready)
        m.d.sync += [busy.eq(ends | (busy & ~(goes & row_last))),
                     lane.eq(Mux(goes, Mux(row_last, 0, lane + 1), lane))]
        with m.If(ends):
            m.d.sync += [held.eq(rows), held_group.eq(group)]
        self.check(m, "takes", dut.i.ready == (~rows.block_ends | ~busy | (goes & row_last)))
        self.check(m, "offers", o.valid == busy)
        self.check(m, "facts", ~busy | (o.p.row == held_group * DRAIN_ROWS + lane)
                   & (o.p.row_last == (held.tile_last & row_last))
                   & (o.p.job_last == (held.tile_last & held.job_last & row_last))
                   & (o.p.is_mx9 == (held.output == Output.MX9)))
        self.check(m, "within", (held_group < GROUPS) & Mux(
            busy, (held.rows <= DRAIN_ROWS) & (lane < held.rows), lane == 0))
        self.check(m, "kept", (self.look("dut.is_held") == busy)
                   & (self.look("dut.group", len(group)) == group)
                   & (self.look("dut.lane", len(lane)) == lane) & (~busy | (
                       self.look("dut.held", len(Value.cast(held))) == Value.cast(held))
                       & (self.look("dut.held_group", len(group)) == held_group)))
        self._follow(m, dut, taken, ends, group, busy, held, held_group, lane)

    def _follow(self, m, dut, taken, ends, group, busy, held, held_group, lane):
        """Remember the element of every part that comes for its row, and compare what leaves."""
        rows, o = dut.i.p, dut.o
        tile, place, mine = (self.free_constant(m, 1, name) for name in ("tile", "group", "lane"))
        element = self.free_constant(m, 4, "element")
        part, column = element[2:], element[:2]
        here, came = (rows.token_tile == tile) & (group == place), Signal(WIDTH)
        # Parts of a block come in order, each once.
        parts, value = Signal(range(PARTS)), Signal(WIDTH)
        self.assume(m, ~(dut.i.valid & here) | (rows.part == parts)
                    & (rows.block_ends | (parts < PARTS - 1)))
        m.d.comb += came.eq(_lane(rows.results.as_value(), mine, column))
        with m.If(taken & here):
            m.d.sync += parts.eq(Mux(rows.block_ends, 0, parts + 1))
            with m.If(parts == part):
                m.d.sync += value.eq(came)
        expected = Signal(WIDTH)
        with m.If(ends & here):
            m.d.sync += expected.eq(Mux(parts == part, came, Mux(parts > part, value, 0)))
        is_here = busy & (held.token_tile == tile) & (held_group == place)
        shown = is_here & (lane == mine)
        self.cover(m, "joined", shown & (held.part == 2) & (part == 1) & (mine == 1)
                   & (expected != 0))
        self.check(m, "element", ~shown | (
            Array(o.p.elements[each] for each in range(BLOCK_SIZE))[element] == expected))

        # What waits is in the memory, then behind it.
        size = WIDTH * CONFIG.drain_lanes
        words = Array(self.look(f"dut.words.words.contents[{word}]", (PARTS - 1) * size)
                      for word in range(CONFIG.tile_slots * GROUPS))
        word, read = Signal((PARTS - 1) * size), self.look("dut.words.read_data",
                                                            (PARTS - 1) * size)
        m.d.comb += word.eq(words[tile * GROUPS + place])
        waits = Signal()
        m.d.comb += waits.eq(parts > part)
        self.check(m, "waits", ~waits | (_lane(_part(word, part), mine, column) == value))
        self.check(m, "expected", ~is_here | Mux(
            held.part == part,
            expected == _lane(held.results.as_value(), mine, column),
            expected == Mux(held.part > part, _lane(_part(read, part), mine, column), 0)))


def _part(word, part):
    """Choose a part of a word of the memory."""
    size = WIDTH * CONFIG.drain_lanes
    return Array(word[size * each:size * (each + 1)] for each in range(PARTS - 1))[part]


def _lane(results, row, column):
    """Choose a result of a group."""
    rows = (results[WIDTH * CONFIG.cols * each:][:WIDTH * CONFIG.cols]
            for each in range(DRAIN_ROWS))
    chosen = Array(rows)[row]
    return Array(chosen[WIDTH * each:WIDTH * (each + 1)] for each in range(CONFIG.cols))[column]


PROOFS = (Proof(
    name="part_joiner", make=PartJoinerHarness, depth=1, steps=5, one_by_one=True,
    says="Every row of a group that ends its blocks leaves once, in order, with its place; each "
         "of its block's elements is that of the part that came for it, zero behind the last "
         "part. A part that waits is taken at once, one that ends a block when the rows before "
         "have left; a block a cycle while `o` takes them.",
    assumes="The parts of a block come in order, each once; a tile has as many groups as the array "
            "at most, and a group has rows.",
    bounds="Three rows of four columns, two rows in a group, two token tiles.",
    mutants=(Mutant(module.__name__, "self.i.ready.eq(~rows.block_ends | is_free)",
                    "self.i.ready.eq(1)"),
             Mutant(module.__name__, "held.part == part, arrived", "held.part <= part, arrived"),
             Mutant(module.__name__, "rows.token_tile * config.drain_cycles + group",
                    "rows.token_tile * config.drain_cycles"),
             Mutant(module.__name__, "lane.eq(Mux(ends, 0, lane + 1))", "lane.eq(lane + 1)"))),)
