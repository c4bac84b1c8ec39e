"""Keeps account of the commands: which have ended, and what was wrong with them."""

from amaranth import Array, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.memory.faults import Fault
from hw.registers.ring_map import FAULT_BITS

from .axi4 import DECERR, OKAY, OUTSIDE, SLVERR
from .work import COUNT_BITS, INDEX_BITS, UNDER_WAY

NOTE = data.StructLayout({"interrupt": 1, "goes_on": 1, "is_done": 1})
"""What a command wants when it has ended, or cannot be carried out; `is_done`: it has nothing to
wait for but those before it."""

READ_FAULTS = {OUTSIDE: Fault.OUTSIDE, SLVERR: Fault.READ_SLVERR, DECERR: Fault.READ_DECERR}
WRITE_FAULTS = READ_FAULTS | {SLVERR: Fault.WRITE_SLVERR, DECERR: Fault.WRITE_DECERR}
"""By answer."""


def fault_of(resp, faults):
    """Give the fault that an answer means, 0 for none, as an expression."""
    return Array([Fault.NONE, *(faults[answer] for answer in (OUTSIDE, SLVERR, DECERR))])[resp]


class Ledger(wiring.Component):
    """Count commands as they end, in their order; stop at one that has a fault.

    A command whose operands or results the bus answered with an error ends when its results would
    have: it counts if it goes on all the same, and stops the ring if not.

    Parameters
    ----------
    first : int
        What `completed` is after a reset.
    has_vector : bool
        There are passes.

    Members
    -------
    begins : In(1), note : In(NOTE)
        A command begins; not while there is no `room`.
    room : Out(1)
        Fewer than `UNDER_WAY` commands have begun and not ended.
    wrong : In(FAULT_BITS), wrong_note : In(NOTE)
        What is wrong with the descriptor of the next command that would begin, 0 for nothing.
    passed : Out(1)
        That command is counted without having begun.
    act_resp, weight_resp : In(2), act_index, weight_index : In(INDEX_BITS)
        How the bus answered for operands of a command, in this cycle.
    beside_resp : In(2), beside_index : In(INDEX_BITS)
        With passes: likewise, of what lies beside their rows.
    saturated : In(1), saturated_index : In(INDEX_BITS)
        With passes: a power of two in one of a command does not exist.
    answered : In(1), write_resp : In(2)
        How the bus answered for results of the oldest command, in this cycle.
    cut_off : In(1), cut_off_index : In(INDEX_BITS)
        A packed operand of a command did not end within its stride.
    overlong : In(1), overlong_index : In(INDEX_BITS)
        A packed result of a command did not.
    ended : In(1)
        All results of the oldest command are in memory.
    spoilt : Out(1)
        The oldest command that has begun has a fault.
    holds : Out(1)
        The oldest command has no results and ends by itself: no answer may come in this cycle.
    forget : In(1)
        Nothing is under way any more.
    skip : In(1)
        Count the command at which the ring stands still.
    completed : Out(32)
    interrupts : Out(1)
        A command that asked for it is counted.
    stops : Out(1), fault : Out(FAULT_BITS)
        The command `completed` has a fault, and which.
    """

    def __init__(self, *, first=0, has_vector=False):
        self.has_vector = has_vector
        super().__init__({
            "begins": In(1),
            "note": In(NOTE),
            "room": Out(1),
            "wrong": In(FAULT_BITS),
            "wrong_note": In(NOTE),
            "passed": Out(1),
            "act_resp": In(2),
            "act_index": In(INDEX_BITS),
            "weight_resp": In(2),
            "weight_index": In(INDEX_BITS),
            "answered": In(1),
            "write_resp": In(2),
            "cut_off": In(1),
            "cut_off_index": In(INDEX_BITS),
            "overlong": In(1),
            "overlong_index": In(INDEX_BITS),
            "ended": In(1),
            "spoilt": Out(1),
            "holds": Out(1),
            "forget": In(1),
            "skip": In(1),
            "completed": Out(COUNT_BITS, init=first),
            "interrupts": Out(1),
            "stops": Out(1),
            "fault": Out(FAULT_BITS),
            **({"beside_resp": In(2), "beside_index": In(INDEX_BITS),
                "saturated": In(1), "saturated_index": In(INDEX_BITS)} if has_vector else {}),
        })

    def elaborate(self, platform):
        m = Module()
        oldest = self.completed[:INDEX_BITS]
        under_way = Signal(range(UNDER_WAY + 1))
        notes = Array(Signal(NOTE, name=f"note_{index}", reset_less=True)
                      for index in range(UNDER_WAY))
        faults = Array(Signal(FAULT_BITS, name=f"fault_{index}") for index in range(UNDER_WAY))
        found, last = Signal(FAULT_BITS), Signal(FAULT_BITS)
        ends = Signal()  # the oldest
        counts = Signal()
        is_wrong = Signal()
        note = Signal(NOTE)
        m.d.comb += [
            self.room.eq(under_way != UNDER_WAY),
            # What the last answer of a command says is known with its end.
            last.eq(Mux(self.answered, fault_of(self.write_resp, WRITE_FAULTS), Fault.NONE)),
            found.eq(Mux(faults[oldest] != 0, faults[oldest], last)),
            is_wrong.eq((self.wrong != 0) & (under_way == 0)),
            note.eq(Mux(is_wrong, self.wrong_note, notes[oldest])),
            self.fault.eq(Mux(is_wrong, self.wrong, found)),
            self.spoilt.eq(faults[oldest] != 0),  # also while what is under way is dropped
            self.holds.eq((under_way != 0) & notes[oldest].is_done),
            ends.eq(self.ended | self.holds),
            self.stops.eq((ends | is_wrong) & (self.fault != 0) & ~note.goes_on),
            counts.eq((ends | is_wrong) & ~self.stops),
            self.passed.eq(is_wrong & counts),
            self.interrupts.eq(counts & note.interrupt),
        ]
        m.d.sync += [self.completed.eq(self.completed + (counts | self.skip)),
                     under_way.eq(under_way + self.begins - (ends & counts))]
        youngest = (self.completed + under_way)[:INDEX_BITS]
        with m.If(self.begins):
            m.d.sync += [notes[youngest].eq(self.note), faults[youngest].eq(0)]
        answers = [(self.weight_resp, self.weight_index), (self.act_resp, self.act_index)]
        powers = []
        if self.has_vector:
            answers.append((self.beside_resp, self.beside_index))
            powers.append((self.saturated, self.saturated_index, Fault.SATURATED))
        for holds, index, code in (  # of several in one cycle the last stays
                (self.overlong, self.overlong_index, Fault.OVERLONG), *powers,
                (self.cut_off, self.cut_off_index, Fault.OVERLONG),
                *((resp != OKAY, index, fault_of(resp, READ_FAULTS)) for resp, index in answers),
                (last != 0, oldest, last)):
            with m.If(holds & (faults[index] == 0)):
                m.d.sync += faults[index].eq(code)
        with m.If(self.forget):
            m.d.sync += under_way.eq(0)
        return m
