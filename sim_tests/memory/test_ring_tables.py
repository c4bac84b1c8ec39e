"""Orders and tags from memory: loaded, kept, refused."""

import cocotb

from golden.memory import Fault
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import Selection
from sim_tests import drive
from sim_tests.memory.lists import Lists
from sim_tests.memory.machines import every_machine, simulate
from sim_tests.memory.runs import GENTLE, HOSTILE, Run, run, stops_at


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def tables_are_loaded_from_memory(dut, manners):
    """Orders and tags, in turn for both tables, and jobs that use what others have loaded."""
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    before = {}
    for number in range(drive.amount(10, 60)):
        k = int(rng.integers(1, 120))
        table = int(rng.integers(2))
        loads = rng.integers(4) if table in before else 3
        k = before[table] if loads != 3 else k
        brings = {"order": rng.permutation(k) if loads & 1 else None,
                  "tags": rng.integers(0, 2, -(-k // 16)) if loads & 2 else None}
        fields = lists.tables(k, table=table, **brings)
        if loads == 0:
            fields |= {"flags": JobFlag.REORDER, "selection": Selection.STATIC, "units": 0}
        before[table] = k
        if number % 3:
            lists.gemm(config.rows + 1, config.cols, k, interrupt=1, **fields)
        else:
            lists.convert(config.cols + 1, k, **fields)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(what=["double", "missing", "beyond", "of the machine", "beyond and double",
                          "no such table", "unused, no such table", "tags of another K",
                          "no such address", "not there", "tags not there"], goes_on=[0, 1])
async def a_table_that_does_not_fit_is_refused(dut, what, goes_on):
    """And holds nothing of what could not be read, while the others stay."""
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    k = 40
    good = rng.permutation(k)
    wrong = good.copy()
    match what:
        case "double":
            wrong[7] = wrong[5]
        case "missing":
            wrong[7] = k
        case "beyond" | "beyond and double":
            wrong[7] = 65535
        case "of the machine":
            wrong[7] = config.k_max
    if what == "beyond and double":
        wrong[9] = wrong[8]
    lists.gemm(config.rows, config.cols, k, interrupt=1,
               **lists.tables(k, order=good, tags=[1, 0, 1], table=0))
    fields = lists.tables(k, order=wrong, tags=[0, 1, 1], table=1)
    elsewhere = lists.base ^ 1 << 39  # where nothing is
    match what:
        case "no such table":
            fields["table"] = 2
        case "unused, no such table":
            fields |= {"table": 255, "flags": 0, "selection": Selection.TOP}
        case "tags of another K":
            fields |= {"loads_tags": 0}
        case "no such address":
            fields["order"] = 1 << 40
        case "not there":
            fields["order"] = elsewhere
        case "tags not there":
            fields["tags"] = elsewhere
    lists.gemm(config.rows, config.cols, k, interrupt=1, goes_on=goes_on, **fields)
    lists.gemm(config.rows, config.cols, k, interrupt=1, table=0, flags=JobFlag.REORDER,
               selection=Selection.STATIC, units=0)
    await stops_at(dut, lists, goes_on)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_table_stays_while_commands_may_be_tried_again(dut):
    """The results of one fail while the next, which brings another order, has begun."""
    seen, steps, transfer, transfers = set(), drive.rng("steps"), 0, 1
    while transfer < transfers:
        lists = Lists(drive.rng())
        rng, config, k = lists.rng, lists.config, 40
        for _ in range(3):
            lists.gemm(config.rows, config.cols, k, interrupt=1,
                       **lists.tables(k, order=rng.permutation(k)))
        both = Run(dut, lists, GENTLE, {transfer: 2})
        await both.begin()
        await both.wait()
        seen.add(both.status("fault"))
        if both.status("fault"):
            await both.order("resume")
            await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        both.end()
        transfers = both.slave.asked if transfer == 0 else transfers
        transfer += int(steps.integers(1, 2 * transfers // drive.amount(16, 100) + 2))
    assert seen >= {Fault.READ_SLVERR, Fault.WRITE_SLVERR}


@every_machine
def test_ring_tables(name):
    simulate(name, __name__)
