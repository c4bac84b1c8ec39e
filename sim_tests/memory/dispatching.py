"""The dispatcher with its ledger, and whoever gives it commands and takes what they become."""

from collections import deque

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.memory.descriptor import BYTES, JobFlag, Operation
from golden.memory.jobs import Selection
from hw.contract.job import asked_stages_layout
from hw.contract.job_codes import AnyKind
from hw.memory.descriptor import ADDRESS_BITS as BUS_ADDRESS_BITS
from hw.memory.descriptor import descriptor_of, renewal_layout
from hw.memory.dispatcher import JOB_FIELDS, OF_A_TABLE
from hw.memory.ledger import Ledger
from hw.memory.table_loader import load_layout
from hw.memory.word_watch import watch_layout
from hw.memory.work import Form, beside_layout, results_layout, rows_layout, tiles_layout
from hw.registers.codes import Refusal
from hw.registers.ring_map import FAULT_BITS
from sim_tests import drive
from sim_tests.memory.commands import ADDRESS_BITS, COUNTS, iterations
from sim_tests.stimuli.operands import configuration

SIZES = {"address_bits": ADDRESS_BITS, "length_bits": 24}
LOAD, WATCH = load_layout(address_bits=ADDRESS_BITS), watch_layout(address_bits=ADDRESS_BITS)
LEDGER = ("begins", "note", "room", "wrong", "passed", "completed")
"""What the dispatcher and the ledger tell each other."""

FIRST = COUNTS - 9
"""Count of ended commands after a reset."""

LATENCY = 6
"""Least cycles from a command's last iteration to the end of its results."""


TABLES = 2


def layouts():
    """Give the layouts of the works that an iteration may have, by their ports."""
    has_vector = bool(configuration().vector_lanes)
    return {"act": rows_layout(**SIZES), "weight": tiles_layout(address_bits=ADDRESS_BITS),
            "results": results_layout(address_bits=ADDRESS_BITS, has_vector=has_vector),
            **({"beside": beside_layout(**SIZES)} if has_vector else {})}


def is_wait(command):
    return command.operation == Operation.WAIT.value


def asked_of(command):
    """Say what the job registers have to hold, by the names of the dispatcher's ports."""
    fields = {name: getattr(command, name) for name in JOB_FIELDS}
    return fields | ({"kind": AnyKind.VECTOR.value, "k": command.n} if command.is_vector else {})


def stages_of(command):
    """Say what stages a command asks for."""
    flags = JobFlag(command.flags)
    return {"function": command.function, "rows": command.rows, "scalar": command.scalar,
            "is_scaled": int(JobFlag.SCALED in flags), "has_channel": int(JobFlag.CHANNEL in flags),
            "has_residual": int(JobFlag.RESIDUAL in flags),
            "is_shift": int(not command.residual_stride)}


def uses_table(command):
    """Tell whether a job may look at its table."""
    return bool(not is_wait(command) and (
        command.loads_order or command.loads_tags or command.flags & JobFlag.REORDER
        or command.selection == Selection.STATIC.value))


def bits_of(command):
    """Give a command's descriptor as a number."""
    return int.from_bytes(command.pack(), "little")


def as_read(bits, resp=0):
    """Give a descriptor as it comes, as a number."""
    known = descriptor_of(configuration())
    masks = known.reserved.values()
    reserved = sum(bool(bits & mask) << place for place, mask in enumerate(masks))
    return bits & (1 << known.bits) - 1 | (reserved | resp << len(masks)) << known.bits


class Accounted(wiring.Component):
    """The dispatcher with its ledger, whose first fault stays."""

    def __init__(self, dispatcher):
        self.dispatcher = dispatcher
        super().__init__({
            **{name: member for name, member in dispatcher.signature.members.items()
               if name not in LEDGER},
            "ended": In(1), "ends": Out(1), "completed": Out(32), "interrupts": Out(1),
            "fault": Out(FAULT_BITS)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.dispatcher = dispatcher = self.dispatcher
        m.submodules.ledger = ledger = Ledger(first=FIRST)
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
            self.ends.eq(self.ended & ~ledger.holds), ledger.ended.eq(self.ends),
            dispatcher.room.eq(ledger.room),
            dispatcher.passed.eq(ledger.passed), dispatcher.completed.eq(ledger.completed),
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
    loads, watches, counts : list of (int, dict)
        Of each that was asked for: number of its command, what; of counts the work.
    interrupts : list of int
        What `interrupts` said as each command ended.
    refused : int
        The command that cannot be run, if any.
    ends : bool
        Commands may end.
    held : str
        A port that stays low.
    """

    def __init__(self, dut, commands, *, idle=0.0, stall=0.0, refused=None):
        self.dut, self.commands = dut, commands
        self.idle, self.stall, self.refused = idle, stall, refused
        self.begun, self.interrupts, self.cycles = [], [], []
        self.loads, self.watches, self.counts = [], [], []
        self.notify = int(drive.rng("notify").integers(1 << ADDRESS_BITS - 2)) * 4
        self.at, self.is_offered, self.refusals = 0, False, 0
        self.layouts, self.stages = layouts(), []
        self.ending, self.ends, self.held = deque(), True, ""
        self.flips, self.before = drive.rng("run"), None
        self.completed = self.interrupt = 0
        self.bits, self.bits_at = 0, None  # of the command that is offered

    async def step(self):
        """Drive everything for a cycle, and note what comes."""
        dut, flips = self.dut, self.flips
        has_more = self.at < len(self.commands)
        self.is_offered = has_more and (self.is_offered or flips.random() >= self.idle)
        dut.i__valid.value = int(self.is_offered)
        if self.bits_at != self.at and has_more:
            self.bits, self.bits_at = as_read(bits_of(self.commands[self.at])), self.at
        dut.i__payload.value = self.bits if self.is_offered else as_read(
            int.from_bytes(flips.bytes(BYTES), "little"))
        dut.number.value = (FIRST + self.at) % COUNTS
        dut.refused.value = int(self.at == self.refused)
        dut.notify_address.value = self.notify
        reasons = [reason for reason in Refusal if reason not in (Refusal.NONE, *OF_A_TABLE)]
        dut.checked.value = (reasons if self.at == self.refused else [
            Refusal.NONE, *OF_A_TABLE])[self.at % 4]
        for name in ("load", "watch"):
            getattr(dut, f"{name}__ready").value = int(flips.random() < 0.3)
            getattr(dut, f"{name}_resp").value = 0
        for name in ("free", *(f"{each}__ready" for each in self.layouts)):
            getattr(dut, name).value = int(flips.random() >= self.stall / 2 and name != self.held)
        ends = bool(self.ends and self.ending and self.ending[0] < drive.cycle()
                    and flips.random() < 0.4)
        dut.ended.value = int(ends)
        await drive.ticks(dut, 1)
        known = descriptor_of(configuration())
        renewed = renewal_layout(known, ADDRESS_BITS).from_bits(int(dut.renewed.value))
        for name in known.stepped if renewed["valid"] else ():
            self.bits &= ~((1 << BUS_ADDRESS_BITS) - 1 << known.places[name])
            self.bits |= renewed[name] << known.places[name]
        if int(dut.ends.value):
            self.ending.popleft()
        completed = (int(dut.completed.value) - FIRST) % COUNTS
        if completed != self.completed:
            assert completed == self.completed + 1
            self.interrupts.append(self.interrupt)
        else:
            assert not self.interrupt
        self.completed, self.interrupt = completed, int(dut.interrupts.value)
        self._note()

    def _note(self):
        dut = self.dut
        job = {name: int(getattr(dut, f"job_{name}").value) for name in JOB_FIELDS}
        valid = {name: bool(int(getattr(dut, f"{name}__valid").value)) for name in self.layouts}
        takes = bool(int(dut.i__ready.value)) and self.is_offered
        command = self.commands[self.at] if self.is_offered else None
        if int(dut.start.value):
            assert int(dut.free.value) and self.before == (self.at, job), "it has not stood"
        if int(dut.start.value) and self.at == self.refused:
            self.refusals += 1
            assert not any(valid.values()) and not takes
        elif int(dut.start.value):
            assert all(int(getattr(dut, f"{name}__ready").value) for name in self.layouts)
            works = {name: layout.from_bits(int(getattr(dut, f"{name}__payload").value))
                     if valid[name] else None for name, layout in self.layouts.items()}
            self.begun.append((self.at, job, works))
            if configuration().vector_lanes:
                self.stages.append(asked_stages_layout().from_bits(int(dut.stages.value)))
            self.cycles.append(drive.cycle())
        elif valid["results"]:
            assert sum(valid.values()) == 1
            if int(dut.results__ready.value):
                self.counts.append((self.at, self.layouts["results"].from_bits(
                    int(dut.results__payload.value))))
        else:
            assert not any(valid.values())
        self._note_asides(command)
        self.before = (self.at, job) if self.is_offered else None
        if takes:
            if not is_wait(command) or command.notify:
                self.ending.append(drive.cycle() + LATENCY)
            self.at, self.is_offered = self.at + 1, False

    def _note_asides(self, command):
        """Note what is loaded and watched; a table stays while its users have not ended."""
        dut = self.dut
        if int(dut.load__valid.value):
            assert self.at != self.refused
            users = [number for number, each in enumerate(self.commands[:self.at])
                     if uses_table(each) and (each.table - command.table) % TABLES == 0]
            waits = [self.at - command.wait_side] if command.wait_side else []
            assert all(number < self.completed for number in (*users, *waits)), "too early"
            if int(dut.load__ready.value):
                self.loads.append((self.at, LOAD.from_bits(int(dut.load__payload.value))))
        if int(dut.watch__valid.value) and int(dut.watch__ready.value):
            self.watches.append((self.at, WATCH.from_bits(int(dut.watch__payload.value))))

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
        """Compare all that the first commands became; there is nothing of the others."""
        expected = [(number, command, works)
                    for number, command in enumerate(self.commands[:count])
                    if not is_wait(command)
                    for works in iterations(configuration(), command,
                                            (FIRST + number) % COUNTS)]
        for at, (got, wanted) in enumerate(zip(self.begun, expected, strict=True)):
            number, command, works = wanted
            assert got[0] == number, f"iteration {at}"
            assert got[1] == asked_of(command)
            for name, fields in works.items():
                work, what = got[2].get(name), f"iteration {at}, {command}: {name}"
                assert (work is None) == (fields is None), what
                compare_fields(work, fields or {}, what)
        for got, (_, command, _) in zip(self.stages, expected, strict=bool(self.stages)):
            compare_fields(got, stages_of(command), f"{command}")
        self._compare_asides(count)

    def _compare_asides(self, count):
        loads, watches, counts = [], [], []
        for number, command in enumerate(self.commands[:count]):
            if is_wait(command):
                watches.append((number, {"address": command.a, "count": command.sequence}))
            if command.loads_order:
                loads.append((number, {"is_tags": 0, "table": command.table, "count": command.k,
                                       "address": command.order}))
            if command.loads_tags:
                loads.append((number, {"is_tags": 1, "table": command.table,
                                       "count": -(-command.columns // 16),
                                       "address": command.tags}))
            if command.notify:
                counts.append((number, {
                    "form": Form.COUNT, "ends": 1, "address": self.notify,
                    "m": (FIRST + number + 1) % COUNTS}))
        for name, expected in (("loads", loads), ("watches", watches), ("counts", counts)):
            got = getattr(self, name)
            for (number, work), (of, fields) in zip(got, expected, strict=True):
                assert number == of, name
                compare_fields(work, fields, f"{name} of {number}")


def compare_fields(got, wanted, where):
    for name, value in wanted.items():
        if isinstance(value, dict):
            compare_fields(got[name], value, f"{where}.{name}")
        else:
            assert got[name] == value, f"{where}.{name}: {got[name]}, expected {value}"
