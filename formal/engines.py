"""Proof of `hw.engines`: those who wait for each other never do so in a circle."""

from amaranth import Cat, Mux, Signal
from amaranth.lib import data

import hw.array.mac_array
import hw.engines as module
import hw.operands.weight_loader
import hw.results.result_path
from formal.fifo import FIFOInside
from formal.harness import Harness
from formal.hollow import with_hollows
from formal.proof import Mutant, Proof
from golden.formats import FP32
from hw.array.block_walker import QUEUE_DEPTH, block_pair_layout, walked_pair_layout
from hw.contract.config import Config
from hw.contract.job import job_layout
from hw.contract.output_tile import output_tile_layout

CONFIG = Config.sized(rows=2, cols=2, k_max=32, drain_lanes=2, acc_width=20, tile_slots=2,
                      act_depth=3, cell_stages=0, float_formats=("fp32",), act_bytes=4, tables=1)

CUT_OFF = ((module, ("ActivationPath", "TileRouter", "MXPacker", "ResultWriter", "Scoreboard",
                     "OperandStore", "JobQueue")),
           (hw.operands.weight_loader, ("ChunkReader",)),
           (hw.array.mac_array, ("MACRow",)),
           (hw.results.result_path, ("Normalizer", "FP32Adder")))
"""Components whose outputs are anything, and where they are named."""

DEPTH = CONFIG.result_depth

STATE_BITS = (output_tile_layout(CONFIG).size + 8 * (CONFIG.rows + CONFIG.cols)
              + FP32.width * CONFIG.cols)
"""Of what `ResultPath` keeps of a tile; the tile is lowest, its rows first."""

LATENCY = hw.results.result_path.drain_latency(CONFIG)


class EnginesHarness(Harness):
    """What walks, issues, drains and stores is real, as it is connected; all else is anything.

    Tiles are counted from the cycle in which they take room to that in which they give it back:
    those that come, that wait, that the walker holds, and that are behind it.
    """

    def prove(self, m):
        dut = module.Engines(CONFIG)
        m.submodules.dut, self.hollow = with_hollows(self, dut, CUT_OFF)
        self.free_inputs(m, dut)
        (queue,) = self.hollow["JobQueue"]
        for jobs in queue.o:
            self.assume(m, ~jobs.valid | _can_be(jobs.p))
        self._behind(m)
        self._walker(m)
        self._tiles(m)
        self._results(m)
        self._circle(m)

    def _behind(self, m):
        """List where a tile can be between the walker and its capture."""
        look, pair_layout = self.look, block_pair_layout(CONFIG)
        pair = data.View(pair_layout, look("dut.walker.pair", pair_layout.size))
        self.arriving = look("dut.walker.arriving")
        layout = walked_pair_layout(CONFIG)
        fifo = self.fifo = FIFOInside(self, m, "dut.walker.queue", width=layout.size,
                                      depth=QUEUE_DEPTH)
        stored = Signal(range(fifo.depth + 1))
        m.d.comb += stored.eq(fifo.level - fifo.is_offered)
        words = [(fifo.is_offered, fifo.offered)]
        for index in range(fifo.depth):
            ahead = Mux(fifo.read_at > index, index + fifo.depth - fifo.read_at,
                        index - fifo.read_at)
            words.append((ahead < stored, fifo.words[index]))
        self.pairs = [(self.arriving, pair), *(
            (is_there, data.View(layout, word).pair) for is_there, word in words)]
        self.hold = look("dut.issuer.hold", 1)
        self.ends = Signal()  # a tile's last beat enters the array
        flies, self.captured = look("dut.array.control_1", 2)[1], look("dut.array.captured")
        tile_layout = pair_layout["tile"].shape
        m.d.comb += self.ends.eq(look("dut.result_path.tile_ends"))
        tile = data.View(tile_layout, look("dut.result_path.tile", tile_layout.size))
        state = look("dut.result_path.entering", STATE_BITS)
        entering = data.View(tile_layout, state[:tile_layout.size])
        self.flying = [(self.ends, tile), (flies, entering), (self.captured, entering)]
        self.assume(m, ~self.arriving | (pair.tile.rows > 0) & (pair.tile.rows <= CONFIG.rows))
        for index, (is_there, tile) in enumerate(
                [*((there, pair.tile) for there, pair in self.pairs), *self.flying]):
            self.check(m, f"tile_{index}", ~is_there | _can_be(tile)
                       & (tile.rows > 0) & (tile.rows <= CONFIG.rows))
        self.check(m, "apart", (self.hold == self.ends) & ~(self.ends & flies)
                   & ~(flies & self.captured))
        self.check(m, "room_in_the_queue", (fifo.level + self.arriving <= QUEUE_DEPTH)
                   & (fifo.is_offered | (fifo.level <= 1)))

    def _walker(self, m):
        """Count what the walker holds; take for granted what is proven of it."""
        def look(name, width=1):
            return self.look(f"dut.walker.{name}", width)
        self.busy, self.step = look("busy"), look("step")
        self.waits = {name: look(f"waits_for_{name}") for name in ("act", "weight")}
        job = data.View(job_layout(CONFIG), look("job", job_layout(CONFIG).size))
        self.check(m, "walkers_job", ~self.busy | _can_be(job))
        k_blocks = self.k_blocks = job.k_blocks
        self.begins = {name: self.step & look(f"needs_{name}") for name in self.waits}
        ends = {"act": look("tile_ends") & look("columns.is_last"), "weight": look("pass_ends")}
        self.held = {name: Signal(4, name=f"held_{name}") for name in self.waits}
        self.held_blocks = {name: Signal(8, name=f"held_{name}_blocks") for name in self.waits}
        for name, end in ends.items():
            held, blocks, begins = self.held[name], self.held_blocks[name], self.begins[name]
            m.d.sync += [held.eq(held + begins - end),
                         blocks.eq(blocks + Mux(begins, k_blocks, 0) - Mux(end, k_blocks, 0))]
            self.assume(m, ~end | begins | (held != 0) & (blocks >= k_blocks))
        self.assume(m, ~self.waits["act"] | (self.held["act"] < CONFIG.tile_slots)
                    & (self.held_blocks["act"] + k_blocks <= CONFIG.act_depth))
        self.assume(m, ~self.waits["weight"] | (self.held["weight"] == 0)
                    & (self.held_blocks["weight"] == 0))

    def _tiles(self, m):
        """Say where all tiles are that have taken room."""
        look = self.look
        (reader,) = self.hollow["ChunkReader"]
        begins, ends = Signal(), look("dut.weight_loader.tile_ends")
        self.packets = Signal(3)  # under way
        self.offers_a_packet = reader.packets.valid
        m.d.comb += begins.eq(reader.packets.valid & reader.packets.ready)
        m.d.sync += self.packets.eq(self.packets + begins - ends)
        self.assume(m, ~ends | (self.packets != 0))
        job = data.View(job_layout(CONFIG), look("dut.weight_loader.job", job_layout(CONFIG).size))
        self.loads = look("dut.weight_loader.busy")
        self.check(m, "loaders_job", ~self.loads | _can_be(job))
        self.in_tile = look("dut.tile_writer.in_tile")
        self.ready = {}
        self.writes = look("dut.tile_writer.jobs__valid")
        for name, store, slots, depth, comes, stores in (
                ("act", "tile_writer", CONFIG.tile_slots, CONFIG.act_depth, self.in_tile,
                 self.writes),
                ("weight", "weight_loader", CONFIG.weight_slots, CONFIG.weight_depth,
                 self.packets, self.loads)):
            self.ready[name] = look(f"dut.{store}.ready")
            space, k_blocks = f"dut.{store}.space", self.k_blocks
            waiting = look(f"dut.walker.{name}_tiles_ahead", slots.bit_length())
            come, behind, used = (Signal(8, name=f"{name}_{which}")
                                  for which in ("come", "behind", "used"))
            m.d.comb += [come.eq(comes + self.ready[name] + waiting),
                         behind.eq(self._behind_the_walker(name, lambda _: 1)),
                         used.eq(come + self.held[name] + behind)]
            self.check(m, f"{name}_slots", (used <= slots) & (look(
                f"{space}.free_slots", slots.bit_length()) == slots - used))

            # A tile has as many K-blocks for the walker as for who stores it.
            blocks, used_blocks = (Signal(bits, name=f"{name}_blocks_{which}")
                                   for which, bits in (("come", 8), ("used", 10)))
            takes, new = look(f"{space}.take"), look(f"{space}.blocks", 2)
            begins = self.begins[name]
            m.d.sync += blocks.eq(blocks + Mux(takes, new, 0) - Mux(begins, k_blocks, 0))
            m.d.comb += used_blocks.eq(
                blocks + self.held_blocks[name]
                + self._behind_the_walker(name, lambda tile: tile.k_blocks))
            self.assume(m, ~begins | Mux(come == 1, blocks == k_blocks, blocks >= k_blocks))
            self.assume(m, ~(self.waits[name] & stores & (come == 0)) | (new == k_blocks))
            self.check(m, f"{name}_blocks", ((come != 0) | (blocks == 0)) & (used_blocks <= depth)
                       & (look(f"{space}.free_blocks", depth.bit_length())
                          == depth - used_blocks))

    def _behind_the_walker(self, name, number):
        """Add up a number of each tile that is to be given back and has not been captured."""
        tiles = [*((is_there & pair.last, pair.tile) for is_there, pair in self.pairs),
                 *self.flying]
        return sum(Mux(is_there & tile[f"releases_{name}"], number(tile), 0)
                   for is_there, tile in tiles)

    def _results(self, m):
        """Say where all groups are for which the issuer has taken room."""
        look, path = self.look, "dut.result_path"
        left = look("dut.array.cycles_left", 2)
        leaving = look(f"{path}.leaving", STATE_BITS)[:2]  # rows
        valid = [look(f"{path}.valid_{stage}") for stage in range(1, LATENCY + 1)]
        stored = look(f"{path}.queue.memory.stored", DEPTH.bit_length())
        is_offered, is_behind, is_read = (look(f"{path}.queue.head.{name}") for name in (
            "is_offered", "is_behind", "i__valid"))
        self.inside, self.drains = Signal(range(DEPTH + 4)), Signal()
        self.piped = Cat(valid).any()
        drained = Mux(self.captured | (left == 0), 0, leaving)
        m.d.comb += [self.inside.eq(stored + is_offered + is_behind + is_read),
                     self.drains.eq(left != 0)]
        self.behind = Signal(range(2 * DEPTH))
        m.d.comb += self.behind.eq(sum((Mux(there, tile.rows, 0) for there, tile in self.flying),
                                       drained) + sum(valid) + self.inside)
        self.check(m, "groups", (self.behind <= DEPTH) & (
            look("dut.issuer.credits", DEPTH.bit_length()) == DEPTH - self.behind))
        self.check(m, "drains", (self.captured == (left == CONFIG.drain_cycles))
                   & (left <= CONFIG.drain_cycles) & (drained <= left))
        self.check(m, "queue", (stored <= DEPTH) & (~is_behind | is_offered))
        self.check(m, "queue_takes", ~valid[-1] | look(f"{path}.queue.i__ready"))

    def _circle(self, m):
        """Where nothing moves, a stream is waited for."""
        look, (writer,) = self.look, self.hollow["ResultWriter"]
        stalls = writer.results.valid & ~writer.results.ready
        moves = Cat(self.step, self.arriving, look("dut.issuer.issue"), self.hold != 0,
                    (self.fifo.level != 0) & ~self.fifo.is_offered,
                    *(there for there, _ in self.flying), self.drains, self.piped,
                    (self.inside != 0) & ~stalls, *self.ready.values()).any()
        works = self.busy | (self.fifo.level != 0) | (self.behind != 0)
        (router,) = self.hollow["TileRouter"]
        writes = router.operands.ready | ~self.writes
        loads = (self.packets != 0) | ~self.loads | self.offers_a_packet
        stuck = works & ~moves
        self.cover(m, "waits_for_act", stuck & self.waits["act"] & (self.held["act"] != 0))
        self.cover(m, "waits_for_weight", stuck & self.waits["weight"] & (self.packets == 0))
        self.cover(m, "waits_for_the_reader", stuck & stalls)
        self.check(m, "no_circle", ~stuck | stalls | (self.waits["act"] & writes)
                   | (self.waits["weight"] & loads))


def _can_be(described):
    """Tell whether a job or a tile has as many K-blocks as there can be."""
    return (described.k_blocks > 0) & (described.k_blocks <= CONFIG.k_blocks_max)


PROOFS = (Proof(
    name="engines", make=EnginesHarness, depth=1, steps=24,
    says="While a job is at the walker, or results are due, something moves in every cycle, or the "
         "walker waits for a tile and whoever stores it waits for its stream or its job alone, or "
         "the results wait for their reader. Every tile that has taken room comes, waits, is held "
         "by the walker or is behind it, and gives its room back when it is captured; so with "
         "every group of results that the issuer has taken room for.",
    assumes="What `block_walker` and `chunk_reader` prove: what the walker holds leaves room for "
            "the tile that it waits for; a tile has rows; no more column tiles end than begin. A "
            "tile has as many K-blocks for the walker as for who stores it.",
    bounds="A 2x2 machine of K_MAX 32, three blocks of A and two slots, as `Engines` connects it. "
           "Real are `BlockWalker`, `BeatIssuer`, `TileWriter`, `WeightLoader`, `ResultPath` and "
           "the control of `MACArray`; activation path, router, reader, stores, result writer, job "
           "queue and all arithmetic are cut off and hand out anything.",
    mutants=(Mutant(module.__name__, "tile_writer.released.eq(result_path.releases_act)",
                    "tile_writer.released.eq(result_path.releases_weight)"),
             Mutant(module.__name__, "issuer.row_left.eq(result_path.row_left)",
                    "issuer.row_left.eq(0)"),
             Mutant(module.__name__, "walker.weight_ready.eq(weight_loader.ready)",
                    "walker.weight_ready.eq(tile_writer.ready)"),
             Mutant(module.__name__, "interval=max(config.drain_cycles, array.latency)",
                    "interval=1"),
             Mutant("hw.array.beat_issuer", "credits >= self.config.drain_cycles",
                    "credits > self.config.result_depth"))),)
