"""Broken rules of AXI4 come back as sentences: each is planted in ``verilog/faulty_memory.v``."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hw.host.driver_errors import ProtocolError
from simulation.build import MEMORY, Flags, compile_verilog
from simulation.memory_machine import Manners, SimulatedMemoryMachine

FAULTY = Path(__file__).resolve().parent / "verilog" / "faulty_memory.v"

BASE, SIZE = 0x8000_0000, 1 << 13

SLOW = Manners(read_latency=5, write_latency=5, pause=0.7)


@pytest.fixture(scope="session")
def faulty_library() -> Path:
    return compile_verilog(FAULTY.read_text(encoding="utf-8"), flags=Flags(optimise="-O1"),
                           harness=MEMORY)


@pytest.fixture
def faulty(faulty_library: Path) -> Iterator[SimulatedMemoryMachine]:
    with SimulatedMemoryMachine(faulty_library, BASE, SIZE, manners=SLOW, outstanding=2) as made:
        yield made


@pytest.mark.parametrize("manners", [
    Manners(), SLOW, Manners(data_first=True, pause=0.5),
    Manners(jitter=20, mixes=True, pause={"w": 0.9})])
def test_what_breaks_no_rule_is_left_alone(faulty, manners):
    faulty.behave(manners)
    faulty.advance(20_000)
    counts = faulty.counts()
    assert counts.read_words >= 4 * (counts.reads - 1) > 1000
    assert counts.write_words >= 4 * (counts.writes - 1) > 1000
    words = faulty.memory[0x100:0x120].view("<u8")
    assert words.tolist() == [7 << 3 | left for left in (4, 3, 2, 1)]
    assert set(faulty.memory[:0x100]) | set(faulty.memory[0x120:]) == {0xA5}


@pytest.mark.parametrize(("fault", "sentence"), [
    (1, "m_axi_arvalid fell before it was taken"),
    (2, "m_axi_ar changed before it was taken"),
    (3, "m_axi_awvalid fell before it was taken"),
    (4, "m_axi_aw changed before it was taken"),
    (5, "m_axi_wvalid fell before it was taken"),
    (6, "m_axi_w changed before it was taken"),
    (7, "m_axi_w changed before it was taken"),
    (8, "m_axi_w changed before it was taken"),
    (9, "m_axi_ar crosses a multiple of 4096: 4 words at 0x80000ff0"),
    (10, "m_axi_wlast ends 3 words, and m_axi_aw asked for 4"),
    (11, "m_axi_wlast is low with the last of 4 words"),
    (12, "m_axi_arsize says words of 4 bytes, not of 8"),
    (13, "m_axi_arburst is not INCR"),
    (14, "m_axi_awid is 2, of 1"),
    (15, "m_axi_ar asks for what is no memory: 4 words at 0x81000000"),
    (16, "m_axi_ar asks for what is no memory: 4 words at 0x7fffffe0"),
    (17, "m_axi_ar asks for more than 2 bursts at a time"),
    (19, "m_axi_ar changed before it was taken"),
])
def test_a_broken_rule_is_told_with_its_cycle(faulty, fault, sentence):
    if fault == 17:
        faulty.behave(Manners(read_latency=100))
    before = faulty.cycles
    with pytest.raises(ProtocolError) as caught:
        faulty.write(0, fault)
        faulty.advance(2000)
    assert faulty.cycles < before + 1900, "a violation ends the wait"
    said = caught.value.violations[0]
    assert said.endswith(sentence)
    assert before <= int(said.partition(":")[0].removeprefix("cycle ")) < faulty.cycles


@pytest.mark.parametrize("fault", [10, 11])
def test_words_before_their_address_are_compared_with_it(faulty, fault):
    faulty.behave(Manners(pause={"aw": 0.95}))
    with pytest.raises(ProtocolError, match="m_axi_wlast"):
        faulty.write(0, fault)
        faulty.advance(4000)


def test_what_is_offered_in_reset_is_told(faulty):
    faulty.write(0, 18)
    with pytest.raises(ProtocolError, match="m_axi_arvalid is high in reset"):
        faulty.reset()


def test_nobody_tells_while_nobody_watches(faulty):
    faulty.watch(False)
    faulty.write(0, 2)
    faulty.advance(2000)
    faulty.watch()
    with pytest.raises(ProtocolError):
        faulty.advance(2000)


def test_who_may_leave_the_memory_finds_nothing_there(faulty):
    faulty.watch(may_leave=True)
    faulty.write(0, 15)
    faulty.advance(2000)
    assert not faulty.interrupt
    faulty.write(0, 99)
    faulty.advance(2000)
    assert faulty.interrupt, "what was read is not zero"
