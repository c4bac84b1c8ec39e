"""Between two streams of different payloads: a register, or wires alone."""

from amaranth import Signal


def register_slice(m, i, o, payload):
    """Register ``payload`` between two streams; a stall reaches ``i`` in the same cycle."""
    held = Signal.like(o.payload, name="held", reset_less=True)
    is_held = Signal(name="is_held")
    m.d.comb += [i.ready.eq(~is_held | o.ready), o.valid.eq(is_held), o.payload.eq(held)]
    with m.If(i.ready):
        m.d.sync += is_held.eq(i.valid)
        with m.If(i.valid):
            m.d.sync += held.eq(payload)


def pass_on(m, i, o, payload):
    """Connect two streams that differ in their payload, which is ``payload`` for ``o``."""
    m.d.comb += [i.ready.eq(o.ready), o.valid.eq(i.valid), o.payload.eq(payload)]
