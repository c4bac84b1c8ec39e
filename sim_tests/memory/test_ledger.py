"""What has ended, in order; faults of each command, notes, and what a stop leaves."""

from collections import deque

import cocotb
import pytest

from golden.memory import Fault
from hw.memory.axi4 import DECERR, OKAY, OUTSIDE, SLVERR
from hw.memory.ledger import NOTE, Ledger
from hw.memory.work import COUNT_BITS, UNDER_WAY
from hw.registers.ring_map import FAULT_BITS
from sim_tests import bench, drive

COUNTS = 1 << COUNT_BITS
OPERANDS = ("beside", "act", "weight")
MARKS = {"cut_off": Fault.OVERLONG, "saturated": Fault.SATURATED, "overlong": Fault.OVERLONG}
"""Of several in one cycle the first counts, and operands before marks."""

OF_VECTOR = ("beside", "saturated")
INPUTS = ("begins", "note", "wrong", "wrong_note", "answered", "write_resp", "ended", "forget",
          "skip", *(f"{name}_{end}" for name in OPERANDS for end in ("resp", "index")),
          *MARKS, *(f"{name}_index" for name in MARKS))
READ, WRITE = ({OUTSIDE: Fault.OUTSIDE, SLVERR: Fault.READ_SLVERR, DECERR: Fault.READ_DECERR},
               {OUTSIDE: Fault.OUTSIDE, SLVERR: Fault.WRITE_SLVERR, DECERR: Fault.WRITE_DECERR})


class Book:
    """The commands under way as a list: each a note, and its first fault."""

    def __init__(self, completed):
        self.completed, self.under_way = completed, deque()

    def blame(self, index, fault):
        """Note a fault of the command whose number has these lowest bits."""
        for place, each in enumerate(self.under_way):
            if (self.completed + place) % UNDER_WAY == index and not each[1]:
                each[1] = fault

    def ends_by_itself(self):
        """Tell whether the oldest command has nothing to wait for."""
        return bool(self.under_way and self.under_way[0][0] >> 2)

    def expected(self, given):
        """Say what is to be seen in a cycle with these inputs, and note what they say."""
        seen = dict.fromkeys(("passed", "interrupts", "stops"), 0)
        seen["room"] = int(len(self.under_way) < UNDER_WAY)
        oldest = self.completed % UNDER_WAY
        there = [list(each) for each in self.under_way]
        if given["answered"]:
            self.blame(oldest, WRITE.get(given["write_resp"], 0))
        note = fault = None
        seen["holds"] = int(self.ends_by_itself())
        if there:
            seen["spoilt"] = int(there[0][1] != 0)
        ends = given["ended"] or seen["holds"]
        if ends:
            note, fault = self.under_way[0]
        elif given["wrong"] and not self.under_way:
            note, fault = given["wrong_note"], given["wrong"]
        if note is not None:
            interrupt, goes_on = note & 1, note >> 1 & 1
            seen["stops"] = int(bool(fault) and not goes_on)
            seen["fault"] = fault if seen["stops"] else None
            if not seen["stops"]:
                seen["interrupts"], seen["passed"] = interrupt, int(not ends)
                self.completed = (self.completed + 1) % COUNTS
                if ends:
                    self.under_way.popleft()
        return seen

    def after(self, given, oldest):
        """Take over what counts from the next cycle on; `oldest` is the count before this one."""
        for name in OPERANDS:
            self._blame_since(oldest, given[f"{name}_index"], READ.get(given[f"{name}_resp"], 0))
        for name, fault in MARKS.items():
            if given[name]:
                self._blame_since(oldest, given[f"{name}_index"], fault)
        if given["begins"]:
            self.under_way.append([given["note"], 0])
        if given["skip"]:
            self.completed = (self.completed + 1) % COUNTS
        if given["forget"]:
            self.under_way.clear()

    def _blame_since(self, oldest, index, fault):
        if fault and len(self.under_way):
            self.blame(index, fault)


def is_there(name):
    """Tell whether the machine has what an operand or a mark is about."""
    return drive.parameters()["has_vector"] or name not in OF_VECTOR


def inputs():
    return [name for name in INPUTS if is_there(name.removesuffix("_resp").removesuffix("_index"))]


def draw(rng, book, stopped):
    """Draw inputs as the machine would give them."""
    given = dict.fromkeys(INPUTS, 0)
    if stopped:
        return given | {"forget": int(stopped > 1), "skip": int(stopped > 2)}
    there, by_itself = len(book.under_way), book.ends_by_itself()
    flip = rng.random
    given["ended"] = int(there and not by_itself and flip() < 0.3)
    # Nothing is said any more of a command that is about to end.
    places = range(1 if given["ended"] or by_itself else 0, there)
    for name in filter(is_there, OPERANDS):
        if places and flip() < 0.15:
            given[f"{name}_resp"] = int(rng.choice([OKAY, OUTSIDE, SLVERR, DECERR]))
            given[f"{name}_index"] = (book.completed + int(rng.choice(places))) % UNDER_WAY
    for name in filter(is_there, MARKS):
        if places and flip() < 0.05:
            given[name] = 1
            given[f"{name}_index"] = (book.completed + int(rng.choice(places))) % UNDER_WAY
    given["answered"] = int(given["ended"] or (there and not by_itself and flip() < 0.3))
    given["write_resp"] = int(rng.choice([OKAY] * 6 + [OUTSIDE, SLVERR, DECERR]))
    if flip() < 0.3:
        given["wrong"] = int(rng.integers(1, 1 << FAULT_BITS))
    elif there < UNDER_WAY and flip() < 0.5:
        given["begins"] = 1
    given["note"], given["wrong_note"] = (
        int(rng.integers(4)) | 2 * int(flip() < 0.5) | done * 4 * int(flip() < 0.3)
        for done in (1, 0))
    return given


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def keeps_account_of_every_command(dut):
    await drive.reset(dut)
    rng = drive.rng()
    for _ in range(drive.amount(60, 600)):
        book = Book(drive.parameters()["first"])
        dut.rst.value = 1
        await drive.ticks(dut, 1)
        dut.rst.value = 0
        stopped = 0
        for _ in range(60):
            given = draw(rng, book, stopped)
            for name in inputs():
                getattr(dut, name).value = given[name]
            before = book.completed
            seen = book.expected(given)
            await drive.ticks(dut, 1)
            fault = seen.pop("fault", None)
            for name, value in seen.items():
                assert int(getattr(dut, name).value) == value, f"{name}, {given}"
            if seen["stops"]:
                assert int(dut.fault.value) == fault, f"{given}"
            assert int(dut.completed.value) == before
            book.after(given, before)
            stopped = stopped + 1 if stopped or seen["stops"] else 0
            if stopped > 4:
                break
        for name in inputs():
            getattr(dut, name).value = 0
        dut.forget.value = 1
        await drive.ticks(dut, 2)
        dut.forget.value = 0
        assert int(dut.completed.value) == book.completed


@pytest.mark.parametrize("first", [0, COUNTS - 9])
def test_ledger(first):
    simulate(first, False)


def test_ledger_of_a_vector_unit():
    simulate(0, True)


def simulate(first, has_vector):
    bench.simulate(Ledger(first=first, has_vector=has_vector), __name__,
                   f"ledger_{first}{'_vector' * has_vector}",
                   parameters={"first": first, "has_vector": has_vector})


def test_the_bits_of_a_note_are_those_of_the_book():
    assert [name for name, _ in NOTE] == ["interrupt", "goes_on", "is_done"]


@pytest.mark.parametrize("count", [0, 1])
def test_the_book_blames_the_first_fault_alone(count):
    book = Book(count)
    book.under_way.extend([[0, 0], [0, 0]])
    book.blame((count + 1) % UNDER_WAY, Fault.READ_SLVERR)
    book.blame((count + 1) % UNDER_WAY, Fault.OVERLONG)
    assert [fault for _, fault in book.under_way] == [0, Fault.READ_SLVERR]
