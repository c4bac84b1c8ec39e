"""Proof of `hw.memory.ledger`."""

from amaranth import Array, Cat, Mux, Signal

import hw.memory.ledger as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from golden.memory.faults import Fault
from hw.memory.work import COUNT_BITS, INDEX_BITS, UNDER_WAY
from hw.registers.ring_map import FAULT_BITS


class LedgerHarness(Harness):
    """Commands begin and end at any time, and anything is told of them.

    One arbitrary command is followed from its beginning to its end, with the first fault that is
    told of it. `forget` stays high from a drop until the bus has given all that it owed; ends of
    commands that were dropped come in that time too.

    Parameters
    ----------
    has_vector : bool
    """

    def __init__(self, *, has_vector=False):
        super().__init__()
        self.has_vector = has_vector

    def prove(self, m):
        m.submodules.dut = dut = module.Ledger(has_vector=self.has_vector)
        self.free_inputs(m, dut)
        self._surroundings(m, dut)
        self._count(m, dut)
        self._follow(m, dut)
        self._stop(m, dut)

    def _surroundings(self, m, dut):
        """Assume what dispatcher, writer and ring do."""
        self.is_wrong = dut.wrong != 0
        was, owed = Signal(), Signal(range(UNDER_WAY + 1))
        in_reset = self.in_reset = Signal()
        m.d.comb += in_reset.eq(was & dut.forget)
        m.d.sync += [was.eq(dut.forget), owed.eq(Mux(
            dut.skip | ~dut.forget & was, dut.begins,
            owed + dut.begins - (dut.ended | dut.holds & (owed != 0))))]
        self.was, self.owed = was, owed
        self.assume(m, ~dut.begins | dut.room & ~in_reset & ~self.is_wrong & (owed != UNDER_WAY))
        self.assume(m, ~(dut.ended | dut.answered) | (owed != 0) & ~dut.holds
                    & ~dut.skip & ~(was & ~dut.forget))
        self.assume(m, ~dut.skip | in_reset)
        self.assume(m, ~self.is_wrong | ~in_reset)
        offer = Cat(dut.wrong, dut.wrong_note)
        keeps, before = Signal(), Signal.like(offer)
        m.d.sync += [keeps.eq(self.is_wrong & ~dut.passed), before.eq(offer)]
        self.assume(m, ~keeps | (offer == before) | in_reset)

    def _count(self, m, dut):
        """Commands that are under way, and the count of those that have ended."""
        under_way, count = Signal(range(UNDER_WAY + 1)), Signal(COUNT_BITS)
        self.ends, self.refuses = Signal(), Signal()
        m.d.comb += [self.ends.eq(dut.ended | dut.holds),
                     self.refuses.eq(self.is_wrong & (under_way == 0))]
        m.d.sync += [
            count.eq(count + ((self.ends | self.refuses) & ~dut.stops | dut.skip)),
            under_way.eq(Mux(dut.forget, 0,
                             under_way + dut.begins - (self.ends & ~dut.stops)))]
        self.under_way = under_way
        self.cover(m, "full", under_way == UNDER_WAY)
        self.check(m, "none_in_reset", ~self.was | (under_way == 0))
        self.check(m, "completed", dut.completed == count)
        self.check(m, "room", (dut.room == (under_way != UNDER_WAY)) & (under_way <= UNDER_WAY))
        self.check(m, "counted", self.look("dut.under_way", UNDER_WAY.bit_length()) == under_way)

    def _told(self, m, dut, index, is_oldest):
        """Give the fault that is told of a command in this cycle; of several the last here."""
        reads = Array([Fault.NONE, Fault.OUTSIDE, Fault.READ_SLVERR, Fault.READ_DECERR])
        writes = Array([Fault.NONE, Fault.OUTSIDE, Fault.WRITE_SLVERR, Fault.WRITE_DECERR])
        told = Signal(FAULT_BITS)
        for is_told, code in (
                *((holds & (of == index), fault) for holds, of, fault in self._marks(dut)),
                *(((resp != 0) & (of == index), reads[resp])
                  for resp, of in self._operands(dut)),
                (dut.answered & (dut.write_resp != 0) & is_oldest, writes[dut.write_resp])):
            with m.If(is_told):
                m.d.comb += told.eq(code)
        return told

    def _marks(self, dut):
        """List what is told beside answers; of several in one cycle the last counts."""
        powers = ([(dut.saturated, dut.saturated_index, Fault.SATURATED)]
                  if self.has_vector else [])
        return [(dut.overlong, dut.overlong_index, Fault.OVERLONG), *powers,
                (dut.cut_off, dut.cut_off_index, Fault.OVERLONG)]

    def _operands(self, dut):
        """List how the bus answered for operands, likewise."""
        return [(dut.weight_resp, dut.weight_index), (dut.act_resp, dut.act_index),
                *([(dut.beside_resp, dut.beside_index)] if self.has_vector else [])]

    def _follow(self, m, dut):
        is_followed, number, note = Signal(), Signal(COUNT_BITS), Signal(module.NOTE)
        fault, ahead = Signal(FAULT_BITS), Signal(COUNT_BITS)
        marks, is_oldest = Signal(), Signal()
        new = Signal(COUNT_BITS)
        m.d.comb += [
            new.eq(dut.completed + self.under_way), ahead.eq(number - dut.completed),
            marks.eq(dut.begins & ~dut.forget & ~is_followed & self.free(1, "marks")),
            is_oldest.eq(is_followed & (ahead == 0))]
        told = self._told(m, dut, number[:INDEX_BITS], is_oldest)
        of_new = Signal()  # nothing is told of a command before it has begun
        m.d.comb += of_new.eq(Cat(
            holds & (index == new[:INDEX_BITS]) for holds, index in (
                *((holds, index) for holds, index, _ in self._marks(dut)),
                *((resp != 0, index) for resp, index in self._operands(dut)))).any())
        self.assume(m, ~dut.begins | ~of_new)
        with m.If(marks):
            m.d.sync += [is_followed.eq(1), number.eq(new), note.eq(dut.note), fault.eq(0)]
        with m.Elif(dut.forget | is_oldest & self.ends & ~dut.stops):
            m.d.sync += is_followed.eq(0)
        with m.Elif(fault == 0):
            m.d.sync += fault.eq(told)

        # Of what is told in the cycle of its end only the bus's answer counts.
        last = Signal(FAULT_BITS)
        m.d.comb += last.eq(Mux(fault != 0, fault, Mux(
            dut.answered & (dut.write_resp != 0), told, 0)))
        ends = is_oldest & self.ends
        self.cover(m, "a_late_fault", ends & dut.stops & (last == Fault.WRITE_SLVERR)
                   & (fault == 0))
        self.cover(m, "goes_on", ends & ~dut.stops & (fault == Fault.READ_DECERR))
        self.check(m, "under_way", ~is_followed | (ahead < self.under_way))
        self.check(m, "stops", ~ends | (dut.stops == ((last != 0) & ~note.goes_on)))
        self.check(m, "fault", ~(ends & dut.stops) | (dut.fault == last))
        self.check(m, "interrupts", ~ends | (dut.interrupts == (note.interrupt & ~dut.stops)))
        self.check(m, "ends_by_itself", ~is_oldest | (dut.holds == note.is_done))
        place = number[:INDEX_BITS]
        notes, faults = (Array(self.look(f"dut.{name}_{index}", width)
                               for index in range(UNDER_WAY))
                         for name, width in (("note", 3), ("fault", FAULT_BITS)))
        self.notes, self.faults = notes, faults
        self.check(m, "kept", ~is_followed | (notes[place] == note.as_value())
                   & (faults[place] == fault))

    def _stop(self, m, dut):
        """What holds of all: nothing is counted between a stop and a new beginning."""
        has_stopped, is_refused = Signal(), Signal()
        with m.If(dut.skip | self.was & ~dut.forget):
            m.d.sync += has_stopped.eq(0)
        with m.Elif(dut.stops):
            m.d.sync += [has_stopped.eq(1), is_refused.eq(self.refuses & ~self.ends)]
        self.check(m, "owed", self.was | has_stopped | (self.owed == self.under_way))
        stays = has_stopped & ~(self.was & ~dut.forget)
        counts = (self.ends | self.refuses) & ~dut.stops
        self.cover(m, "an_end_after_a_stop", stays & dut.ended & dut.forget)
        self.check(m, "nothing_after_a_stop", ~(stays & counts) & ~(stays & dut.interrupts))
        self.check(m, "only_ends", ~(dut.stops | dut.interrupts | dut.passed)
                   | self.ends | self.refuses)
        refuses = self.refuses & ~self.ends
        note = dut.wrong_note
        self.check(m, "refused", ~refuses | (dut.stops == ~note.goes_on)
                   & (dut.passed == note.goes_on) & (dut.fault == dut.wrong)
                   & (dut.interrupts == (note.goes_on & note.interrupt)))
        oldest = dut.completed[:INDEX_BITS]
        self.check(m, "stopped_at_it", ~has_stopped | Mux(
            is_refused, (self.owed == 0) & (self.under_way == 0)
            & (self.is_wrong & ~note.goes_on | self.in_reset | self.was & ~dut.forget),
            (self.faults[oldest] != 0) & ~self.notes[oldest][1]
            & (self.in_reset | (self.under_way != 0) | self.was)))


PROOFS = (Proof(
    name="ledger", make=LedgerHarness, depth=1, steps=9,
    says="Commands end in the order in which they began, each once, and `completed` counts them, "
         "those that are refused and those that are skipped. The first fault that is told of a "
         "command, or its last answer's, stops the ring when it ends, and at no other command, "
         "unless it goes on all the same. Nothing is counted from a stop on until the next "
         "beginning or a skip. A command that is counted interrupts just if it asks for it. There "
         f"is room while fewer than {UNDER_WAY} are under way, and no note is overwritten.",
    assumes="A command begins only where there is room, and none while one is refused, which stays "
            "so; an end or an answer belongs to a command that began, and none comes while "
            "`holds`; what is told is of commands under way. After `forget` dropped commands may "
            "still end, until it falls; a skip comes when the bus is quiet.",
    mutants=(Mutant(module.__name__, "self.room.eq(under_way != UNDER_WAY)", "self.room.eq(1)"),
             Mutant(module.__name__, "is_wrong.eq((self.wrong != 0) & (under_way == 0))",
                    "is_wrong.eq(self.wrong != 0)"),
             Mutant(module.__name__, "(ends & counts)", "ends"),
             Mutant(module.__name__, "Mux(faults[oldest] != 0, faults[oldest], last)",
                    "Mux(last != 0, last, faults[oldest])"),
             Mutant(module.__name__, "holds & (faults[index] == 0)", "holds"),
             Mutant(module.__name__, ", faults[youngest].eq(0)]", "]"),
             Mutant(module.__name__, "self.interrupts.eq(counts & note.interrupt)",
                    "self.interrupts.eq(ends & note.interrupt)"),
             Mutant(module.__name__, "(self.fault != 0) & ~note.goes_on", "(self.fault != 0)"),
             Mutant(module.__name__, "Mux(is_wrong, self.wrong_note, notes[oldest])",
                    "notes[oldest]"),
             Mutant(module.__name__, "(counts | self.skip)", "counts"))),
    Proof(
        name="ledger_of_a_vector_unit", make=lambda: LedgerHarness(has_vector=True), depth=1,
        steps=9,
        says="The same of a machine with a vector unit, where more is told of a command: how the "
             "bus answered for what lies beside its rows, and powers that do not exist.",
        assumes="As of `ledger`.",
        mutants=(Mutant(module.__name__, "answers.append((self.beside_resp, self.beside_index))",
                        "pass"),
                 Mutant(module.__name__, "self.beside_resp, self.beside_index))",
                        "self.beside_resp, self.act_index))"),
                 Mutant(module.__name__, "powers.append((self.saturated, ",
                        "powers.append((self.overlong, "),
                 Mutant(module.__name__, "Fault.SATURATED", "Fault.OVERLONG"))))
