"""Several users of one carrier: tables, resets, and what must not happen at the same time."""

import gc
from dataclasses import replace

import numpy as np
import pytest

from hw.host import shared_state
from hw.host.carrier_driver import complete
from hw.host.driver_errors import JobRefusedError
from hw.host.machine import Machine
from hw.host.shared_state import state_of
from hw.registers.codes import Refusal
from sim_tests.host.lines import Lines, replies_of
from sim_tests.host.register_stand_in import SMALL
from simulation.works.random_works import make_work


def ordered(seed: int):
    return make_work(SMALL, np.random.default_rng(seed), 3, 5, 20, table=1, order=True)


def loaded(machine, lines, work) -> tuple[str, ...]:
    lines.will_give(*replies_of(SMALL, work))
    outcome, = machine.run([work])
    assert [lines.registers.orders[1][channel] for channel in work.order] == list(range(20))
    return outcome.loaded


def test_a_table_that_another_machine_loaded_is_loaded_anew(machine, lines):
    other, first, second = Machine(lines), ordered(1), ordered(2)
    assert loaded(machine, lines, first) == ("order",)
    assert loaded(other, lines, second) == ("order",)
    assert loaded(machine, lines, first) == ("order",)
    assert loaded(other, lines, first) == ()


def test_a_table_that_the_driver_was_told_to_load_is_loaded_anew(machine, lines):
    first, second = ordered(1), ordered(2)
    loaded(machine, lines, first)
    complete(machine.driver.load_table(1, order=second.order))
    assert loaded(machine, lines, second) == ()
    assert loaded(machine, lines, first) == ("order",)


def test_an_order_that_was_changed_in_place_is_loaded_anew(machine, lines):
    order = np.array(ordered(1).order)
    work = replace(ordered(1), order=order)
    assert loaded(machine, lines, work) == ("order",)
    order[:] = order[::-1].copy()
    assert loaded(machine, lines, work) == ("order",)


def test_tables_are_loaded_anew_after_a_reset(machine, lines):
    work = ordered(1)
    assert loaded(machine, lines, work) == ("order",)
    lines.registers.values["JOBS_ENDED"] = 0
    lines.registers.orders.clear()
    assert loaded(machine, lines, work) == ("order",)
    assert loaded(machine, lines, work) == ()


def test_tables_are_loaded_anew_after_a_refusal(machine, lines):
    work = ordered(1)
    loaded(machine, lines, work)
    lines.drain = lambda limit=0: None
    refusal, lines.registers._refusal = lines.registers._refusal, (
        lambda job: Refusal.ORDER_INCOMPLETE)
    with pytest.raises(JobRefusedError, match="ORDER_INCOMPLETE"):
        machine.run([work])
    lines.registers._refusal = refusal
    assert loaded(machine, lines, work) == ("order",)


def test_what_one_machine_left_behind_another_gives_up(machine, lines):
    work = ordered(1)

    def interrupt(ended, cycles):
        raise KeyboardInterrupt
    lines.will_give(*replies_of(SMALL, work))
    with pytest.raises(KeyboardInterrupt):
        machine.run([work], progress=interrupt)
    drained = []
    lines.drain = lambda limit=0: drained.append(limit)
    loaded(Machine(lines), lines, work)
    assert len(drained) == 1


@pytest.mark.parametrize("call", [
    lambda machine, work: machine.run([work]), lambda machine, work: machine.abort()])
def test_a_call_from_within_another_is_refused(machine, lines, call):
    work = ordered(1)
    lines.will_give(*replies_of(SMALL, work))
    with pytest.raises(RuntimeError, match="a call of this machine is under way"):
        machine.run([work], progress=lambda *seen: call(machine, work))
    lines.drain = lambda limit=0: None
    loaded(machine, lines, work)


def test_a_carriers_state_lives_as_long_as_it_does():
    carrier = Lines()
    key, state = id(carrier), state_of(carrier)
    assert state_of(carrier) is state and state_of(Lines()) is not state
    del carrier
    gc.collect()
    assert key not in shared_state._states


def test_a_carrier_that_cannot_be_watched_is_refused_and_forgotten():
    class Slotted:
        __slots__ = ()

    before = dict(shared_state._states)
    with pytest.raises(TypeError, match="give Slotted the slot __weakref__"):
        state_of(Slotted())
    assert shared_state._states == before
