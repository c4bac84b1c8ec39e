"""A deep first-in, first-out queue of stream payloads, whose output and stall end at registers."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .memory_fifo import MemoryFIFO
from .stream_buffer import StreamBuffer


class StreamFIFO(wiring.Component):
    """Queue payloads in a `MemoryFIFO`, with registers behind it; one in and one out per cycle.

    A payload appears at ``o`` `latency` (3) cycles after it was taken at ``i``. Holds `capacity`
    payloads: those of the memory, and two in registers.

    Parameters
    ----------
    shape : ShapeLike
        Shape of the payload.
    depth : int
        Words of the memory.

    Attributes
    ----------
    capacity : int

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)
    """

    latency = MemoryFIFO.latency + 1

    def __init__(self, shape, *, depth):
        self.shape, self.depth, self.capacity = shape, depth, depth + 3
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = MemoryFIFO(self.shape, depth=self.depth)
        m.submodules.head = head = StreamBuffer(self.shape)
        wiring.connect(m, wiring.flipped(self.i), memory.i)
        wiring.connect(m, memory.o, head.i)
        wiring.connect(m, head.o, wiring.flipped(self.o))
        return m
