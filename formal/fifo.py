"""What the registers of a queue of Amaranth's library mean, as an induction needs it."""

from amaranth import Array, Mux, Signal


class FIFOInside:
    """Look into a `SyncFIFOBuffered` inside the module under proof.

    Parameters
    ----------
    harness : Harness
    m : Module
    path : str
        Of the queue in the flattened netlist.
    width, depth : int
        Its own.

    Attributes
    ----------
    level : Signal
        How many words are in it.
    is_offered : Signal
        One of them stands at its output.
    """

    def __init__(self, harness, m, path, *, width, depth):
        self.m, self.name, inner = m, path.replace(".", "_"), depth - 1
        self.is_offered = harness.look(f"{path}.r_rdy")
        self.offered = harness.look(f"{path}.r_data", width)
        self.words = Array(harness.look(f"{path}.storage[{word}]", width) for word in range(inner))
        self.depth = inner
        bits = (inner - 1).bit_length()
        self.read_at, write_at = (harness.look(f"{path}.{name}", bits)
                                  for name in ("consume", "produce"))
        stored = harness.look(f"{path}.inner_level", inner.bit_length())
        self.level = Signal(range(depth + 1), name=f"{self.name}_level")
        m.d.comb += self.level.eq(stored + self.is_offered)
        harness.check(m, f"{self.name}_addresses", (stored <= inner) & (self.read_at < inner)
                      & (write_at == self._wrapped(self.read_at + stored, "end")))

    def word(self, place, name):
        """Give the word that so many others are ahead of."""
        at = self._wrapped(self.read_at + place - self.is_offered, name)
        return Mux(self.is_offered & (place == 0), self.offered, self.words[at])

    def _wrapped(self, value, name):
        end = Signal(range(4 * self.depth), name=f"{self.name}_{name}")
        self.m.d.comb += end.eq(value)
        return Mux(end >= self.depth, end - self.depth, end)
