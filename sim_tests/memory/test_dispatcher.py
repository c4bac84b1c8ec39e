"""Commands to jobs and works: every fault as golden finds it, every iteration, what has ended."""

from collections import deque

import cocotb
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.memory import Command, Fault, Machine, Operation
from golden.memory.descriptor import BYTES, FIELD, RESERVED
from golden.memory.jobs import JobKind, Output
from hw.contract.config import Config
from hw.memory.descriptor import DESCRIPTOR_BITS
from hw.memory.dispatcher import JOB_FIELDS, Dispatcher
from hw.memory.ledger import FAULT_BITS, Ledger
from hw.memory.work import UNDER_WAY, results_layout, rows_layout, tiles_layout
from sim_tests import bench, drive
from sim_tests.memory.commands import COUNTS, fault_of, good, iterations
from sim_tests.stimuli.operands import configuration, handed_over

SIZES = {"address_bits": 40, "length_bits": 24}
LAYOUTS = {"act": rows_layout(**SIZES), "weight": tiles_layout(address_bits=40),
           "results": results_layout(address_bits=40)}
LEDGER = ("begins", "note", "room", "wrong", "passed")
"""What the dispatcher and the ledger tell each other."""

LATENCY = 6
"""Least cycles from a command's last iteration to the end of its results."""


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


# What a descriptor has by itself.


def bits_of(command):
    return int.from_bytes(command.pack(), "little")


async def find(dut, bits, resp=0):
    """Offer a descriptor after a reset, and return the fault; without one the job must start."""
    for name in ("free", "i__valid", *(f"{each}__ready" for each in LAYOUTS)):
        getattr(dut, name).value = 0
    dut.rst.value = 1
    await drive.ticks(dut, 1)
    dut.rst.value, dut.i__valid.value = 0, 1
    dut.i__payload.value = bits | resp << DESCRIPTOR_BITS
    dut.free.value = 1
    for name in LAYOUTS:
        getattr(dut, f"{name}__ready").value = 1
    for _ in range(6):
        await drive.ticks(dut, 1)
        if int(dut.start.value):
            assert not int(dut.fault.value)
            return Fault.NONE
    return Fault(int(dut.fault.value))


async def compare_faults(dut, cases, *, seen=()):
    """Compare the fault of each (bits, resp) to golden's; those named have to come up."""
    config, found = configuration(), set()
    machine = Machine(rows=config.rows, cols=config.cols)
    for number, (bits, resp) in enumerate(cases):
        expected = fault_of(machine, bits.to_bytes(BYTES, "little"), resp)
        got = await find(dut, bits, resp)
        assert got == expected, f"case {number}, resp {resp}, {bits:#x}: {got!r}, {expected!r}"
        found.add(got)
    assert found >= set(seen), f"only {found} came up"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_reserved_bit_must_be_zero(dut):
    await drive.reset(dut)
    rng = drive.rng()
    job, wait = good(rng), Command(operation=Operation.WAIT, a=64, sequence=3)
    cases = [(bits_of(command) | 1 << bit, 0)
             for operation, command in ((Operation.JOB, job), (Operation.WAIT, wait))
             for bit in range(8 * BYTES) if RESERVED[operation] >> bit & 1]
    assert len(cases) > 1_500
    await compare_faults(dut, [*cases, (bits_of(job), 0)], seen={Fault.RESERVED, Fault.NONE})


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_version_and_operation_is_known_or_refused(dut):
    await drive.reset(dut)
    rng = drive.rng()
    cases = []
    for name in ("VERSION", "OPERATION"):
        for value in range(256):
            command = bits_of(good(rng)) & ~FIELD[name].mask | FIELD[name].put(value)
            cases.append((command, 0))
    seen = {Fault.UNKNOWN_VERSION, Fault.UNKNOWN_OPERATION, Fault.NONE}
    await compare_faults(dut, cases, seen=seen)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def both_counts_are_at_least_one(dut):
    await drive.reset(dut)
    rng = drive.rng()
    cases = [(bits_of(good(rng, count_0=inner, count_1=outer)), 0)
             for inner in (0, 1, 256, 65535) for outer in (0, 1, 256, 65535)]
    await compare_faults(dut, cases, seen={Fault.NO_COUNT, Fault.NONE})


PLACES = ("a", "b", "c", "bias", "order", "tags")


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_place_is_aligned_as_its_layout_asks(dut):
    """One bit below 64 is set, in each address, stride and step, of each kind and format."""
    await drive.reset(dut)
    rng, cases = drive.rng(), []
    ends = [name for name in (f"{place}{end}" for place in PLACES
                              for end in ("", "_stride", "_step_0", "_step_1"))
            if name.upper() in FIELD]
    assert len(ends) == 4 * 4 - 1 + 2
    for kind in JobKind:
        for float_format in range(3):
            for output in [Output.FP32] if kind.converts else Output:
                command = good(rng, kind=kind, format=float_format, output=output,
                               flags=0 if kind.converts else int(rng.integers(8)),
                               loads_order=int(rng.integers(2)), loads_tags=int(rng.integers(2)),
                               **dict.fromkeys(ends, 0))
                for name in ends:
                    for bit in rng.choice(7, 3, replace=False) if len(cases) > 300 else range(7):
                        cases.append((bits_of(command) | FIELD[name.upper()].put(1 << int(bit)), 0))
    await compare_faults(dut, cases, seen={Fault.UNALIGNED, Fault.NONE})


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def finds_what_golden_finds_in_anything(dut):
    """Fields of any value, codes that stand for nothing too, and several faults at once."""
    await drive.reset(dut)
    rng, cases = drive.rng(), []
    for _ in range(drive.amount(1_000, 10_000)):
        bits = bits_of(good(rng))
        for name, field in FIELD.items():
            if rng.random() < 0.1 and name not in ("VERSION", "OPERATION", "SEQUENCE", "GOES_ON"):
                value = int.from_bytes(rng.bytes(8), "little") >> int(rng.integers(64))
                value = value << int(rng.integers(8)) & (1 << field.width) - 1
                bits = bits & ~field.mask | field.put(value)
        if rng.random() < 0.1:
            bits |= 1 << int(rng.integers(32 * 33, 8 * BYTES))
        if rng.random() < 0.1:
            bits ^= 1 << int(rng.integers(16))
        cases.append((bits, int(rng.integers(4)) if rng.random() < 0.2 else 0))
    waits = [(bits, resp) for bits, resp in cases if FIELD["OPERATION"].take(bits) == 2]
    assert all(bits & RESERVED[Operation.WAIT] for bits, _ in waits)  # no WAIT that is good
    await compare_faults(dut, cases, seen={
        Fault.READ_SLVERR, Fault.READ_DECERR, Fault.UNKNOWN_VERSION, Fault.UNKNOWN_OPERATION,
        Fault.RESERVED, Fault.NO_COUNT, Fault.UNALIGNED, Fault.NONE})


# What becomes of good ones.


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


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def hands_out_every_iteration(dut, idle, stall):
    await drive.reset(dut)
    rng = drive.rng()
    commands = [good(rng, kind=kind) for _ in range(drive.amount(8, 80)) for kind in JobKind]
    run = Run(dut, commands, first=COUNTS - 9, idle=idle, stall=stall)
    await run.until(run.has_ended(len(commands)))
    await run.steps(10)
    run.compare(len(commands))
    assert run.interrupts == [command.interrupt for command in commands]
    assert int(dut.completed.value) == len(commands) and not int(dut.fault.value)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def counts_go_up_to_their_last_value(dut):
    await drive.reset(dut)
    rng = drive.rng()
    steps = {f"{place}_step_{level}": 64 * int(rng.integers(1 << 16))
             for place in ("a", "b", "c", "bias") for level in (0, 1)}
    commands = [good(rng, count_0=inner, count_1=outer, **steps)
                for inner, outer in ((300, 1), (1, 300), (17, 18), (1, 1))]
    run = Run(dut, commands)
    await run.until(run.has_ended(len(commands)))
    run.compare(len(commands))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def hands_out_an_iteration_each_cycle(dut):
    await drive.reset(dut)
    run = Run(dut, [good(drive.rng(), count_0=7, count_1=5)])
    await run.until(run.has_ended(1))
    assert run.cycles[-1] - run.cycles[0] == 34


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(name=["free", "act__ready", "weight__ready", "results__ready"])
async def survives_a_long_pause(dut, name):
    """While one of them takes nothing, nobody is given anything."""
    await drive.reset(dut)
    rng = drive.rng()
    commands = [good(rng, kind=JobKind.GEMM, count_0=4) for _ in range(4)]
    run = Run(dut, commands)
    await run.until(lambda: len(run.begun) == 3)
    run.held = name
    await run.steps(300)
    assert len(run.begun) == 3
    run.held = ""
    await run.until(run.has_ended(4))
    run.compare(4)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def stops_while_many_commands_have_not_ended(dut):
    await drive.reset(dut)
    rng = drive.rng()
    commands = [good(rng, count_0=1, count_1=2) for _ in range(3 * UNDER_WAY)]
    run = Run(dut, commands)
    run.ends = False
    await run.steps(200)
    assert UNDER_WAY <= run.at < 2 * UNDER_WAY
    assert int(dut.completed.value) == 0
    run.ends = True
    await run.until(run.has_ended(len(commands)))
    await run.steps(3)
    run.compare(len(commands))
    assert run.interrupts == [command.interrupt for command in commands]
    assert int(dut.completed.value) == len(commands)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(refused=[0, 3])
async def stands_still_at_what_is_refused(dut, refused):
    """What began before ends; of the command that is refused nobody is told."""
    await drive.reset(dut)
    rng = drive.rng()
    commands = [good(rng) for _ in range(6)]
    run = Run(dut, commands, refused=refused, stall=0.5)
    await run.until(lambda: run.refusals)
    await run.steps(100)
    assert run.refusals == 1 and run.at == refused
    assert int(dut.fault.value) == Fault.REFUSED
    run.compare(refused)
    assert int(dut.completed.value) == refused == len(run.interrupts)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_fault_stays_and_stops_what_follows(dut):
    await drive.reset(dut)
    rng = drive.rng()
    wrong = good(rng, kind=JobKind.GEMM, b_stride=32)
    run = Run(dut, [good(rng), wrong, good(rng)])
    await run.until(lambda: int(dut.fault.value))
    await run.steps(60)
    assert int(dut.fault.value) == Fault.UNALIGNED and run.at == 1
    run.compare(1)
    # Whatever is on offer then: the fault is that of the command that had it.
    run.commands[1] = good(rng)
    await run.steps(60)
    assert int(dut.fault.value) == Fault.UNALIGNED and run.at == 1
    run.compare(1)
    assert int(dut.completed.value) == 1 == len(run.interrupts)


@pytest.mark.parametrize("rows, cols", [(4, 4), (3, 5)])
def test_dispatcher(rows, cols):
    config = Config.sized(rows=rows, cols=cols)
    bench.simulate(Accounted(Dispatcher(config, **SIZES)), __name__, f"dispatcher_{rows}x{cols}",
                   parameters=handed_over(config))
