"""What was given some cycles ago, to modules of a fixed latency without a reset."""

from amaranth import Signal


def delayed(m, value, cycles, name):
    """Return a value of some cycles ago."""
    for cycle in range(cycles):
        held = Signal.like(value, name=f"{name}_{cycle}", reset_less=True)
        m.d.sync += held.eq(value)
        value = held
    return value


def is_known(m, cycles):
    """Tell whether so many cycles have passed since the reset."""
    age = Signal(range(cycles + 1), name="age")
    m.d.sync += age.eq(age + (age != cycles))
    return age == cycles
