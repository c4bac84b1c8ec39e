"""Proof of `hw.activations.radix_select`."""

from unittest.mock import patch

from amaranth import Array, Cat, Mux, Signal, Value

import hw.activations.radix_select as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.contract.job_codes import Selection

BLOCKS, MAGNITUDE_BITS, RADIX_BITS = 5, 3, 2

DIGITS = -(-MAGNITUDE_BITS // RADIX_BITS)

WIDTH = DIGITS * RADIX_BITS

ADDRESS_BITS = (BLOCKS - 1).bit_length()

IDLE, TAG, COUNT, DECIDE = range(4)
"""States, in the order of the source."""


class RadixSelectHarness(Harness):
    """Tiles of any magnitudes; a tag is compared with the rank of its K-block.

    The highest digit is not whole, as in a machine.
    """

    def prove(self, m):
        with patch.object(module, "MAGNITUDE_BITS", MAGNITUDE_BITS):
            m.submodules.dut = dut = module.RadixSelect(
                k_blocks_max=BLOCKS, radix_bits=RADIX_BITS)
        self._offer(m, dut)
        blocks, units = dut.blocks, dut.policy.units
        is_top = dut.policy.selection != Selection.THRESHOLD
        tag = Signal(range(BLOCKS + 1))  # the next to leave
        leaves = Signal()
        m.d.comb += leaves.eq(dut.o.valid & dut.o.ready)
        m.d.sync += tag.eq(Mux(dut.done, 0, tag + leaves))
        there = [blocks > index for index in range(BLOCKS)]
        own = self.magnitudes[tag]
        rank = Signal(range(BLOCKS + 1))
        m.d.comb += rank.eq(sum(
            is_there & ((each > own) | (each == own) & (index < tag))
            for index, (is_there, each) in enumerate(zip(there, self.magnitudes, strict=True))))
        chosen = Mux(is_top, rank < units, own > dut.policy.threshold[:WIDTH])
        self.cover(m, "tie", dut.done & is_top & (rank == units) & (blocks == BLOCKS)
                   & (self.magnitudes[0] == own) & (units == 2))
        self.check(m, "tag", ~dut.o.valid | (dut.o.p.is_mx9 == chosen))
        self.check(m, "last", ~dut.o.valid | (dut.o.p.last == (tag + 1 == blocks)))
        self.check(m, "done", dut.done == (leaves & dut.o.p.last))
        self.check(m, "only_of_a_tile", ~(dut.o.valid | dut.done) | dut.start)
        self._look_inside(m, dut, there, tag)

    def _offer(self, m, dut):
        """Let a tile stay until it is done, and read its magnitudes as a memory does."""
        self.free_inputs(m, dut, but=("start", "blocks", "policy", "read_data"))
        is_there = Signal()
        begins = ~is_there | dut.done
        m.d.comb += dut.start.eq(is_there)
        m.d.sync += is_there.eq(Mux(begins, self.free(1, "comes"), 1))
        self.magnitudes = Array(Signal(MAGNITUDE_BITS, name=f"magnitude_{index}")
                                for index in range(BLOCKS))
        for each, name in (*((each, each.name) for each in self.magnitudes),
                           (dut.blocks, "blocks"), (Value.cast(dut.policy), "policy")):
            kept = Signal(len(each), name=f"kept_{name}")
            m.d.sync += kept.eq(Mux(begins, self.free(len(each), f"next_{name}"), kept))
            m.d.comb += each.eq(kept)
        self.assume(m, ~is_there | (dut.blocks > 0) & (dut.blocks <= BLOCKS)
                    & (dut.policy.units <= BLOCKS))
        with m.If(dut.read_en):
            m.d.sync += dut.read_data.eq(self.magnitudes[dut.read_addr])

    def _look_inside(self, m, dut, there, tag):
        """State what the registers mean in every state, and when each state ends."""
        blocks = dut.blocks
        state, address = self.look("dut.fsm_state", 2), self.look("dut.address", ADDRESS_BITS)
        to_read, is_read, is_counting, is_tagging, is_last = (
            self.look(f"dut.{name}") for name in
            ("to_read", "is_read", "is_counting", "is_tagging", "is_last"))
        read, counted = Signal(range(BLOCKS + 1)), Signal(range(-2, BLOCKS + 1))
        counts, tags = state == COUNT, state == TAG
        m.d.comb += [read.eq(Mux(to_read, address, blocks)),
                     counted.eq(read - is_read - is_counting)]
        self.check(m, "only_with_a_tile", dut.start | (state == IDLE))
        self.check(m, "reading", (~to_read | (state == IDLE) | (address < blocks))
                   & (to_read | (address == 0)))
        self.check(m, "idle", (state != IDLE)
                   | ~(is_tagging | is_read | is_counting) & (address == 0) & (tag == 0))
        self.check(m, "counting", ~counts | ~is_tagging & (tag == 0) & (~to_read | is_read)
                   & (~to_read | (address != 0))
                   & (is_counting == ~(to_read & (address == 1))))
        self.check(m, "deciding", (state != DECIDE) | (tag == 0)
                   & ~(is_tagging | is_read | is_counting | to_read))
        self.check(m, "tagging", ~tags | ~is_read & ~is_counting & (tag + is_tagging == read)
                   & (~is_tagging | (is_last == ~to_read)) & (to_read | is_tagging))
        self.check(m, "a_tag_each_cycle", ~tags | is_tagging | (tag == 0))
        for name, is_there, index, value in (
                ("read", is_read | is_tagging, read - 1, dut.read_data),
                ("counted", is_counting, counted, self.look("dut.counted", WIDTH))):
            at = Signal(range(BLOCKS), name=f"{name}_at")
            m.d.comb += at.eq(index)
            self.check(m, f"is_that_{name}", ~is_there | (value == self.magnitudes[at]))

        found = self.look("dut.found", DIGITS)
        searches = (dut.policy.selection != Selection.THRESHOLD) & (dut.policy.units > 0) & (
            dut.policy.units < blocks)
        in_pass = counts | (state == DECIDE)
        self._look_at_pivot(m, dut, there, tag, found, counted, searches, (in_pass, tags))
        cycles = Signal(range(3 + DIGITS * (BLOCKS + 2)))  # before the state TAG
        m.d.sync += cycles.eq(Mux(dut.done, 0, cycles + (dut.start & ~tags)))
        place = Mux(to_read, address - 1, Mux(counts, blocks - is_read, blocks + 1))
        passes = sum(found[index] for index in range(DIGITS))
        self.check(m, "cycles", cycles == Mux(
            in_pass, 1 + passes * (blocks + 2) + place,
            Mux(tags, 1 + Mux(searches, DIGITS * (blocks + 2), 0), 0)))

    def _look_at_pivot(self, m, dut, there, tag, found, counted, searches, states):
        """State what pivot and counters have to do with the magnitudes."""
        in_pass, tags = states
        units, magnitudes = dut.policy.units, list(self.magnitudes)
        pivot = self.look("dut.pivot", WIDTH)
        left = self.look("dut.left", ADDRESS_BITS + 1).as_signed()
        self.check(m, "digits_are_found_from_the_top", ~Cat(
            found[index] & ~found[index + 1] for index in range(DIGITS - 1)).any())
        self.check(m, "searches", ~in_pass | searches & ~found[0])
        known = Cat(each.replicate(RADIX_BITS) for each in found)
        above, equal, ties = (Signal(range(BLOCKS + 1), name=name)
                              for name in ("above", "equal", "ties"))
        agree = Signal(BLOCKS)
        m.d.comb += [
            agree.eq(Cat(is_there & ((each & known) == (pivot & known))
                         for is_there, each in zip(there, magnitudes, strict=True))),
            above.eq(sum(is_there & ((each & known) > (pivot & known))
                         for is_there, each in zip(there, magnitudes, strict=True))),
            equal.eq(sum(agree[index] for index in range(BLOCKS))),
            ties.eq(sum(is_there & (each == pivot) & (index < tag) for index, (is_there, each)
                        in enumerate(zip(there, magnitudes, strict=True))))]
        self.check(m, "pivot_in_a_pass", ~in_pass | ((pivot & ~known) == 0)
                   & (left == units - 1 - above))
        self.check(m, "pivot_is_reached", ~(in_pass | (tags & searches))
                   | (above < units) & (above + equal >= units))
        sought = [Signal(RADIX_BITS, name=f"sought_{index}") for index in range(BLOCKS)]
        for digit, each in zip(sought, magnitudes, strict=True):
            value = Signal(WIDTH, name=f"value_{digit.name}")
            m.d.comb += value.eq(each)
            for index in range(DIGITS):  # the last one, so the highest, counts
                with m.If(~found[index]):
                    m.d.comb += digit.eq(value.word_select(index, RADIX_BITS))
        for least in range(1, 1 << RADIX_BITS):
            counter = self.look(f"dut.counters.lacking_{least}", ADDRESS_BITS + 1).as_signed()
            reach = sum(agree[index] & (index < counted) & (digit >= least)
                        for index, digit in enumerate(sought))
            self.check(m, f"lacking_{least}", ~in_pass | (counter == left - reach))
        rest = Signal(range(-BLOCKS - 1, BLOCKS + 1))
        m.d.comb += rest.eq(units - 1 - Mux(searches, above, 0) - ties)
        is_threshold = dut.policy.selection == Selection.THRESHOLD
        self.check(m, "left_of_tags", ~tags | (
            left == Mux(is_threshold | (rest < 0), -1, rest)))
        self.check(m, "pivot_of_tags", ~tags | Mux(searches, found.all(), pivot == Mux(
            is_threshold, dut.policy.threshold[:WIDTH],
            (units == 0).replicate(WIDTH))))


PROOFS = (Proof(
    name="radix_select", make=RadixSelectHarness, depth=1, steps=36,
    says="The tags of TOP mark the `units` largest magnitudes of a tile, of two as large the one "
         "of the lower index; those of THRESHOLD what is larger than it; each K-block gets one, in "
         "order; the first comes after the cycles that the module states, and then one each cycle.",
    assumes="A tile stays until it is done; it has no more units than there can be K-blocks.",
    bounds=f"{BLOCKS} K-blocks, magnitudes of {MAGNITUDE_BITS} bits, digits of {RADIX_BITS}.",
    mutants=(Mutant(module.__name__, "is_tie = (value == pivot) & ~left[-1]",
                    "is_tie = value == pivot"),
             Mutant(module.__name__, "self.digit >= digit", "self.digit > digit"),
             Mutant(module.__name__, "found[index] & (counted[field] != pivot[field])",
                    "found[index] & (counted[field] < pivot[field])"),
             Mutant(module.__name__, "with m.Elif(self.policy.units == 0):",
                    "with m.Elif(0):"))),)
