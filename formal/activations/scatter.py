"""Proofs of `hw.activations.scatter`."""

from functools import partial

from amaranth import Array, Cat, Mux, Signal, Value

import hw.activations.scatter as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.formats import BLOCK_SIZE
from hw.contract.config import Config

BANK_BITS = 4


class ScatterHarness(Harness):
    """One arbitrary element is followed from its block to the bank, whatever the others do.

    Parameters
    ----------
    act_bytes : int
        Of a beat: half as many elements are written at once.
    """

    def __init__(self, act_bytes):
        super().__init__()
        self.config = Config.sized(rows=2, cols=20, k_max=640, float_formats=("fp16",),
                                   act_bytes=act_bytes)

    def prove(self, m):
        config = self.config
        m.submodules.dut = dut = module.Scatter(config)
        self.free_inputs(m, dut, but=("order__destinations",))
        block, word_bits = dut.i.p, len(dut.write.words[0])
        self.place_bits = BANK_BITS + word_bits
        number = self.number = Signal(word_bits)  # of the block in its row
        taken, transposed = Signal(), block.job.transposed
        m.d.comb += taken.eq(dut.i.valid & dut.i.ready)
        with m.If(taken):
            m.d.sync += number.eq(Mux(block.row_last, 0, number + 1))
        self.assume(m, ~dut.i.valid | (block.count > 0) & (block.count <= BLOCK_SIZE))
        most = Mux(transposed, -(-config.cols // BLOCK_SIZE), config.k_blocks_max)
        self.assume(m, ~dut.i.valid | (number + 1 < most) | (number < most) & block.row_last)

        lane = self.free_constant(m, BANK_BITS, "lane")
        is_its, goes_to = self._order(m, dut, lane)
        marks = Signal()
        m.d.comb += marks.eq(taken & self.free(1, "marks") & (block.count > lane)
                             & (transposed | is_its))
        token = block.row[:BANK_BITS]
        self._follow(m, dut, marks, lane, Mux(
            transposed, Cat((token + lane)[:BANK_BITS], token, number)[:self.place_bits], goes_to))
        self._turns(m, dut)
        self._segments(m, dut, taken)

    def _order(self, m, dut, lane):
        """Know where one channel goes, in one table; it changes only while its table is written.

        Return whether the block that is offered has that channel in that lane, and where it goes.
        """
        table = self.free_constant(m, 1, "table")
        k_block = self.free_constant(m, len(self.number), "k_block")
        order, goes_to = dut.order, Signal(self.place_bits)
        changes = dut.order_changes.bit_select(table, 1)
        with m.If(changes):
            m.d.sync += goes_to.eq(self.free(self.place_bits, "changed"))
        is_read = order.en & (order.table == table) & (order.k_block == k_block)
        anything = self.free(len(Value.cast(order.destinations)), "read")
        with m.If(order.en):
            m.d.sync += order.destinations.eq(anything)
            with m.If(is_read & ~changes):
                m.d.sync += order.destinations[lane].eq(goes_to)
        is_known = Signal()  # it stands at the table's output
        m.d.sync += is_known.eq(Mux(order.en, is_read, is_known) & ~changes)
        self.check(m, "read", ~is_known | (order.destinations[lane] == goes_to))
        self.check(m, "number", self.look("dut.number", len(self.number)) == self.number)
        self.check(m, "looked_up", ~self.look("dut.is_looked_up") | (self.number != k_block)
                   | (self.look("dut.table") != table) | is_known)
        return (dut.i.p.job.table == table) & (self.number == k_block), goes_to

    def _follow(self, m, dut, marks, lane, place):
        """Follow an element of a block to its bank."""
        look, lanes = self.look, module.scatter_lanes(self.config)
        width, bits = module.element_width(self.config), self.place_bits
        is_held, pending = look("dut.is_held"), look("dut.pending", BLOCK_SIZE)
        written, lanes_end = look("dut.written", BLOCK_SIZE), look("dut.lanes_end")
        places = look("dut.places", bits * BLOCK_SIZE)
        held = look("dut.held", len(Value.cast(dut.i.p)) + len(self.number))

        inside, waits = Signal(), Signal()  # its block is here; it was not written yet
        at, own, value = Signal(BANK_BITS), Signal(bits), Signal(width)
        leaves, hits = Signal(), Signal()
        m.d.comb += [leaves.eq(is_held & dut.can_write & look("dut.is_last_turn")),
                     hits.eq(waits & dut.can_write & written.bit_select(at, 1))]
        with m.If(marks):
            m.d.sync += [inside.eq(1), waits.eq(1), at.eq(lane), own.eq(place),
                         value.eq(dut.i.p.elements[lane])]
        with m.Else():
            m.d.sync += [inside.eq(inside & ~leaves), waits.eq(waits & ~hits)]
            if lanes < BLOCK_SIZE:
                with m.If(dut.can_write & lanes_end):
                    m.d.sync += at.eq(at - lanes)
        bank, word = own[:BANK_BITS], own[BANK_BITS:]
        exists, en = word < module.segment_words(self.config), dut.write.en.bit_select(bank, 1)
        self.cover(m, "written_last", hits & exists & leaves & (pending[1:].any()))
        self.cover(m, "dropped", hits & ~exists)
        self.check(m, "written", ~hits | Mux(
            exists, en & (dut.write.words[bank] == word) & (dut.write.elements[bank] == value),
            ~en))
        self.check(m, "not_lost", ~(waits & leaves) | hits)
        self.check(m, "once", ~inside | waits | ~pending.bit_select(at, 1))
        self.check(m, "kept", ~waits | inside & pending.bit_select(at, 1)
                   & (places.word_select(at, bits) == own)
                   & (held.bit_select(at * 32, width) == value))
        self.check(m, "in_a_block", ~inside | is_held)

    def _turns(self, m, dut):
        """State what is written in a turn, and that what is known a turn ahead is right."""
        look, lanes, bits = self.look, module.scatter_lanes(self.config), self.place_bits
        is_held, pending = look("dut.is_held"), look("dut.pending", BLOCK_SIZE)
        written, lanes_end = look("dut.written", BLOCK_SIZE), look("dut.lanes_end")
        places = look("dut.places", bits * BLOCK_SIZE)
        rivals = look("dut.rivals", lanes * lanes)
        banks = [places.word_select(index, bits)[:BANK_BITS] for index in range(lanes)]
        granted = Array(Signal(lanes, name=f"granted_{bank}") for bank in range(BLOCK_SIZE))
        for bank, lanes_of_bank in enumerate(granted):
            m.d.comb += lanes_of_bank.eq(Cat(written[index] & (banks[index] == bank)
                                             for index in range(lanes)))
        self.check(m, "one_for_each_bank", Cat(
            (each & (each - 1)[:lanes]) == 0 for each in granted).all())
        self.check(m, "nothing_else_is_written", Cat(
            ~dut.write.en[bank] | (dut.can_write & each.any())
            for bank, each in enumerate(granted)).all())
        self.check(m, "only_what_waits", (written & ~pending) == 0)
        self.check(m, "each_turn_writes", ~is_held | (written != 0))
        self.check(m, "busy", dut.is_busy == is_held)

        own_rivals = [Cat(banks[index] == banks[other] for other in range(index))
                      for index in range(lanes)]
        self.check(m, "rivals", ~is_held | Cat(
            rivals.word_select(index, lanes) == each
            for index, each in enumerate(own_rivals)).all())
        ends = ~Cat((each & pending).any() & pending[index]
                    for index, each in enumerate(own_rivals)).any()
        rest = pending[lanes:].any() if lanes < BLOCK_SIZE else 0
        self.check(m, "known_ahead", ~is_held | (lanes_end == ends)
                   & (look("dut.is_last_turn") == (ends & ~rest)))
        self.check(m, "something_waits", ~is_held | pending[:lanes].any())
        self.check(m, "from_the_first_on", ~is_held | Cat(
            pending[index] | ~pending[index + 1] for index in range(lanes, BLOCK_SIZE - 1)).all()
            & (~rest | pending[lanes % BLOCK_SIZE]))

    def _segments(self, m, dut, taken):
        """Compare what a segment is said to be with the blocks that were taken."""
        about, number = Signal(dut.i.p.shape(), name="about"), Signal.like(self.number)
        slab = Signal.like(dut.segment.index)
        segment = dut.segment
        is_held = self.look("dut.is_held")
        leaves = is_held & dut.can_write & self.look("dut.is_last_turn")
        with m.If(taken):
            m.d.sync += [about.eq(dut.i.p), number.eq(self.number)]
        with m.If(dut.done):
            m.d.sync += slab.eq(Mux(about.tile_last_row, 0, slab + 1))
        transposed = about.job.transposed
        self.check(m, "done", dut.done == (leaves & about.row_last & (
            ~transposed | (about.row[:BANK_BITS] == BLOCK_SIZE - 1) | about.tile_last_row)))
        self.check(m, "segment", ~dut.done | (segment.tile_last == about.tile_last_row)
                   & (Value.cast(segment.job) == Value.cast(about.job)) & Mux(
                       transposed, (segment.last == number * BLOCK_SIZE + about.count - 1)
                       & (segment.count == about.row[:BANK_BITS] + 1) & (segment.index == slab),
                       (segment.last == number) & (segment.count == about.count)
                       & (segment.index == about.row)))
        held = self.look("dut.held", len(Value.cast(about)) + len(number))
        beyond = 32 * BLOCK_SIZE  # the elements, which move
        self.check(m, "held", ~is_held | (held[beyond:] == Cat(
            Value.cast(about)[beyond:], number)))
        self.check(m, "held_number_is_small", ~is_held | ~transposed
                   | (number < -(-self.config.cols // BLOCK_SIZE)))
        self.check(m, "held_count", ~is_held | (about.count > 0) & (about.count <= BLOCK_SIZE))
        self.check(m, "slab", self.look("dut.slab", len(dut.i.p.k_block))
                   == slab[:len(dut.i.p.k_block)])


PROOFS = tuple(Proof(
    name=f"scatter_{act_bytes // 2}", make=partial(ScatterHarness, act_bytes), depth=1, steps=6,
    says="Every element of a block is written once, to its bank and word; two never meet in one, "
         "and nothing else is written; each turn writes at least one. A segment is done with its "
         "last write. Places come from the table as it is when the block is taken.",
    assumes="A row has as many blocks as there can be, and no block is empty.",
    bounds=f"FP16, K_MAX 640, 20 columns; {act_bytes // 2} elements at once.",
    mutants=(
        Mutant(module.__name__, "~(rivals[lane] & pending).any()", "~rivals[lane].any()"),
        Mutant(module.__name__, "with m.If((self.order_changes >> next_table)[0]):",
               "with m.If((self.order_changes >> table)[0]):"),
        Mutant(module.__name__, "Cat((token + lane)[:BANK_BITS], token, number)",
               "Cat((token - lane)[:BANK_BITS], token, number)"),
        Mutant(module.__name__, "is_last_turn.eq(next_lanes_end & ~next_pending[lanes:].any())",
               "is_last_turn.eq(next_lanes_end)" if act_bytes < 32 else "is_last_turn.eq(1)")))
    for act_bytes in (32, 8))
