"""Proof of `hw.memory.read_port`."""

from amaranth import Array, Cat, Mux, Signal

import hw.memory.read_port as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.memory.axi4 import INCREMENTING, OUTSIDE, PAGE_BYTES, SLVERR, is_outside, page_of

CHANNELS, ADDRESS_BITS, DATA_BYTES, BURST_BEATS, OUTSTANDING = 3, 13, 2, 4, 3


class ReadPortHarness(Harness):
    """Channels ask for any bursts; the bus answers those that it owes, of any ID, at any time.

    The window may be another one in every cycle.
    """

    def prove(self, m):
        m.submodules.dut = dut = module.ReadPort(
            channels=CHANNELS, address_bits=ADDRESS_BITS, data_bytes=DATA_BYTES,
            burst_beats=BURST_BEATS, outstanding=OUTSTANDING)
        self.free_inputs(m, dut)
        self.assume(m, dut.window.end <= (1 << ADDRESS_BITS) // PAGE_BYTES)
        bursts = [getattr(dut, f"bursts_{number}") for number in range(CHANNELS)]
        asks, taken = Signal(CHANNELS), Signal(CHANNELS)
        m.d.comb += [asks.eq(Cat(each.valid for each in bursts)),
                     taken.eq(asks & Cat(each.ready for each in bursts))]
        chosen = Array(each.p.as_value() for each in bursts)[self.look("dut.chosen", 2)]
        burst, outside = Signal(bursts[0].p.shape()), Signal()
        m.d.comb += [burst.as_value().eq(chosen),
                     outside.eq(is_outside(dut.window, page_of(burst.word, DATA_BYTES)))]
        owed, offers = self._owed(m, dut.bus, Mux(outside, 0, taken))
        left = self._turned_away(m, dut, taken, burst, outside, owed)
        goes = asks.any() & (left == 0) & Mux(
            outside, owed == 0, (owed < OUTSTANDING) & (~offers | dut.bus.arready))
        self.cover(m, "most", owed == OUTSTANDING)
        self.check(m, "most_outstanding", owed <= OUTSTANDING)
        self.check(m, "takes_one", (taken & (taken - 1))[:CHANNELS] == 0)
        self.check(m, "takes_when_it_can", taken.any() == goes)
        self.check(m, "takes_the_chosen", ~goes | (taken == 1 << self.look("dut.chosen", 2)))
        self.check(m, "owes", dut.owes == ((owed != 0) | (left != 0)))
        self.check(m, "counted", self.look("dut.owed", OUTSTANDING.bit_length()) == owed)
        self._address(m, dut.bus, bursts, Mux(outside, 0, taken), offers)
        self._words(m, dut, left)
        self._turns(m, asks, taken)

    def _turned_away(self, m, dut, taken, burst, outside, owed):
        """Count the words that the port brings by itself, for whom."""
        left, self.channel = Signal.like(burst.beats), Signal(range(CHANNELS))
        with m.If(taken.any() & outside):
            m.d.sync += left.eq(burst.beats)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        for number in range(CHANNELS):
            with m.If(taken[number]):
                m.d.sync += self.channel.eq(number)
        self.cover(m, "turned_away", (left == 1) & (self.channel == 2))
        self.check(m, "turned_away", self.look("dut.turned_away", len(left)) == left)
        self.check(m, "only_where_the_bus_owes_nothing", (left == 0) | (owed == 0))
        self.check(m, "for_whom", (left == 0) | (self.look("dut.turn", 2) == self.channel))
        return left

    def _owed(self, m, bus, taken):
        """Count what is on offer and what the bus has taken; it ends only bursts of the latter."""
        offers, sent = Signal(), Signal()
        m.d.comb += sent.eq(bus.arvalid & bus.arready)
        m.d.sync += offers.eq(taken.any() | offers & ~bus.arready)
        on_bus = Array(Signal(range(4 * OUTSTANDING), name=f"on_bus_{number}")
                       for number in range(CHANNELS))
        for number, each in enumerate(on_bus):
            m.d.sync += each.eq(each + (sent & (bus.arid == number))
                                - (bus.rvalid & bus.rlast & (bus.rid == number)))
        self.assume(m, ~bus.rvalid | (bus.rid < CHANNELS) & (on_bus[bus.rid] != 0))
        owed = Signal(range(4 * OUTSTANDING))
        m.d.comb += owed.eq(offers + sum(on_bus))
        self.check(m, "each_within", Cat(each > OUTSTANDING for each in on_bus) == 0)
        return owed, offers

    def _address(self, m, bus, bursts, taken, offers):
        """An address is that of the burst that was taken last."""
        burst, channel = Signal(bursts[0].p.shape()), Signal(range(CHANNELS))
        for number, each in enumerate(bursts):
            self.assume(m, ~each.valid | (each.p.beats > 0) & (each.p.beats <= BURST_BEATS))
            with m.If(taken[number]):
                m.d.sync += [burst.eq(each.p), channel.eq(number)]
        self.cover(m, "address", bus.arvalid & (bus.arid == 2) & (bus.arlen == BURST_BEATS - 1))
        self.check(m, "offers_a_burst", bus.arvalid == offers)
        self.check(m, "address", ~offers | (bus.araddr == burst.word * DATA_BYTES)
                   & (bus.arid == channel) & (channel < CHANNELS)
                   & (bus.arlen + 1 == burst.beats))
        self.check(m, "in_words", (1 << bus.arsize == DATA_BYTES) & (bus.arburst == INCREMENTING))
        offer = Cat(bus.araddr, bus.arid, bus.arlen, bus.arsize, bus.arburst)
        stalled, before = Signal(), Signal.like(offer)
        m.d.sync += [stalled.eq(bus.arvalid & ~bus.arready), before.eq(offer)]
        self.check(m, "offer_stays", ~stalled | bus.arvalid & (offer == before))

    def _words(self, m, dut, left):
        bus = dut.bus
        resp = Mux(bus.rresp < SLVERR, 0, bus.rresp)
        self.check(m, "takes_words", bus.rready)
        for number in range(CHANNELS):
            words = getattr(dut, f"words_{number}")
            own = (left != 0) & (self.channel == number)
            comes = bus.rvalid & (bus.rid == number)
            self.check(m, f"words_{number}", (words.valid == (own | comes)) & ~(own & comes) & (
                ~comes | (words.payload.data == bus.rdata) & (words.payload.resp == resp))
                & (~own | (words.payload.resp == OUTSIDE)))

    def _turns(self, m, asks, taken):
        """While one channel goes on asking, no other is served twice."""
        mine, other = (self.free_constant(m, range(CHANNELS), name) for name in ("mine", "other"))
        self.assume(m, (mine < CHANNELS) & (other < CHANNELS) & (mine != other))
        waits = asks.bit_select(mine, 1) & ~taken.bit_select(mine, 1)
        was_served, others = Signal(), Signal(range(2 * CHANNELS))
        m.d.sync += [was_served.eq(waits & (was_served | taken.bit_select(other, 1))),
                     others.eq(Mux(waits, others + taken.any(), 0))]
        again = taken.bit_select(other, 1) & was_served & waits
        self.cover(m, "waits", waits & (others == CHANNELS - 1))
        self.check(m, "none_twice", ~again)
        self.check(m, "within_the_channels", others < CHANNELS)
        turn = self.look("dut.turn", (CHANNELS - 1).bit_length())
        until_mine, until_other = (Mux(turn < who, who - turn, CHANNELS + who - turn)
                                   for who in (mine, other))
        self.check(m, "turn", turn < CHANNELS)
        self.check(m, "mine_comes_first", ~was_served | (until_mine < until_other))
        self.check(m, "nearer", (others == 0) | (others + until_mine <= CHANNELS))


PROOFS = (Proof(
    name="read_port", make=ReadPortHarness, depth=1,
    says="A burst in the window is taken in every cycle in which one is asked for, the address "
         "before is gone and fewer than `outstanding` are owed. The next cycle its address is on "
         "offer, with its channel's ID, and stays until it is taken. No other address is offered: "
         "a burst outside is taken when nothing is owed, and as many words that say so follow in "
         "the next cycles. While a channel goes on asking no other is served twice, so that its "
         "turn comes within as many bursts as there are channels. Every word goes to the channel "
         "of its ID alone. `owes` is low only when nothing is owed.",
    assumes=f"A burst has 1 to {BURST_BEATS} beats; the bus answers only what it owes; the window "
            "ends no higher than the bus does.",
    bounds=f"{CHANNELS} channels, addresses of {ADDRESS_BITS} bits, words of {DATA_BYTES} bytes, "
           f"bursts of {BURST_BEATS}, {OUTSTANDING} outstanding.",
    mutants=(Mutant(module.__name__, "owed < self.outstanding", "owed <= self.outstanding"),
             Mutant(module.__name__, "asked[number] & (turn < number)",
                    "asked[number] & (turn <= number)"),
             Mutant(module.__name__, "(~bus.arvalid | bus.arready)", "(1)"),
             Mutant(module.__name__, "Mux(outside, owed == 0,", "Mux(outside, 1,"),
             Mutant(module.__name__, "with m.If(takes & ~outside):", "with m.If(takes):"),
             Mutant(module.__name__, "asked.any() & (turned_away == 0)", "asked.any()"),
             Mutant(module.__name__, "answered.eq(bus.rvalid & bus.rlast)",
                    "answered.eq(bus.rvalid)"),
             Mutant(module.__name__, "bus.arid.eq(chosen)", "bus.arid.eq(turn)"))),)
