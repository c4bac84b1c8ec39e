"""Nothing beside the window, nor behind the last address, is touched."""

import cocotb

from golden.memory import Fault
from golden.memory.jobs import JobKind, Output
from hw.contract.config import PAGE_BYTES
from sim_tests import drive
from sim_tests.memory.lists import LAST, SIZE, Lists
from sim_tests.memory.machines import every_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, Run, stops_at


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def nothing_outside_of_the_window_is_touched(dut, manners):
    """Windows of any pages: of operands, results, tables, counts and the ring itself."""
    rng, seen = drive.rng(), set()
    for _ in range(drive.amount(12, 200)):
        first, end = sorted(int(each) for each in rng.integers(0, SIZE // 4, 2))
        if rng.random() < 0.5:
            first = 0  # with the ring
        lists = Lists(rng, window=(first, end + PAGE_BYTES), notify=bool(rng.integers(2)))
        config = lists.config
        for _ in range(5):
            lists.room(int(rng.integers(SIZE // 16)))
            values = {"interrupt": 1, "goes_on": int(rng.integers(2)), "has_bias": True,
                      "notify": int(lists.ring.notify_address and rng.integers(2))}
            kind = rng.integers(3)
            if kind == 0 and config.packs_results:
                lists.gemm(config.rows + 1, 20, 40, output=Output.MX9, **values)
            elif kind == 1:
                lists.gemm(config.rows + 1, config.cols + 1, 40,
                           **values | {"has_bias": False} | lists.tables(
                               40, order=rng.permutation(40), tags=[1, 0, 1]))
            else:
                lists.gemm(config.rows + 1, config.cols + 1, 40, kind=JobKind.GEMM_PACKED,
                           **values)
        both = Run(dut, lists, manners)
        await both.begin()
        lists.ring.doorbell(len(lists.commands))
        for _ in lists.commands:
            await both.wait()
            both.compare()
            seen.add(lists.ring.fault)
            if lists.ring.fault is Fault.NONE:
                break
            await both.order("skip")
            lists.ring.skip()
        low, high = lists.ring.window
        for address, beats in (*both.slave.seen.reads, *both.slave.seen.writes):
            assert low <= address and address + beats * config.bus_bytes <= high
        both.end()
    assert seen == {Fault.NONE, Fault.OUTSIDE}


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(name=["a_stride", "b_stride", "c_stride", "a_step_0", "b_step_0", "c_step_0",
                          "bias_step_1"])
async def addresses_do_not_begin_again_behind_the_last(dut, name):
    lists = Lists(drive.rng(), base=LAST)
    config = lists.config
    rows = 300 if name in ("a_stride", "c_stride") else config.rows
    cols = 300 * config.cols if name == "b_stride" else config.cols
    count = 1 if name.endswith("stride") else 300
    lists.gemm(config.rows, config.cols, 20, interrupt=1)
    lists.gemm(rows, cols, 20, has_bias=True, interrupt=1, **{"c_stride": 4 * cols} | {
        name: (1 << 32) - 4096, f"count_{name[-1] if count > 1 else 0}": count})
    seen = await stops_at(dut, lists, 0, Fault.OUTSIDE)
    assert all(address >= LAST for address, _ in (*seen.reads, *seen.writes))


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_locked_window_stays_locked_until_a_reset(dut):
    both = Run(dut, Lists(drive.rng()))
    await both.begin()
    assert not both.get("LOCKED") and not both.status("locked")
    await both.order("lock")
    for _ in range(3):
        assert both.get("LOCKED") and both.status("locked")
        await both.order("resume")
    await drive.reset(dut)
    assert not both.get("LOCKED") and not both.status("locked")


@every_machine
def test_ring_window(name):
    simulate(name, __name__)
