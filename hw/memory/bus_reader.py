"""All that reads from the bus: channels, and the port that they share."""

from collections.abc import Sequence

from amaranth import DomainRenamer, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .axi4 import segment_layout
from .read_channel import ReadChannel, word_layout
from .read_port import ReadPort


class BusReader(wiring.Component):
    """Turn segments of each channel into their words.

    The channels are in a clock domain of their own: while it is in reset they ask for nothing, and
    what comes from the bus is dropped.

    Parameters
    ----------
    depths : sequence of int
        Words that each channel has room for; with a latency of L cycles it needs L and some to be
        fed in every cycle.
    address_bits, length_bits, data_bytes, burst_beats : int
        As in `BurstSplitter`, but that of the bus; those of segments have their reach.
    outstanding : int
        Most bursts that the bus owes.
    domain : str
        Of the channels.

    Members
    -------
    segments_0, segments_1, … : In(stream of segment_layout)
    o_0, o_1, … : Out(stream of word_layout)
    bus, window, owes
        As in `ReadPort`.
    """

    def __init__(self, *, depths: Sequence[int], address_bits, length_bits, data_bytes, burst_beats,
                 outstanding, domain="sync"):
        sizes = {"data_bytes": data_bytes, "burst_beats": burst_beats}
        inside = {"address_bits": address_bits + 1, "length_bits": length_bits}
        self.channels = [ReadChannel(depth=depth, **sizes, **inside) for depth in depths]
        self.domain = domain
        self.port = ReadPort(channels=len(depths), outstanding=outstanding,
                             address_bits=address_bits, **sizes)
        segments = stream.Signature(segment_layout(**inside))
        words = stream.Signature(word_layout(data_bytes))
        super().__init__({
            **{f"segments_{number}": In(segments) for number in range(len(depths))},
            **{f"o_{number}": Out(words) for number in range(len(depths))},
            **{name: self.port.signature.members[name] for name in ("bus", "owes", "window")},
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.port = port = self.port
        wiring.connect(m, port.bus, wiring.flipped(self.bus))
        m.d.comb += [self.owes.eq(port.owes), port.window.eq(self.window)]
        for number, channel in enumerate(self.channels):
            m.submodules[f"channel_{number}"] = DomainRenamer(self.domain)(channel)
            wiring.connect(m, wiring.flipped(getattr(self, f"segments_{number}")), channel.segments)
            wiring.connect(m, channel.bursts, getattr(port, f"bursts_{number}"))
            wiring.connect(m, getattr(port, f"words_{number}"), channel.words)
            wiring.connect(m, channel.o, wiring.flipped(getattr(self, f"o_{number}")))
        return m
