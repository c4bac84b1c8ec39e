"""Packets that do not fit: faults, and what the machine makes of them."""

from collections.abc import Sequence

from sim_tests.from_docs import pins
from sim_tests.from_docs.jobs import (
    Activations,
    Blocks,
    Gemm,
    float_packets,
    plan_gemm,
    plan_packed_gemm,
    product,
    quantize_tile,
    random_matrix,
    random_weights,
    row_bytes,
    select_top,
)
from sim_tests.from_docs.machine import Machine
from sim_tests.from_docs.numerics import (
    FP32,
    Block,
    Float,
    beats_of,
    fill,
    in_chunks,
    packed_tile,
)
from sim_tests.from_docs.pins import (
    ACT_KEEP,
    ACT_LENGTH,
    COLS,
    CONVERT,
    CONVERT_TRANSPOSED,
    ENDED,
    RESULT_BYTES,
    ROWS,
    WEIGHT_KEEP,
    WEIGHT_LENGTH,
)
from sim_tests.from_docs.runs import cocotb_test, expect_end, in_beats


def row_beats(row: Sequence[int], source: Float) -> list[tuple[bytes, int]]:
    """A packet of activations as beats of data and tkeep."""
    return in_beats(row_bytes(row, source), pins.ACT_BYTES)


async def run_broken(machine: Machine, plan: Gemm, act, wgt, faults: int):
    """Run a GEMM from these packets of beats; the results are those of the plan."""
    for packet in act:
        machine.act.send_beats(packet)
    await machine.write(pins.IRQ_PENDING, 0x3F)
    machine.wgt.gate_open = not faults & (ACT_LENGTH | ACT_KEEP)
    for packet in wgt:
        machine.wgt.send_beats(packet)
    assert await machine.start(plan.job) == 0
    if not machine.wgt.gate_open:
        # The fault is pending before the job can end.
        for _ in range(200):
            if await machine.read(pins.IRQ_PENDING) == faults << 2:
                break
        assert await machine.read(pins.IRQ_PENDING) == faults << 2
        machine.wgt.gate_open = True
    await expect_end(machine, plan.results, plan.counters, faults=faults)
    assert await machine.read(pins.IRQ_PENDING) == faults << 2 | ENDED


@cocotb_test
async def broken_rows(dut):
    """Rows that end early, end late or have the wrong tkeep; the next job is good again."""
    machine = await Machine.begin(dut, 11)
    rng = machine.rng
    k = 37
    rows, weights = random_matrix(rng, 5, k), random_weights(rng, 5, k)
    selection = select_top(1)
    good = plan_gemm(rows, weights, selection=selection)
    wgt = [in_beats(x, pins.WEIGHT_BYTES) for x in good.wgt_packets]
    act = [row_beats(row, FP32) for row in rows]
    whole = (1 << pins.ACT_BYTES) - 1

    def with_row(i: int, beats) -> list:
        return [beats if j == i else x for j, x in enumerate(act)]

    for i in (0, 4):
        cut = [list(row) for row in rows]
        cut[i] = rows[i][:16] + [0] * (k - 16)
        early = plan_gemm(cut, weights, selection=selection)
        await run_broken(machine, early, with_row(i, act[i][:2]), wgt, ACT_LENGTH)
        beyond = [(rng.randbytes(32), whole), (rng.randbytes(32), 7)]
        late = with_row(i, [*act[i], *beyond])
        await run_broken(machine, good, late, wgt, ACT_LENGTH)
        # A longer row's beats are whole, also where the row should have ended.
        end = (act[i][-1][0] + rng.randbytes(12), whole)
        late = with_row(i, [*act[i][:-1], end, *beyond])
        await run_broken(machine, good, late, wgt, ACT_LENGTH | ACT_KEEP)
    for beats, faults in (
        ([*act[2][:-1], (act[2][-1][0], whole)], ACT_KEEP),
        ([*act[2][:-1], (act[2][-1][0], whole >> 13)], ACT_KEEP),
        ([*act[2][:1], (act[2][1][0], whole - 2), *act[2][2:]], ACT_KEEP),
        ([*act[2][:1], (act[2][1][0], 0), *act[2][2:]], ACT_KEEP),
        (act[2], 0),
    ):
        await run_broken(machine, good, with_row(2, beats), wgt, faults)

    # The other kinds of jobs.
    columns = [list(row) for row in rows[:3]]
    for is_transposed in (False, True):
        job = {
            "KIND": CONVERT_TRANSPOSED if is_transposed else CONVERT,
            "N": 3,
            "K": k,
            **selection.registers,
        }
        packets = zip(*columns, strict=True) if is_transposed else columns
        packets = [row_beats(row, FP32) for row in packets]
        packets[1].append((rng.randbytes(32), whole))
        packets[2][-1] = (packets[2][-1][0], whole)
        for packet in packets:
            machine.act.send_beats(packet)
        assert await machine.start(job) == 0
        made = Activations.of(columns, FP32, selection)
        result = beats_of(packed_tile(made.tiles[0], pins.WEIGHT_BYTES), RESULT_BYTES)
        await expect_end(machine, [result], made.counters(), faults=ACT_LENGTH | ACT_KEEP)


@cocotb_test
async def broken_packed(dut):
    """Packed weights and packed activations that end early or late or have a wrong tkeep."""
    machine = await Machine.begin(dut, 12)
    rng = machine.rng
    k, n = 40, 5
    tags = [True, False, True]
    tiles = [quantize_tile(x, tags)[0] for x in in_chunks(random_matrix(rng, 6, k), ROWS)]
    weights = [quantize_tile(x, tags)[0] for x in in_chunks(random_matrix(rng, n, k), COLS)]
    biases = [x[0] for x in random_matrix(rng, n, 1)]
    good = plan_packed_gemm(tiles, k, weights, biases=biases)
    act = [in_beats(fill(x, pins.ACT_BYTES), pins.ACT_BYTES) for x in good.act_packets]
    wgt = [in_beats(x, pins.WEIGHT_BYTES) for x in good.wgt_packets]
    nothing = Block(0, (0,) * 8, (0,) * 16, (0,) * 16, None)
    empty = Block(0, (0,) * 8, (0,) * 16, (0,) * 16, (0,) * 16)

    def without_end(tile: Blocks) -> Blocks:
        return [[row[0], nothing, empty] for row in tile]

    # Bias, precision, three beats of a K-block and two of its residuals, of the first packet.
    cut_weights = [without_end(weights[0]), weights[1]]
    cut_result = product(tiles[:1], cut_weights, biases) + product(tiles[1:], weights, biases)
    early = plan_packed_gemm(tiles, k, weights, biases=biases)
    early.results = float_packets(cut_result, FP32, 1)
    early.counters = {}
    await run_broken(machine, early, act, [wgt[0][:7], *wgt[1:]], WEIGHT_LENGTH)
    extra = (rng.randbytes(16), 0xFFFF)
    await run_broken(machine, good, act, [[*wgt[0], extra, extra], *wgt[1:]], WEIGHT_LENGTH)
    holed = [*wgt[0][:4], (wgt[0][4][0], 0xFF7F), *wgt[0][5:]]
    await run_broken(machine, good, act, [wgt[0], wgt[1], holed, wgt[3]], WEIGHT_KEEP)
    both = [[*wgt[0], extra], wgt[1], holed, wgt[3]]
    await run_broken(machine, good, act, both, WEIGHT_LENGTH | WEIGHT_KEEP)

    # Precision, two beats of a K-block and one of its residuals.
    early = plan_packed_gemm([without_end(tiles[0]), tiles[1]], k, weights, biases=biases)
    await run_broken(machine, early, [act[0][:4], act[1]], wgt, ACT_LENGTH)
    extra = (rng.randbytes(32), (1 << 32) - 1)
    await run_broken(machine, good, [[*act[0], extra], act[1]], wgt, ACT_LENGTH)
    holed = [*act[1][:-1], (act[1][-1][0], (1 << 31) - 1)]
    await run_broken(machine, good, [act[0], holed], wgt, ACT_KEEP)
    await run_broken(machine, good, act, wgt, 0)
