"""Tables and watched words through one channel: the benches of either, the other's inputs noise."""

import pytest
from amaranth import Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from hw.contract.config import Config
from hw.memory.side_reader import SideReader
from sim_tests import bench
from sim_tests.memory import test_table_loader, test_word_watch
from sim_tests.memory.test_table_loader import Recorded
from sim_tests.stimuli.operands import handed_over

SIZES = test_word_watch.SIZES


class Part(wiring.Component):
    """A `SideReader` with the ports of one of the two parts; what the other is told is all ones.

    Parameters
    ----------
    reader : SideReader
    part : Component
        The `TableLoader`, or the `WordWatch`.
    request, idle : str
        The reader's names for the part's ``i``, and for the other's.
    """

    def __init__(self, reader, part, request, idle):
        self.reader, self.request, self.idle = reader, request, idle
        self.config = getattr(part, "config", None)
        super().__init__(dict(part.signature.members.items()))

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = self.reader
        names = {"i": self.request, "resp": f"{self.request}_resp"}
        for name, member in self.signature.members.items():
            outer, inner = getattr(self, name), getattr(reader, names.get(name, name))
            if member.is_signature:
                wiring.connect(m, wiring.flipped(outer), inner)
            else:
                m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
        other = getattr(reader, self.idle)
        m.d.comb += [other.valid.eq(0), other.p.eq(Const(-1, len(other.p.as_value())))]
        return m


def of_reader(config, data_bytes, name, request, idle):
    """Make a reader, and give it the ports of one of its parts."""
    reader = SideReader(config, data_bytes=data_bytes, **SIZES)
    return Part(reader, getattr(reader, name), request, idle)


@pytest.mark.parametrize("data_bytes", [8, 32])
def test_watches_words(data_bytes):
    config = Config.sized(rows=2, cols=2, k_max=100)
    bench.simulate(of_reader(config, data_bytes, "watcher", "watch", "load"),
                   test_word_watch.__name__, f"beside_watches_{data_bytes}",
                   parameters={"data_bytes": data_bytes})


@pytest.mark.parametrize("k_max, tables, data_bytes", [(100, 2, 8), (300, 1, 32)])
def test_loads_tables(k_max, tables, data_bytes):
    config = Config.sized(rows=2, cols=2, k_max=k_max, tables=tables)
    loader = of_reader(config, data_bytes, "loader", "load", "watch")
    bench.simulate(Recorded(loader), test_table_loader.__name__,
                   f"beside_loads_{data_bytes}",
                   parameters=handed_over(config, data_bytes=data_bytes))
