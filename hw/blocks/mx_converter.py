"""From sixteen FP32 values to one MX9 or MX6 block."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.formats import FP32
from hw.contract.layouts import Rounded
from hw.parts.bits import largest_of
from hw.streams.register_slice import pass_on, register_slice
from hw.streams.stream_buffer import StreamBuffer

from .block_aligner import BlockAlignment
from .block_rounder import BlockRounding, Tagged
from .widen import Elements


def raw_layout(beside):
    """Describe FP32 patterns, the precision that they shall have, and what travels beside them."""
    return data.StructLayout({"elements": Elements, "is_mx9": 1, "beside": beside})


class MXConverter(wiring.Component):
    """Convert sixteen FP32 values to one block of the tagged precision.

    The shared exponent, `BlockAlignment`, `BlockRounding`. Latency ``stages`` cycles; one block per
    cycle; ``i`` stalls while ``o`` does.

    Parameters
    ----------
    rounding : str
        See `BlockRounding`.
    stages : int
        Registers on the way: 2, before and behind the alignment, so that ``o`` is rounded
        combinationally; 1, behind it; 0, none.
    short_paths : bool
        With 2 stages only: compare exponents by fours and make the register behind the alignment a
        `StreamBuffer`, so that no stall at ``o`` reaches beyond it in the same cycle.
    beside : ShapeLike
        What travels with each block, unchanged.

    Members
    -------
    i : In(stream of struct)
        ``elements`` 16 x unsigned(32), FP32 patterns; ``is_mx9``; ``beside``.
    o : Out(stream of struct)
        ``rounded``, a `Rounded`; ``beside``.

    Raises
    ------
    ValueError
        If the rounding is unknown, stages are not 0, 1 or 2, or paths cannot be made short.
    """

    def __init__(self, *, rounding: str = "half_even", stages: int = 2, short_paths: bool = False,
                 beside=1):
        if stages not in (0, 1, 2):
            raise ValueError(f"a converter has 0, 1 or 2 pipeline stages, not {stages!r}")
        if short_paths and stages != 2:
            raise ValueError(f"short paths need 2 pipeline stages, not {stages!r}")
        self.short_paths = short_paths
        self.rounding = rounding
        self.latency = stages
        self.beside = beside
        self.block_rounding = BlockRounding(rounding=rounding)
        super().__init__({
            "i": In(stream.Signature(raw_layout(beside))),
            "o": Out(stream.Signature(data.StructLayout({"rounded": Rounded, "beside": beside}))),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.alignment = alignment = BlockAlignment(shared_given=self.latency == 2)
        m.submodules.rounding = rounding = self.block_rounding
        raw = self.i
        if self.latency == 2:
            layout = data.StructLayout({"raw": raw_layout(self.beside),
                                        "shared": FP32.exponent_bits})
            raw = stream.Signature(layout).create(path=("searched",))
            found = Signal(layout)
            exponents = [element[FP32.mantissa_bits : FP32.width - 1]
                         for element in self.i.p.elements]
            m.d.comb += [found.raw.eq(self.i.p),
                         found.shared.eq(largest_of(m, exponents, name="shared",
                                                    at_once=4 if self.short_paths else 2))]
            register_slice(m, self.i, raw, found)
            m.d.comb += alignment.shared.eq(raw.p.shared)
        payload = raw.p.raw if self.latency == 2 else raw.p
        layout = data.StructLayout({"tagged": Tagged, "beside": self.beside})
        aligned = stream.Signature(layout).create(path=("aligned",))
        leaving = Signal(layout)
        rounded = Signal(self.o.p.shape())
        m.d.comb += [
            alignment.i.eq(payload.elements),
            leaving.tagged.block.eq(alignment.o), leaving.tagged.is_mx9.eq(payload.is_mx9),
            leaving.beside.eq(payload.beside),
            rounding.i.eq(aligned.p.tagged),
            rounded.rounded.eq(rounding.o), rounded.beside.eq(aligned.p.beside),
        ]
        if self.short_paths:
            m.submodules.leaves = leaves = StreamBuffer(layout)
            pass_on(m, raw, leaves.i, leaving)
            pass_on(m, leaves.o, aligned, leaves.o.p)
        else:
            (register_slice if self.latency else pass_on)(m, raw, aligned, leaving)
        pass_on(m, aligned, self.o, rounded)
        return m
