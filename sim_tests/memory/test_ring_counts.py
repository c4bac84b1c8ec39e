"""Counts that others see, and words that others write: NOTIFY and WAIT."""

import cocotb
import numpy as np

from golden.memory import Operation
from sim_tests import drive
from sim_tests.memory.lists import Lists
from sim_tests.memory.machines import every_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, Run, stops_at


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def counts_are_written_where_others_see_them(dut, manners):
    """Behind all results of their command, also of a WAIT; a fault writes none."""
    rng = drive.rng()
    for _ in range(drive.amount(3, 30)):
        lists = Lists(rng, notify=True)
        config = lists.config
        for _ in range(6):
            if rng.random() < 0.3:
                lists.add(operation=Operation.WAIT, a=lists.room(4, 4), sequence=(1 << 32) - 9,
                          notify=int(rng.integers(2)), interrupt=1, count_0=0, count_1=0)
                lists.memory.write(lists.commands[-1].a, bytes(4))
            else:
                lists.gemm(config.rows, 3, 20, interrupt=1, notify=int(rng.random() < 0.7),
                           count_0=int(rng.integers(1, 3)))
        both = Run(dut, lists, manners)
        await both.begin()
        place, counts = lists.ring.notify_address - lists.base, []
        while both.get("RING_COMPLETED") < len(lists.commands):
            await drive.ticks(dut, 1)
            count = int.from_bytes(both.memory[place : place + 4].tobytes(), "little")
            if count not in counts:
                counts.append(count)
        await drive.ticks(dut, 100)
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        asked = [number + 1 for number, each in enumerate(lists.commands) if each.notify]
        assert counts[1:] == asked, f"{counts} were seen"  # the first is the canary
        both.end()


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(goes_on=[0, 1], manners=[GENTLE, HOSTILE])
async def a_fault_notifies_nobody(dut, goes_on, manners):
    """Wherever the bus fails, no count is written but of commands without a fault before."""
    rng, seen, transfer, transfers = drive.rng(), set(), 0, 1
    while transfer < transfers:
        lists = Lists(drive.rng(), notify=True)
        for _ in range(4):
            lists.gemm(lists.config.rows + 1, lists.config.cols + 1, 20, notify=1, interrupt=1,
                       goes_on=goes_on)
        place = lists.ring.notify_address - lists.base
        both = Run(dut, lists, manners, {transfer: int(rng.choice([2, 3]))})
        await both.begin()
        await both.wait()
        count = int.from_bytes(both.memory[place : place + 4].tobytes(), "little")
        completed = both.get("RING_COMPLETED")
        if both.status("fault"):
            seen.add((completed, goes_on))
            assert count == completed or (completed == 0 and count == 0xA5A5A5A5), transfer
            await both.order("resume")
            await both.wait()
            lists.ring.doorbell(len(lists.commands))
            both.compare()
        else:
            seen.add(count)
            assert completed == 4 and (goes_on or both.slave.asked <= transfer)
        both.end()
        # On, through all of the list, in as many steps as there is time for.
        transfers = both.slave.asked if transfer == 0 else transfers
        transfer += int(rng.integers(1, 2 * transfers // drive.amount(10, 100) + 2))
    assert len(seen) > (1 if goes_on else 2), seen


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE], notify=[0, 1])
async def a_wait_holds_what_follows_until_its_word_has_come(dut, manners, notify):
    rng = drive.rng()
    for short in (1, 7, 1 << 31):
        lists = Lists(rng, notify=True)
        config = lists.config
        sequence = int(rng.integers(1 << 32))
        place = lists.room(4, 4)
        lists.memory.write(place, ((sequence - short) % (1 << 32)).to_bytes(4, "little"))
        for _ in range(2):
            lists.gemm(config.rows, 3, 20, interrupt=1)
        lists.add(operation=Operation.WAIT, a=place, sequence=sequence, interrupt=1, notify=notify,
                  count_0=0, count_1=0)
        for _ in range(2):
            lists.gemm(config.rows, 3, 20, interrupt=1)
        both = Run(dut, lists, manners)
        await both.begin()
        lists.ring.doorbell(len(lists.commands))
        assert lists.ring.is_waiting and lists.ring.completed == 2
        begin = drive.cycle()
        while not (both.status("waits") and both.get("RING_COMPLETED") == 2):
            await drive.ticks(dut, 1)
            assert drive.cycle() - begin < 20_000
        await drive.ticks(dut, 1_000)
        assert both.status("waits") and not both.status("idle")
        both.compare()
        came = (sequence + int(rng.integers(1 << 31))) % (1 << 32)
        for memory in (lists.data, both.memory):
            at = place - lists.base
            memory[at : at + 4] = np.frombuffer(came.to_bytes(4, "little"), np.uint8)
        lists.ring.run()
        await both.wait()
        assert not both.status("waits")
        both.compare()
        assert both.get("RING_COMPLETED") == 5
        both.end()


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(what=["unaligned", "no such address", "not there"], goes_on=[0, 1])
async def a_wait_for_a_word_that_is_not_there_is_a_fault(dut, what, goes_on):
    lists = Lists(drive.rng())
    place = {"unaligned": lists.base + 2, "no such address": 1 << 50,
             "not there": lists.base ^ 1 << 39}[what]
    lists.gemm(lists.config.rows, 3, 20, interrupt=1)
    lists.add(operation=Operation.WAIT, a=place, interrupt=1, goes_on=goes_on, count_0=0, count_1=0)
    lists.gemm(lists.config.rows, 3, 20, interrupt=1)
    await stops_at(dut, lists, goes_on)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(name=["notify_address", "1 << 45"], goes_on=[0, 1])
async def a_count_that_has_no_place_is_a_fault(dut, name, goes_on):
    lists = Lists(drive.rng(), notify=True)
    lists.ring.notify_address += 2 if name == "notify_address" else 1 << 45
    for number in range(3):
        lists.gemm(lists.config.rows, 3, 20, interrupt=1, notify=int(number == 1), goes_on=goes_on)
    await stops_at(dut, lists, goes_on)


@every_machine
def test_ring_counts(name):
    simulate(name, __name__)
