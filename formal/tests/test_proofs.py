"""The proofs, each with its mutants; and that one that is wrong is not believed."""

from dataclasses import replace

import pytest
from amaranth import Module, Signal

from formal.harness import Harness
from formal.hollow import with_hollows
from formal.page import PAGE, page
from formal.proof import Mutant, Proof, planted, prove
from formal.proofs import choose, find_proofs
from formal.verdict import judge
from hw.floats import fp32_rounding
from hw.results import normalizer
from hw.streams import stream_fifo
from hw.streams.stream_buffer import StreamBuffer

PROOFS = {proof.name: proof for proof in find_proofs()}


class Counting(Harness):
    """A counter from zero to five."""

    def __init__(self, limit=5, most=7, assumed=1, covered=3):
        super().__init__()
        self.limit, self.most, self.assumed, self.covered = limit, most, assumed, covered

    def prove(self, m):
        count = Signal(3)
        with m.If(self.free(1, "counts")):
            m.d.sync += count.eq(count + 1)
        with m.If(count == self.limit):
            m.d.sync += count.eq(0)
        self.assume(m, self.assumed)
        self.check(m, "most", count <= self.most)
        self.cover(m, "covered", count == self.covered)


def proof(**changes):
    return Proof(name="counting", says="", make=lambda: Counting(**changes), depth=1, mutants=())


@pytest.mark.parametrize("name", PROOFS)
def test_proof(name, tmp_path):
    assert judge(PROOFS[name], tmp_path).sentence() == ""


def test_a_true_claim_is_proven(tmp_path):
    assert prove(proof(most=5), tmp_path).is_proven


def test_a_run_that_breaks_a_check_is_shown(tmp_path):
    found = prove(replace(proof(most=4), depth=6), tmp_path).base
    assert not found.holds
    assert [state["count"] for state in found.states] == [0, 1, 2, 3, 4, 5]


def test_a_claim_that_no_step_follows_from_is_not_proven(tmp_path):
    outcome = prove(proof(most=6), tmp_path)  # 6 is never reached, but 7 would follow on it
    assert outcome.base.holds and not outcome.induction.holds and outcome.broken() == ["most"]


def test_what_has_no_reset_begins_with_anything(tmp_path):
    class Remembering(Harness):
        def prove(self, m):
            value, other = Signal(reset_less=True), Signal(reset_less=True)
            m.d.sync += [value.eq(other), other.eq(value)]  # one alone would be taken for no state
            self.check(m, "zero", ~value)

    found = prove(replace(proof(), make=Remembering), tmp_path)
    assert not found.base.holds and found.broken() == ["zero"]


def test_a_claim_of_nothing_is_not_believed(tmp_path):
    assert prove(proof(assumed=0), tmp_path).unseen == ["covered"]
    assert prove(proof(covered=6), tmp_path).unseen == ["covered"]


def test_a_mutant_that_changes_nothing_is_told(tmp_path):
    same = Mutant("hw.streams.skid_buffer", "self.i.ready.eq(~is_aside)",
                  "self.i.ready.eq(1 ^ is_aside)")
    verdict = judge(replace(PROOFS["skid_buffer"], mutants=(same,)), tmp_path)
    assert not verdict.is_good and "it holds with a mistake planted" in verdict.sentence()


def test_a_mutant_is_seen_by_those_who_imported_it():
    before = fp32_rounding.rounded_magnitude
    with planted(Mutant("hw.floats.fp32_rounding", "(guard & (sticky | kept[0]))", "guard")):
        assert normalizer.rounded_magnitude is fp32_rounding.rounded_magnitude is not before
    assert normalizer.rounded_magnitude is fp32_rounding.rounded_magnitude is before


def test_a_mutant_that_applies_nowhere_is_an_error():
    with pytest.raises(ValueError, match="has 0 places with 'no such text', not one"):
        with planted(Mutant("hw.streams.skid_buffer", "no such text", "")):
            pass


def test_a_look_at_what_is_not_there_is_an_error(tmp_path):
    class Looking(Counting):
        def prove(self, m):
            super().prove(m)
            self.check(m, "look", ~self.look("dut.gone"))

    with pytest.raises(RuntimeError, match="Yosys failed"):
        prove(replace(proof(), make=Looking), tmp_path)


def test_a_look_into_an_instance_whose_name_a_signal_has(tmp_path):
    class Looking(Harness):
        def prove(self, m):
            inner, same = Module(), Signal(name="inner")
            value = Signal(2, name="value")
            inner.d.sync += value.eq(value + 1)
            m.submodules.inner = inner  # Amaranth puts a number behind its name
            m.d.comb += same.eq(self.free(1, "free") & (value == 0))
            self.check(m, "same", self.look("inner.value", 2) == value)
            self.cover(m, "covered", same & (value == 0))

    assert prove(replace(proof(), make=Looking), tmp_path).is_proven


def test_a_constant_input_is_any_and_stays(tmp_path):
    class Constant(Harness):
        def prove(self, m):
            value, before, runs = self.free_constant(m, 2, "value"), Signal(2), Signal()
            m.d.sync += [before.eq(value), runs.eq(1)]
            self.check(m, "stays", ~runs | (before == value))
            self.cover(m, "covered", runs & (before == 3))

    assert prove(replace(proof(), make=Constant), tmp_path).is_proven


def test_a_hollow_part_hands_out_anything_and_is_told_what_it_gets(tmp_path):
    class Hollow(Harness):
        def prove(self, m):
            dut = stream_fifo.StreamFIFO(2, depth=3)
            m.submodules.dut, made = with_hollows(self, dut, [(stream_fifo, ("StreamBuffer",))])
            self.free_inputs(m, dut)
            (head,) = made["StreamBuffer"]
            self.check(m, "given", head.o.ready == dut.o.ready)
            self.cover(m, "at_once", dut.o.valid & (dut.o.p == 2) & ~head.i.valid)

    assert prove(replace(proof(), make=Hollow), tmp_path).is_proven
    assert stream_fifo.StreamBuffer is StreamBuffer


@pytest.mark.parametrize(("names", "found"), [
    (["streams/skid_buffer"], ["skid_buffer"]), (["skid_buffer"], ["skid_buffer"]),
    (["scatter"], ["scatter_16", "scatter_4"]), (["engines"], ["engines"]),
    (["accumulator", "array/mac_cell"], ["accumulator", "aligned_addend"])])
def test_proofs_are_chosen_by_their_names_and_by_modules(names, found):
    assert [each.name for each in choose(names)] == found


def test_all_proofs_are_chosen_without_a_name():
    assert [each.name for each in choose([])] == sorted(PROOFS)


def test_the_page_has_every_proof():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "mixdit dev proofs"
