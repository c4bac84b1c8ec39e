"""A register between two streams."""

from amaranth import Signal


def register_slice(m, i, o, payload):
    """Register ``payload`` between two streams; a stall reaches ``i`` in the same cycle."""
    held = Signal.like(o.payload, name="held", reset_less=True)
    is_held = Signal()
    m.d.comb += [i.ready.eq(~is_held | o.ready), o.valid.eq(is_held), o.payload.eq(held)]
    with m.If(i.ready):
        m.d.sync += is_held.eq(i.valid)
        with m.If(i.valid):
            m.d.sync += held.eq(payload)
