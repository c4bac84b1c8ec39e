"""Two flip-flops behind each other, in which a bit of another clock comes to rest."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Synchronizer(wiring.Component):
    """Catch what another clock changes, two edges later.

    Each bit is what it was before a change or what it is behind; of bits that change together some
    may be this and some that. The input comes from registers, with no logic between.

    It is Amaranth's `FFSynchronizer`, with the attribute by which tools know such flip-flops: they
    keep them together, and a simulator of gates knows where no setup time holds.

    Parameters
    ----------
    width : int

    Members
    -------
    i : In(width)
        Of any clock.
    o : Out(width)
    """

    def __init__(self, width):
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        stages = [Signal.like(self.i, name=f"stage{number}", reset_less=True,
                              attrs={"ASYNC_REG": "TRUE"}) for number in range(2)]
        m.d.sync += [stages[0].eq(self.i), stages[1].eq(stages[0])]
        m.d.comb += self.o.eq(stages[1])
        return m
