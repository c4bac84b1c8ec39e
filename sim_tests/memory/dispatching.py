"""The dispatcher with its ledger, and whoever gives it commands and takes what they become."""

from collections import deque

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.memory.descriptor import BYTES
from hw.memory.dispatcher import JOB_FIELDS
from hw.memory.ledger import FAULT_BITS, Ledger
from hw.memory.work import results_layout, rows_layout, tiles_layout
from sim_tests import drive
from sim_tests.memory.commands import COUNTS, iterations
from sim_tests.stimuli.operands import configuration

SIZES = {"address_bits": 40, "length_bits": 24}
LAYOUTS = {"act": rows_layout(**SIZES), "weight": tiles_layout(address_bits=40),
           "results": results_layout(address_bits=40)}
LEDGER = ("begins", "note", "room", "wrong", "passed")
"""What the dispatcher and the ledger tell each other."""

LATENCY = 6
"""Least cycles from a command's last iteration to the end of its results."""


def bits_of(command):
    """Give a command's descriptor as a number."""
    return int.from_bytes(command.pack(), "little")


class Accounted(wiring.Component):
    """The dispatcher with its ledger, whose first fault stays."""

    def __init__(self, dispatcher):
        self.dispatcher = dispatcher
        super().__init__({
            **{name: member for name, member in dispatcher.signature.members.items()
               if name not in LEDGER},
            "ended": In(1), "completed": Out(32), "interrupts": Out(1), "fault": Out(FAULT_BITS)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dispatcher = dispatcher = self.dispatcher
        m.submodules.ledger = ledger = Ledger()
        for name, member in dispatcher.signature.members.items():
            inner = getattr(dispatcher, name)
            if name in LEDGER:
                continue
            if member.is_signature:
                wiring.connect(m, inner, wiring.flipped(getattr(self, name)))
            else:
                m.d.comb += (getattr(self, name).eq(inner) if member.flow is Out
                             else inner.eq(getattr(self, name)))
        m.d.comb += [
            ledger.begins.eq(dispatcher.begins), ledger.note.eq(dispatcher.note),
            ledger.wrong.eq(dispatcher.wrong), ledger.wrong_note.eq(dispatcher.note),
            ledger.ended.eq(self.ended), dispatcher.room.eq(ledger.room),
            dispatcher.passed.eq(ledger.passed),
            self.completed.eq(ledger.completed), self.interrupts.eq(ledger.interrupts)]
        with m.If(ledger.stops & (self.fault == 0)):
            m.d.sync += self.fault.eq(ledger.fault)
        return m


class Run:
    """Offer commands, take what they become, and say that their results have ended.

    Attributes
    ----------
    begun : list of (int, dict, dict)
        Of each iteration: number of its command, job registers, works.
    interrupts : list of int
        What `interrupts` said as each command ended.
    refused : int
        The command that cannot be run, if any.
    ends : bool
        Commands may end.
    held : str
        A port that stays low.
    """

    def __init__(self, dut, commands, *, first=0, idle=0.0, stall=0.0, refused=None):
        self.dut, self.commands, self.first = dut, commands, first
        self.idle, self.stall, self.refused = idle, stall, refused
        self.begun, self.interrupts, self.cycles = [], [], []
        self.at, self.is_offered, self.refusals = 0, False, 0
        self.ending, self.ends, self.held = deque(), True, ""
        self.flips, self.before = drive.rng("run"), None

    async def step(self):
        """Drive everything for a cycle, and note what comes."""
        dut, flips = self.dut, self.flips
        has_more = self.at < len(self.commands)
        self.is_offered = has_more and (self.is_offered or flips.random() >= self.idle)
        dut.i__valid.value = int(self.is_offered)
        dut.i__payload.value = (bits_of(self.commands[self.at]) if self.is_offered
                                else int.from_bytes(flips.bytes(BYTES), "little"))
        dut.number.value = (self.first + self.at) % COUNTS
        dut.refused.value = int(self.at == self.refused)
        for name in ("free", *(f"{each}__ready" for each in LAYOUTS)):
            getattr(dut, name).value = int(flips.random() >= self.stall / 2 and name != self.held)
        ends = bool(self.ends and self.ending and self.ending[0] <= drive.cycle()
                    and flips.random() < 0.4)
        dut.ended.value = int(ends)
        await drive.ticks(dut, 1)
        if ends:
            self.ending.popleft()
            self.interrupts.append(int(dut.interrupts.value))
        else:
            assert not int(dut.interrupts.value)
        self._note()

    def _note(self):
        dut = self.dut
        job = {name: int(getattr(dut, f"job_{name}").value) for name in JOB_FIELDS}
        valid = {name: bool(int(getattr(dut, f"{name}__valid").value)) for name in LAYOUTS}
        takes = bool(int(dut.i__ready.value)) and self.is_offered
        if int(dut.start.value):
            assert int(dut.free.value) and self.before == (self.at, job), "it has not stood"
        if int(dut.start.value) and self.at == self.refused:
            self.refusals += 1
            assert not any(valid.values()) and not takes
        elif int(dut.start.value):
            command = self.commands[self.at]
            assert valid == {"act": True, "weight": not command.converts, "results": True}
            assert all(int(getattr(dut, f"{name}__ready").value) for name in LAYOUTS)
            works = {name: LAYOUTS[name].from_bits(int(getattr(dut, f"{name}__payload").value))
                     for name in LAYOUTS}
            self.begun.append((self.at, job, works))
            self.cycles.append(drive.cycle())
        else:
            assert not any(valid.values()) and not takes
        self.before = (self.at, job) if self.is_offered else None
        if takes:
            self.ending.append(drive.cycle() + LATENCY)
            self.at, self.is_offered = self.at + 1, False

    async def until(self, holds, limit=20_000):
        """Go on until something holds."""
        for _ in range(limit):
            if holds():
                return
            await self.step()
        raise AssertionError(f"hung at command {self.at}")

    async def steps(self, cycles):
        for _ in range(cycles):
            await self.step()

    def has_ended(self, count):
        return lambda: len(self.interrupts) == count

    def compare(self, count):
        """Compare every iteration of the first commands; there is none of the others."""
        expected = [(number, command, works)
                    for number, command in enumerate(self.commands[:count])
                    for works in iterations(configuration(), command,
                                            (self.first + number) % COUNTS)]
        for at, (got, wanted) in enumerate(zip(self.begun, expected, strict=True)):
            number, command, works = wanted
            assert got[0] == number, f"iteration {at}"
            assert got[1] == {name: getattr(command, name) for name in JOB_FIELDS}
            for name, fields in works.items():
                compare_fields(got[2][name], fields or {}, f"iteration {at}, {command}: {name}")


def compare_fields(got, wanted, where):
    for name, value in wanted.items():
        if isinstance(value, dict):
            compare_fields(got[name], value, f"{where}.{name}")
        else:
            assert got[name] == value, f"{where}.{name}: {got[name]}, expected {value}"
