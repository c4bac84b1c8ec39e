"""Random lists on compiled machines; ``mixdit check fuzz-lists`` runs many more."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from commands.environment import flag, seed
from golden.memory import Command, Fault, Operation
from sim_tests.fuzz_lists import command as fuzz
from sim_tests.fuzz_lists import trial as trial_module
from sim_tests.fuzz_lists.models import MACHINES
from sim_tests.fuzz_lists.trial import KINDS, OF_BUS, TIMEOUT, Trial
from sim_tests.memory.lists import SIZE, Lists
from simulation.memory_machine import DECERR, SLVERR, Manners, SimulatedMemoryMachine

BASE = 0x8000_0000

GROUPS = {"4x4": "small ring"}
"""Others use its model, too."""

NAMES = [pytest.param(name, marks=pytest.mark.xdist_group(GROUPS.get(name, name))) for name in (
    MACHINES if flag("MIXDIT_MATRIX") else ("4x4", "short_beats"))]

@pytest.mark.parametrize("name", NAMES)
def test_fuzz_lists(name):
    library, first = fuzz.build(name), seed()
    found = sum((fuzz.simulate(library, name, 25, first + index)
                 for index in range(80 if flag("MIXDIT_FULL") else 3)), Counter())
    assert all(found[kind] for kind in KINDS), found
    assert sum(fault.name in found for fault in Fault) > 5, found


@pytest.mark.xdist_group(GROUPS["4x4"])
@pytest.mark.parametrize("answer", [SLVERR, DECERR])
def test_an_error_in_every_transfer_of_a_list(answer):
    """One at a time: each is a fault of the bus, and after a resume every byte is golden's."""
    config = MACHINES["4x4"]
    with SimulatedMemoryMachine(fuzz.build("4x4"), BASE, SIZE) as device:
        def run(failing):
            rng = np.random.default_rng(seed())  # the same list and the same memory each time
            trial = Trial(device, config, rng)
            lists = Lists(rng, base=BASE, config=config, notify=True)
            lists.gemm(config.rows + 1, config.cols + 1, 20, has_bias=True, notify=1)
            lists.convert(config.cols + 1, 20)
            lists.gemm(5, 6, 40, **lists.tables(40, order=rng.permutation(40), tags=[1, 0, 1]))
            trial.try_list(lists, "errors", failing)
            return sum(trial.tally[fault.name] for fault in OF_BUS)

        assert run({}) == 0
        transfers = device.asked
        assert transfers > 20
        assert all(run({number: answer}) == 1 for number in range(transfers))


@pytest.mark.xdist_group(GROUPS["4x4"])
@pytest.mark.parametrize("after", range(0, 900, 50))
def test_a_wait_that_has_come_is_counted_when_the_ring_has_stopped(monkeypatch, after):
    """The command behind it ends while the bus gives what it owes: no end is taken for another."""
    config, rng = MACHINES["4x4"], np.random.default_rng(seed())
    with SimulatedMemoryMachine(fuzz.build("4x4"), BASE, SIZE) as device:
        def fall_silent(lists):
            device.advance(after)
            device.silence(["b"])
            device.advance(TIMEOUT + 1000)
            device.silence(())

        trial, lists = Trial(device, config, rng), Lists(rng, base=BASE, config=config, notify=True)
        monkeypatch.setattr(trial, "_silence", fall_silent)
        lists.gemm(4, 4, 20, notify=1)
        word = lists.room(4)
        lists.memory.write(word, (7).to_bytes(4, "little"))
        lists.commands.append(Command(operation=Operation.WAIT, a=word, sequence=7))
        lists.gemm(5, 6, 20, notify=1)
        trial.try_list(lists, "silence", {})
        assert trial.tally["TIMEOUT"] == 1


@pytest.mark.xdist_group(GROUPS["4x4"])
def test_seven_jobs_behind_a_faulty_one_may_have_been_written(monkeypatch):
    """Answers to writes come late, so that all that may be under way is; no more than golden's."""
    config, rng = MACHINES["4x4"], np.random.default_rng(seed())
    monkeypatch.setattr(trial_module, "manners_of", lambda rng: Manners(write_latency=2000))
    with SimulatedMemoryMachine(fuzz.build("4x4"), BASE, SIZE) as device:
        def look(lists):
            device.advance(5000)
            written.update(number for number, command in enumerate(lists.commands)
                           if device.memory[command.c - BASE] != lists.data[command.c - BASE])

        trial, lists = Trial(device, config, rng), Lists(rng, base=BASE, config=config)
        monkeypatch.setattr(trial, "_spoilt", look, raising=False)
        written = set()
        for _ in range(12):
            lists.gemm(4, 4, 16)
        # All rows but its first one lie behind the memory.
        lists.commands[0] = Command(**(lists.commands[0].describe() | {"a_stride": SIZE}))
        trial.try_list(lists, "spoilt", {})
        assert trial.tally["READ_DECERR"] == 1
        assert set(range(1, 8)) <= written <= set(range(8)), written


@pytest.mark.xdist_group(GROUPS["4x4"])
@pytest.mark.parametrize("other", [{"rounding": "truncate"}, {"acc_width": 30}], ids=str)
def test_a_machine_that_is_not_what_it_should_be_is_found(monkeypatch, other):
    library = fuzz.build("4x4")
    monkeypatch.setitem(fuzz.MACHINES, "4x4", replace(fuzz.MACHINES["4x4"], **other))
    with pytest.raises(AssertionError, match=r"4x4, seed 1, list \d+: \d+ bytes differ"):
        fuzz.simulate(library, "4x4", 200, 1)
