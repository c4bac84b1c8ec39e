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
           (hw.results.result_path, ("Normalizer", "BiasAdder")))
"""Components whose outputs are anything, and where they are named."""

DEPTH = CONFIG.result_depth

STATE_BITS = (output_tile_layout(CONFIG).size + 8 * (CONFIG.rows + CONFIG.cols)
              + FP32.width * CONFIG.cols)
"""Of what `ResultPath` keeps of a tile; the tile is lowest, its rows first."""

LATENCY = hw.results.result_path.ResultPath.latency


class EnginesHarness(Harness):
    """What walks, issues, drains and stores is real, as it is connected; all else is anything.

    Tiles are counted from the cycle in which they take room to that in which they give it back:
    those that come, that wait, that the walker holds, and that are behind it.
    """

    def prove(self, m):
        dut = module.Engines(CONFIG)
        m.submodules.dut, self.hollow = with_hollows(self, dut, CUT_OFF)
        self.free_inputs(m, dut)
        self.k_blocks = self.free_constant(m, 2, "k_blocks")
        self.assume(m, (self.k_blocks > 0) & (self.k_blocks <= CONFIG.k_blocks_max))
        (queue,) = self.hollow["JobQueue"]
        for jobs in queue.o:
            self.assume(m, ~jobs.valid | (jobs.p.k_blocks == self.k_blocks))
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
            self.check(m, f"tile_{index}", ~is_there | (tile.k_blocks == self.k_blocks)
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
        begins = {name: self.step & look(f"needs_{name}") for name in ("act", "weight")}
        ends = {"act": look("tile_ends") & look("columns.is_last"), "weight": look("pass_ends")}
        self.held = {name: Signal(4, name=f"held_{name}") for name in begins}
        for name, held in self.held.items():
            m.d.sync += held.eq(held + begins[name] - ends[name])
            self.assume(m, ~ends[name] | (held != 0) | begins[name])
        acts = self.held["act"]
        self.assume(m, ~self.waits["act"] | (acts < CONFIG.tile_slots)
                    & ((acts + 1) * self.k_blocks <= CONFIG.act_depth))
        self.assume(m, ~self.waits["weight"] | (self.held["weight"] == 0))
        job = data.View(job_layout(CONFIG), look("job", job_layout(CONFIG).size))
        self.check(m, "walkers_job", ~self.busy | (job.k_blocks == self.k_blocks))

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
        self.check(m, "loaders_job", ~self.loads | (job.k_blocks == self.k_blocks))
        self.in_tile = look("dut.tile_writer.in_tile")
        self.ready = {}
        for name, store, slots, depth, comes in (
                ("act", "tile_writer", CONFIG.tile_slots, CONFIG.act_depth, self.in_tile),
                ("weight", "weight_loader", CONFIG.weight_slots, CONFIG.weight_depth,
                 self.packets)):
            self.ready[name] = look(f"dut.{store}.ready")
            waiting = look(f"dut.walker.{name}_tiles_ahead", slots.bit_length())
            behind = sum((there & pair.last & pair.tile[f"releases_{name}"]
                          for there, pair in self.pairs), sum(
                there & tile[f"releases_{name}"] for there, tile in self.flying))
            used = Signal(8, name=f"{name}_slots")
            m.d.comb += used.eq(comes + self.ready[name] + waiting + self.held[name] + behind)
            self.check(m, f"{name}_slots", (used <= slots) & (look(
                f"dut.{store}.space.free_slots", slots.bit_length()) == slots - used))
            self.check(m, f"{name}_blocks", (used * self.k_blocks <= depth) & (look(
                f"dut.{store}.space.free_blocks", depth.bit_length())
                == depth - used * self.k_blocks))

    def _results(self, m):
        """Say where all groups are for which the issuer has taken room."""
        look, path = self.look, "dut.result_path"
        left = look("dut.array.cycles_left", 2)
        leaving = look(f"{path}.leaving", STATE_BITS)[:2]  # rows
        valid = [look(f"{path}.valid_{stage}") for stage in range(1, LATENCY + 1)]
        stored = look(f"{path}.queue.stored", DEPTH.bit_length())
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
        writes = router.operands.ready | ~look("dut.tile_writer.jobs__valid")
        loads = (self.packets != 0) | ~self.loads | self.offers_a_packet
        stuck = works & ~moves
        self.cover(m, "waits_for_act", stuck & self.waits["act"] & (self.held["act"] != 0))
        self.cover(m, "waits_for_weight", stuck & self.waits["weight"] & (self.packets == 0))
        self.cover(m, "waits_for_the_reader", stuck & stalls)
        self.check(m, "no_circle", ~stuck | stalls | (self.waits["act"] & writes)
                   | (self.waits["weight"] & loads))


PROOFS = (Proof(
    name="engines", make=EnginesHarness, depth=1, steps=24,
    says="While a job is at the walker, or results are due, something moves in every cycle, or the "
         "walker waits for a tile and whoever stores it waits for its stream or its job alone, or "
         "the results wait for their reader. Every tile that has taken room comes, waits, is held "
         "by the walker or is behind it, and gives its room back when it is captured; so with "
         "every group of results that the issuer has taken room for.",
    assumes="What `block_walker` and `chunk_reader` prove: what the walker holds leaves room for "
            "the tile that it waits for; a tile has rows; no more column tiles end than begin. All "
            "jobs have as many K-blocks.",
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
