"""Commands from memory to memory: every byte against golden's ring."""

import cocotb
import numpy as np
import pytest

from golden import MX6, quantize
from golden.memory import Command, Fault, Operation
from golden.memory.descriptor import JobFlag
from golden.memory.jobs import JobKind, Output, Selection
from golden.packing import weight_stream
from hw.contract.config import PAGE_BYTES, Config
from hw.memory_machine import MemoryMachine
from hw.registers.codes import Refusal
from sim_tests import bench, drive
from sim_tests.memory.lists import LAST, SIZE, Lists
from sim_tests.memory.runs import GENTLE, HOSTILE, Run, packed, run
from sim_tests.memory.slave import Manners
from sim_tests.stimuli.operands import handed_over, matrix


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def one_gemm(dut):
    lists = Lists(drive.rng())
    config = lists.config
    lists.gemm(2 * config.rows + 1, 2 * config.cols + 1, 40, interrupt=1)
    await run(dut, lists)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def gemms_of_every_format_and_shape(dut, manners):
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    for float_format in config.float_formats:
        for output in (Output.FP32, Output.FP16, Output.BF16):
            lists.gemm(int(rng.integers(1, 4 * config.rows)), int(rng.integers(1, 4 * config.cols)),
                       int(rng.integers(1, 100)), float_format=float_format, output=output,
                       has_bias=bool(rng.integers(2)), tiles=int(rng.integers(1, 4)))
    await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def conversions_of_every_format_and_shape(dut, manners):
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    for float_format in config.float_formats:
        for transposed in (False, True):
            lists.convert(int(rng.integers(1, 4 * config.cols)), int(rng.integers(1, 70)),
                          float_format=float_format, transposed=transposed)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def packed_activations_and_results(dut, manners):
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    packed = [Output.MX6, Output.MX9] if config.packs_results else []
    for kind in (JobKind.GEMM_PACKED, JobKind.GEMM, JobKind.GEMM_PACKED):
        for output in (*packed, Output.FP32):
            lists.gemm(int(rng.integers(1, 5 * config.rows)), int(rng.integers(1, 80)),
                       int(rng.integers(1, 80)), kind=kind, output=output,
                       has_bias=bool(rng.integers(2)), tiles=int(rng.integers(1, 4)))
    await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def packed_results_of_a_short_tile_behind_whole_ones(dut, manners):
    lists = Lists(drive.rng())
    config = lists.config
    for output in (Output.MX6, Output.MX9) if config.packs_results else ():
        for m, tiles in ((2 * config.rows + 1, 3), (config.rows + 1, 1), (1, 2),
                         (5 * config.rows + 2, 2)):
            lists.gemm(m, 50, 20, output=output, tiles=tiles)
    if lists.commands:
        await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def packed_results_and_conversions_are_operands(dut):
    lists = Lists(drive.rng())
    config = lists.config
    if not config.packs_results:
        return
    m, n = 2 * config.rows + 1, 50
    first = lists.gemm(m, n, 40, output=Output.MX9, tiles=2)
    weights = lists.convert(config.cols + 2, n)
    lists.gemm(m, config.cols + 2, n, kind=JobKind.GEMM_PACKED, a=first.c, b=weights.c,
               a_stride=first.c_stride, b_stride=weights.c_stride, wait_a=2, wait_b=1, tiles=3)
    await run(dut, lists)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def what_one_writes_the_next_reads(dut, manners):
    lists = Lists(drive.rng())
    config = lists.config
    n = 2 * config.cols + 1
    first = lists.gemm(2 * config.rows + 1, n, 40)
    lists.gemm(config.rows, 3, 20)
    lists.gemm(2 * config.rows + 1, 5, n, a=first.c, a_stride=first.c_stride, wait_a=2)
    lists.gemm(config.rows + 1, 5, n, a=first.c, a_stride=first.c_stride, wait_a=3)
    last = lists.gemm(config.rows, config.cols, n, has_bias=True)
    lists.gemm(config.rows, config.cols, 20, has_bias=True, bias=last.c, wait_side=1)
    await run(dut, lists, manners)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_descriptor_has_two_levels_of_batches(dut):
    lists = Lists(drive.rng())
    rng, config = lists.rng, lists.config
    for heads, samples in ((3, 2), (1, 3), (4, 1)):
        tokens, n, d = config.rows + 1, config.cols + 2, 24
        x = matrix(rng, samples * tokens, heads * d)
        a, a_stride = lists.rows(x, 4)
        packets = [packet for _ in range(heads) for packet in weight_stream(
            quantize(matrix(rng, d, n), MX6, axis=0), config.cols, config.weight_bytes)]
        b, b_stride = lists.tiles(packets)
        c_stride = n * 4
        lists.gemm(tokens, n, d, a=a, a_stride=a_stride, a_step_0=4 * d, a_step_1=tokens * a_stride,
                   b=b, b_stride=b_stride, b_step_0=b_stride * len(packets) // heads, b_step_1=0,
                   c=lists.room(samples * heads * tokens * c_stride, 4), c_stride=c_stride,
                   c_step_0=tokens * c_stride, c_step_1=heads * tokens * c_stride,
                   count_0=heads, count_1=samples, interrupt=1)
    await run(dut, lists)


FAULTY = {
    "no count": {"count_1": 0}, "unaligned": {"b": 0x4020}, "refused": {"tiles": 0},
    "no such kind": {"kind": 9}, "unaligned step": {"c_step_0": 1},
    "no such address": {"a": 1 << 40}, "rows that overlap": {"c_stride": 4},
}


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(name=list(FAULTY), goes_on=[0, 1])
async def a_bad_descriptor_stops_the_ring_where_it_is(dut, name, goes_on):
    lists = Lists(drive.rng())
    config = lists.config
    for number in range(5):
        bad = FAULTY[name] | {"goes_on": goes_on} if number == 2 else {}
        lists.gemm(config.rows + number, config.cols + 1, 30, interrupt=1, **bad)
    await stops_at(dut, lists, goes_on)


async def stops_at(dut, lists, goes_on, fault=None):
    """Run a list with one faulty command, to it and past it; return what the bus saw."""
    both = Run(dut, lists)
    await both.begin()
    await both.wait()
    lists.ring.doorbell(len(lists.commands))
    both.compare()
    if not goes_on:
        assert fault in (None, both.status("fault"))
        await both.order("skip")
        await both.wait()
        lists.ring.skip()
        both.compare()
    assert both.get("RING_COMPLETED") == len(lists.commands)
    return both.slave.seen


def packed_too_long(lists, what, **values):
    """Add a job one of whose packed tiles is longer than its stride."""
    config = lists.config
    rows, cols = 2 * config.rows, 2 * config.cols
    match what:
        case "a":
            lists.gemm(rows, 3, 100, kind=JobKind.GEMM_PACKED, a_stride=64, **values)
        case "b":
            lists.gemm(3, cols, 100, b_stride=64, **values)
        case "a conversion":
            lists.convert(cols, 100, c_stride=64, **values)
        case "results":
            lists.gemm(rows, 100, 20, output=Output.MX9, c_stride=64, **values)


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(what=["a", "b", "a conversion", "results"], goes_on=[0, 1])
async def a_packed_tile_is_no_longer_than_its_stride(dut, what, goes_on):
    """Neither of what is read nor of what is written: and nothing else is written."""
    lists = Lists(drive.rng())
    config = lists.config
    if what == "results" and not config.packs_results:
        return
    lists.gemm(config.rows + 1, config.cols + 1, 30)
    packed_too_long(lists, what, goes_on=goes_on, interrupt=1)
    lists.gemm(config.rows, config.cols + 2, 30, interrupt=1)
    await stops_at(dut, lists, goes_on, Fault.OVERLONG)


SPOILT = {
    "kind": (0, 1, 2, 3, 4, 255), "m": (0, 1), "n": (0, 1), "k": (0, 1, 256, 257, 65535),
    "tiles": (0, 1, 32, 33, 65535), "format": (0, 1, 2, 3, 255), "output": (0, 1, 3, 4, 5, 255),
    "flags": (0, 1, 2, 4, 8, 255), "selection": (0, 1, 2, 3, 4, 255), "units": (0, 1, 2, 3, 99),
    "threshold": (0, 0x7F800000, 0x7F800001, 1 << 31), "table": (0, 1, 2, 255),
    "a_stride": (0, 64, 100), "b_stride": (0, 64, 128), "c_stride": (0, 4),
    "a_step_0": (0, 64), "b_step_1": (1, 64), "count_0": (0, 1, 2), "count_1": (0, 1, 3),
    "bias": (0, 2, 1 << 40), "wait_a": (1, 255), "version": (0, 1, 2), "operation": (0, 1, 255),
    "goes_on": (0, 1), "interrupt": (0, 1)}
"""Values that a field may have in a list that somebody got wrong, and some that are good."""


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(byte=[0, 1, 150])
async def what_cannot_be_read_does_not_ask_to_go_on(dut, byte):
    """Of another version or operation, or with a bit that is kept for others."""
    lists = Lists(drive.rng())
    for _ in range(3):
        lists.gemm(lists.config.rows, 3, 20, goes_on=1, interrupt=1)
    wrong = bytearray(packed(lists.commands[1]))
    wrong[byte] ^= 0x40
    lists.commands[1] = bytes(wrong)
    await stops_at(dut, lists, 0)


@cocotb.test(timeout_time=8, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def what_golden_refuses_is_refused_by_the_same_name(dut, manners):
    """Commands of which one to three fields are any, on both: the same faults, the same bytes."""
    rng, seen = drive.rng(), set()
    for _ in range(drive.amount(12, 200)):
        lists = Lists(rng)
        config = lists.config
        for _ in range(8):
            kind = rng.choice([JobKind.GEMM, JobKind.GEMM_PACKED])
            if rng.random() < 0.3:
                lists.convert(config.cols + 1, 40, transposed=bool(rng.integers(2)))
            else:
                lists.gemm(config.rows + 1, config.cols + 1, 40, kind=kind, has_bias=True)
        lists.room(1 << 16)
        # Whatever a command becomes, it writes where nobody reads, since nothing waits for it.
        for number, command in enumerate(lists.commands):
            spoilt = {name: int(rng.choice(SPOILT[name]))
                      for name in rng.choice(list(SPOILT), rng.integers(0, 4), replace=False)}
            lists.commands[number] = Command(**(
                command.describe() | {"c": lists.room(8192)} | spoilt))
        both = Run(dut, lists, manners)
        await both.begin()
        lists.ring.doorbell(len(lists.commands))
        for _ in lists.commands:
            await both.wait()
            both.compare()
            if lists.ring.fault is Fault.REFUSED:
                assert Refusal(both.get("REFUSAL")).name == lists.ring.refusal
                seen.add(lists.ring.refusal)
            seen.add(lists.ring.fault)
            if lists.ring.fault is Fault.NONE:
                break
            await both.order("skip")
            lists.ring.skip()
        await both.wait()
        both.compare()
        both.end()
    assert len(seen) > 8, seen


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_tail_too_far_ahead_stops_the_ring(dut):
    lists = Lists(drive.rng())
    for _ in range(3):
        lists.gemm(lists.config.rows, 3, 20)
    both = Run(dut, lists)
    await both.begin()
    await both.wait()
    lists.ring.doorbell(3)
    both.compare()
    tail = 3 + lists.ring.size + 1
    both.set("RING_TAIL", tail)
    await drive.ticks(dut, 100)
    lists.ring.doorbell(tail)
    assert lists.ring.fault is Fault.OVERRUN
    both.compare()


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def can_be_switched_off_at_any_moment(dut, manners):
    """The bus falls quiet; switched on again the ring goes on at the command that had not ended."""
    rng = drive.rng()
    for _ in range(drive.amount(6, 60)):
        lists = Lists(rng)
        config = lists.config
        for _ in range(4):
            lists.gemm(config.rows + 1, config.cols + 1, 40, has_bias=True)
        lists.convert(config.cols + 1, 40)
        both = Run(dut, lists, manners)
        await both.begin()
        for _ in range(3):
            await drive.ticks(dut, int(rng.integers(1, 700)))
            both.set("RING_ENABLE", 0)
            await drive.ticks(dut, 2)
            for _ in range(3_000):
                if both.status("idle"):
                    break
                await drive.ticks(dut, 1)
            assert both.status("idle") and both.slave.is_idle
            before = both.slave.asked
            await drive.ticks(dut, 200)
            assert both.slave.asked == before
            both.set("RING_ENABLE", 1)
        await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        both.end()


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def an_error_in_every_transfer_in_turn(dut, manners):
    """Wherever the bus fails, the ring stops at a command, and all is well after a resume."""
    rng, seen = drive.rng(), {}
    for transfer in range(200):
        lists = Lists(drive.rng())
        config = lists.config
        lists.gemm(config.rows + 1, config.cols + 1, 20, has_bias=True)
        lists.convert(config.cols + 1, 20)
        lists.gemm(config.rows, 3, 20, output=Output.FP16)
        answer = int(rng.choice([2, 3]))
        both = Run(dut, lists, manners, {transfer: answer})
        await both.begin()
        await both.wait()
        fault = both.status("fault")
        if both.slave.asked <= transfer:
            break
        assert fault in (Fault.READ_SLVERR, Fault.READ_DECERR, Fault.WRITE_SLVERR,
                         Fault.WRITE_DECERR), f"transfer {transfer}: {fault}"
        assert (fault % 2 == 1) == (answer == 2)
        seen[fault] = seen.get(fault, 0) + 1
        await both.order("resume")
        await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        assert both.get("RING_COMPLETED") == 3
        both.end()
    assert transfer > 20 and len(seen) == 4, seen


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
    seen = set()
    for transfer in drive.rng("transfers").permutation(60)[:drive.amount(16, 60)]:
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
    assert seen >= {Fault.READ_SLVERR, Fault.WRITE_SLVERR}


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
    rng, seen = drive.rng(), set()
    for transfer in rng.permutation(80)[:drive.amount(8, 80)]:
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
        await drive.ticks(dut, 1_500)
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


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(channel=["ar", "r", "aw", "w", "b"])
async def a_bus_that_falls_silent_stops_the_ring(dut, channel):
    """Software hears of it while it is silent; when it answers at last, all goes on."""
    rng = drive.rng()
    for after in (5, 40, 200):
        lists = Lists(rng)
        for _ in range(12):
            lists.gemm(lists.config.rows, 3, 20, interrupt=1)
        both = Run(dut, lists)
        await both.begin()
        both.set("BUS_TIMEOUT", 300)
        await drive.ticks(dut, after)
        both.slave.silent.add(channel)
        begin = drive.cycle()
        while not both.stops:
            await drive.ticks(dut, 1)
            assert drive.cycle() - begin < 3_000
        assert drive.cycle() - begin > 290
        assert both.status("timed_out") and both.status("fault") == Fault.TIMEOUT
        await drive.ticks(dut, 400)
        assert not both.status("idle")
        both.slave.silent.clear()
        await drive.ticks(dut, 600)
        assert both.status("idle") and not both.status("timed_out")
        await both.order("resume")
        await both.wait()
        lists.ring.doorbell(len(lists.commands))
        both.compare()
        both.end()


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_slow_bus_is_not_a_silent_one(dut):
    lists = Lists(drive.rng())
    for _ in range(4):
        lists.gemm(lists.config.rows, 3, 20)
    both = Run(dut, lists, Manners(read_latency=250, write_latency=250))
    await both.begin()
    both.set("BUS_TIMEOUT", 270)
    await both.wait()
    lists.ring.doorbell(4)
    both.compare()


@cocotb.test(timeout_time=4, timeout_unit="ms")
@cocotb.parametrize(manners=[GENTLE, HOSTILE])
async def counts_what_goes_over_the_bus(dut, manners):
    lists = Lists(drive.rng())
    for _ in range(4):
        lists.gemm(2 * lists.config.rows, 7, 40)
    both = Run(dut, lists, manners)
    await both.begin()
    await both.wait()
    seen = both.slave.seen
    for name, expected in (
            ("READ_BURSTS", len(seen.reads)), ("READ_BEATS", seen.read_beats),
            ("WRITE_BURSTS", len(seen.writes)), ("WRITE_BEATS", seen.write_beats),
            ("READ_STALLS", seen.read_stalls), ("WRITE_STALLS", seen.write_stalls),
            ("READ_OWED", seen.read_owed), ("WRITE_OWED", seen.write_owed)):
        assert both.get(name) == expected, name
        assert expected or manners == GENTLE, name


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_ring_that_lies_between_is_a_fault(dut):
    lists = Lists(drive.rng())
    lists.gemm(lists.config.rows, 3, 20)
    both = Run(dut, lists)
    await both.begin()
    both.set("RING_BASE", lists.base + 32)
    await both.wait()
    assert both.status("fault") == Fault.UNALIGNED and not both.get("RING_COMPLETED")


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


def config_of(rows, cols, **others):
    return Config.sized(rows=rows, cols=cols, k_max=256, bus_bytes=32, **others)


@pytest.mark.parametrize("rows, cols", [(4, 4), (3, 5)])
def test_memory_machine(rows, cols):
    config = config_of(rows, cols)
    bench.simulate(MemoryMachine(config), __name__, f"memory_machine_{rows}x{cols}",
                   parameters=handed_over(config))
