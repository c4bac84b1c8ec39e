"""Jobs through the host library: many under way, tables, limits, errors; the next one runs."""


import numpy as np
import pytest

from hw.contract.job_codes import Selection
from hw.host.carrier import LIMIT
from hw.host.carrier_driver import LOOK, complete
from hw.host.driver_errors import (
    BusError,
    JobRefusedError,
    ResultLengthError,
    StreamFaultError,
    WaitTimeoutError,
)
from hw.host.work import Work
from hw.registers.map import ADDRESSES, FAULTS, StreamFault
from sim_tests.host.lines import OUTPUT_PENDING, replies_of
from sim_tests.host.register_stand_in import JOB_SLOTS, SMALL
from simulation.works.expected import expected_results
from simulation.works.random_works import make_work


def works_of(count: int) -> list[Work]:
    rng = np.random.default_rng(7)
    return [make_work(SMALL, rng, 3, 5, 20) for _ in range(count)]


def test_as_many_jobs_are_under_way_as_the_machine_takes(machine, lines):
    works = works_of(3 * JOB_SLOTS)
    for work in works:
        lines.will_give(*replies_of(SMALL, work))
    seen = []
    outcomes = machine.run(works, progress=lambda *each: seen.append(each))
    assert lines.most_under_way == JOB_SLOTS
    assert [ended for ended, _ in seen] == list(range(1, len(works) + 1))
    for work, outcome in zip(works, outcomes, strict=True):
        assert outcome.results.tobytes() == expected_results(SMALL, work).tobytes()


def test_a_jobs_packets_of_another_length_are_noticed_and_the_next_job_runs(machine, lines):
    work, = works_of(1)
    good = replies_of(SMALL, work)
    lines.will_give(good[0][:-1], *good[1:])
    with pytest.raises(ResultLengthError, match="result packet 0 has 31 bytes, not 32"):
        machine.run([work])
    assert not lines.drained
    lines.will_give(*good)
    lines.drain = lambda limit=LIMIT: setattr(lines, "drained", lines.drained + 1)
    assert machine.run([work])[0].results.tobytes() == expected_results(SMALL, work).tobytes()
    assert lines.drained == 1, "what the job before has left is given up first"


def test_stream_faults_are_named_and_forgotten_by_an_abort(machine, lines):
    work, = works_of(1)
    lines.registers.values["IRQ_PENDING"] = StreamFault.ACT_KEEP.value << FAULTS
    with pytest.raises(StreamFaultError, match="ACT_KEEP"):
        machine.run([work])
    lines.registers.values["IRQ_PENDING"] = StreamFault.ACT_LENGTH.value << FAULTS
    lines.registers.values["STATUS"] = OUTPUT_PENDING
    lines.dry_after = 2
    machine.abort()
    assert lines.drained == 2 and not lines.registers.under_way and not lines.registers.draining
    lines.will_give(*replies_of(SMALL, work))
    assert machine.run([work])[0].counters["cycles"] == 1 << 33
    assert lines.drained == 2, "an abort need not be repeated"


def test_a_refused_job_is_named_and_the_next_one_runs(machine, lines):
    work, = works_of(1)
    with pytest.raises(JobRefusedError, match="K_TOO_LARGE"):
        machine.run([make_work(SMALL, np.random.default_rng(8), 3, 5, 301)])
    lines.will_give(*replies_of(SMALL, work))
    lines.drain = lambda limit=LIMIT: setattr(lines, "drained", lines.drained + 1)
    assert machine.run([work])[0].results.tobytes() == expected_results(SMALL, work).tobytes()
    assert lines.drained == 1, "its packets were not left for the next"


def test_a_job_that_does_not_end_is_given_up_with_what_the_carrier_sees(machine, lines):
    work, looks = works_of(1)[0], []
    with pytest.raises(WaitTimeoutError, match=r"1 of the awaited jobs .* cycles: nothing happens"):
        machine.run([work], progress=lambda *each: looks.append(each))
    assert 10_000 < lines.cycles < 100_000
    assert len(looks) == lines.cycles // LOOK and all(ended == 0 for ended, _ in looks)


def test_an_interrupted_run_is_given_up_before_the_next(machine, lines):
    work, = works_of(1)

    def interrupt(limit):
        raise KeyboardInterrupt
    lines.wait_for_interrupt, wait = interrupt, lines.wait_for_interrupt
    with pytest.raises(KeyboardInterrupt):
        machine.run([work])
    assert len(lines.registers.under_way) == 1
    lines.wait_for_interrupt = wait
    lines.will_give(*replies_of(SMALL, work))
    lines.drain = lambda limit=LIMIT: setattr(lines, "drained", lines.drained + 1)
    machine.run([work])
    assert lines.drained == 1 and not lines.registers.under_way


def test_an_abort_ends_at_its_limit_and_can_be_repeated(machine, lines):
    lines.registers.values["STATUS"] = OUTPUT_PENDING
    lines.dry_after = 8
    machine.driver.limit = 5
    with pytest.raises(WaitTimeoutError, match="OUTPUT_PENDING, 5 cycles after ABORT"):
        machine.abort()
    assert lines.drained == 5 and lines.registers.draining
    machine.abort()
    assert lines.drained == 8 and not lines.registers.draining


def test_tables_are_loaded_when_they_lack_and_wait_while_they_are_used(machine, lines):
    rng = np.random.default_rng(9)
    order, other = rng.permutation(20), rng.permutation(20)
    make = {"m": 3, "n": 5, "k": 20, "table": 1}
    works = [make_work(SMALL, rng, **make, order=order), make_work(SMALL, rng, **make, order=order),
             make_work(SMALL, rng, **make, order=other),
             make_work(SMALL, rng, **make, selection=Selection.STATIC)]
    for work in works:
        lines.will_give(*replies_of(SMALL, work))
    outcomes = machine.run(works)
    assert [outcome.loaded for outcome in outcomes] == [("order",), (), ("order",), ("tags",)]
    assert lines.most_under_way == 2, "the third would overwrite what the first two use"
    assert [lines.registers.orders[1][channel] for channel in other] == list(range(20))


def test_a_table_that_was_half_loaded_is_loaded_anew(machine, lines):
    rng = np.random.default_rng(9)
    first, other = (make_work(SMALL, rng, 3, 5, 20, table=1, order=True) for _ in range(2))
    write, entries = lines.registers.write, []

    def refuse(address, value):
        entries.append(address == ADDRESSES["ORDER_ENTRY"])
        if sum(entries) == 15:
            raise BusError("no")
        write(address, value)
    lines.drain = lambda limit=LIMIT: None
    lines.will_give(*replies_of(SMALL, first))
    assert machine.run([first])[0].loaded == ("order",)
    lines.registers.write = refuse
    with pytest.raises(BusError):
        machine.run([other])
    lines.registers.write = write
    lines.will_give(*replies_of(SMALL, first))
    assert machine.run([first])[0].loaded == ("order",)


def test_only_what_a_carrier_does_can_be_waited_for():
    class Never:
        def __await__(self):
            yield

    async def wait():
        await Never()
    with pytest.raises(RuntimeError, match="no carrier does"):
        complete(wait())
