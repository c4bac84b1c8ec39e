"""Watches a bus: how much goes over it, how long it takes, and whether it still answers."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.registers.model import REGISTER_BITS
from hw.registers.ring_map import BUS_COUNTERS

from .axi4 import axi4_signature

COUNTERS = tuple(name.lower() for name, _ in BUS_COUNTERS)


class BusWatch(wiring.Component):
    """Count what happens on the bus, modulo 2^32, and notice when nothing does.

    Parameters
    ----------
    address_bits, data_bytes, id_bits : int
    outstanding : int
        Most reads, and most writes, that the bus owes.
    first : int
        What the counters are after a reset, and how long the bus has been silent.

    Members
    -------
    bus : In(axi4_signature), all of it inputs
    limit : In(32)
        Cycles in which a bus that owes something may do nothing; 0: as many as it likes.
    timed_out : Out(1)
        It has done nothing for as long.
    read_bursts, read_beats, … : Out(32)
        See `hw.registers.ring_map.BUS_COUNTERS`.
    """

    def __init__(self, *, address_bits, data_bytes, id_bits, outstanding, first=0):
        self.first, self.outstanding = first, outstanding
        bus = axi4_signature(address_bits=address_bits, data_bytes=data_bytes, id_bits=id_bits)
        super().__init__({
            "bus": In(wiring.Signature({
                name: Out(member.shape) for name, member in bus.members.items()})),
            "limit": In(REGISTER_BITS), "timed_out": Out(1),
            **{name: Out(REGISTER_BITS, init=first) for name in COUNTERS}})

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        moves = {channel: Signal(name=f"{channel}_moves")
                 for channel in ("ar", "r", "aw", "w", "b")}
        stalls = {channel: Signal(name=f"{channel}_stalls") for channel in ("ar", "aw", "w")}
        for channel, moved in moves.items():
            m.d.comb += moved.eq(getattr(bus, f"{channel}valid") & getattr(bus, f"{channel}ready"))
        for channel, stalled in stalls.items():
            m.d.comb += stalled.eq(
                getattr(bus, f"{channel}valid") & ~getattr(bus, f"{channel}ready"))
        reads, writes = (Signal(range(self.outstanding + 1), name=name)
                         for name in ("reads", "writes"))  # taken and not answered
        m.d.sync += [reads.eq(reads + moves["ar"] - (moves["r"] & bus.rlast)),
                     writes.eq(writes + moves["aw"] - moves["b"])]
        for name, step in (
                ("read_bursts", moves["ar"]), ("read_beats", moves["r"]),
                ("read_stalls", stalls["ar"]), ("read_owed", reads),
                ("write_bursts", moves["aw"]), ("write_beats", moves["w"]),
                ("write_stalls", stalls["aw"] | stalls["w"]), ("write_owed", writes)):
            m.d.sync += getattr(self, name).eq(getattr(self, name) + step)
        silent = Signal(REGISTER_BITS, init=self.first)
        owes = (reads != 0) | (writes != 0) | Cat(stalls.values()).any()
        m.d.comb += self.timed_out.eq((self.limit != 0) & (silent >= self.limit))
        with m.If(Cat(moves.values()).any() | ~owes):
            m.d.sync += silent.eq(0)
        with m.Elif(~self.timed_out):
            m.d.sync += silent.eq(silent + 1)
        return m
