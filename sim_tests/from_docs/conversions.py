"""MX results, conversions, tables, maxima, and jobs one behind the other."""

from sim_tests.from_docs import pins
from sim_tests.from_docs.jobs import (
    ARRAY,
    Activations,
    column_maxima,
    mx_results,
    plan_gemm,
    plan_packed_gemm,
    product,
    quantize_tile,
    random_matrix,
    random_weights,
    row_bytes,
    select_above,
    select_all,
    select_static,
    select_top,
    with_specials,
)
from sim_tests.from_docs.machine import Machine
from sim_tests.from_docs.numerics import (
    BF16,
    FP16,
    FP32,
    widen,
)
from sim_tests.from_docs.packets import block_place
from sim_tests.from_docs.packets import mx_results as packed_parts
from sim_tests.from_docs.pins import ABORT, K_MAX, MEASURE, MX6, MX9, RESUME, ROWS, SLVERR, TABLES
from sim_tests.from_docs.runs import (
    cocotb_test,
    conversion_of,
    expect_end,
    run_conversion,
    run_gemm,
    send_gemm,
)


@cocotb_test
async def mx_results_go_round(dut):
    """Results in MX6 and MX9, and then these as the activations of GEMM_PACKED."""
    machine = await Machine.begin(dut, 7)
    rng = machine.rng
    machine.out.pause_chance = 0.3
    for target, m, n, group_tiles, source in (
        (MX6, 6, 21, 2, FP32),
        (MX9, 9, 34, 1, BF16),
        (MX9, 7, 5, 4, FP32),
    ):
        rows = with_specials(rng, random_matrix(rng, m, 19, source), source, 1)
        weights = random_weights(rng, n, 19)
        biases = [x[0] for x in random_matrix(rng, n, 1)]
        plan = plan_gemm(
            rows,
            weights,
            source=source,
            target=target,
            group_tiles=group_tiles,
            selection=select_top(1),
            biases=biases,
        )
        send_gemm(machine, plan)
        assert await machine.start(plan.job) == 0
        await machine.wait_ended(await machine.read(pins.JOBS_ENDED) + 1)
        got = list(machine.out.packets)
        await expect_end(machine, plan.results, plan.counters)

        # The packets, placed behind precision beats, are the next packed activations.
        k_blocks = -(-n // 16)
        tile_count = -(-m // ROWS)
        tags = (1 << k_blocks) - 1 if target == MX9 else 0
        packets = [bytearray(tags.to_bytes(pins.ACT_BYTES, "little")) for _ in range(tile_count)]
        for part, packet in zip(packed_parts(ARRAY, m, n, group_tiles), got, strict=True):
            data = b"".join(bytes(x or 0 for x in beat) for beat in packet)
            first = block_place(pins.ACT_BYTES, part.col // 16, part.rows, target == MX9)
            whole = packets[part.row // ROWS]
            whole.extend(bytes(max(0, first + len(data) - len(whole))))
            whole[first : first + len(data)] = data
        made = Activations.of(rows, source, select_top(1))
        first = product(made.tiles, weights, biases)
        follow = plan_packed_gemm(
            mx_results(first, target), n, random_weights(rng, 6, n), group_tiles=group_tiles
        )
        assert follow.act_packets == packets
        await run_gemm(machine, follow)


@cocotb_test
async def conversions(dut):
    """CONVERT and CONVERT_TRANSPOSED make weights that a GEMM then uses."""
    machine = await Machine.begin(dut, 8)
    rng = machine.rng
    machine.act.pause_chance = 0.1
    machine.out.pause_chance = 0.3
    tags = [False, True, True]
    await machine.load_table(0, tags=tags)
    for source, n, k, selection, is_transposed in (
        (FP32, 6, 35, select_top(1), False),
        (FP16, 5, 40, select_static(tags), False),
        (BF16, 4, 16, select_all(True), False),
        (FP32, 7, 35, select_top(2), True),
        (FP16, 6, 17, select_all(False), True),
        (BF16, 3, 33, select_static(tags), True),
    ):
        columns = with_specials(rng, random_matrix(rng, n, k, source), source, 1)
        weights = await run_conversion(
            machine,
            columns,
            source=source,
            selection=selection,
            table=0,
            is_transposed=is_transposed,
        )
        plan = plan_gemm(random_matrix(rng, 5, k), weights, selection=select_top(1))
        await run_gemm(machine, plan)


@cocotb_test
async def tables(dut):
    """Channel orders and tags: loading, refusing, clearing, using."""
    machine = await Machine.begin(dut, 9)
    rng = machine.rng
    k = 37
    order = rng.sample(range(k), k)
    tags = [True, False, True]
    rows, weights = random_matrix(rng, 6, k), random_weights(rng, 3, k)
    selection = select_static(tags)
    plan = plan_gemm(rows, weights, selection=selection, order=order, table=1, group_tiles=2)

    # Entries out of turn, out of range, or not whole change nothing.
    assert await machine.start(plan.job) == 15
    await machine.load_table(1, order[:5], tags[:1])
    assert await machine.start(plan.job) == 15
    for address, entry in (
        (pins.ORDER_ENTRY, order[5] << 16 | 4),
        (pins.ORDER_ENTRY, order[5] << 16 | 6),
        (pins.ORDER_ENTRY, K_MAX << 16 | 5),
        (pins.TAG_ENTRY, 0 << 16),
        (pins.TAG_ENTRY, 2 << 16),
    ):
        assert await machine.access(address, entry, 0xF) == SLVERR
    assert await machine.access(pins.ORDER_ENTRY, order[5] << 16 | 5, 0b1011) == SLVERR
    for place in range(5, k):
        await machine.write(pins.ORDER_ENTRY, order[place] << 16 | place)
    assert await machine.start(plan.job) == 16
    for k_block in (1, 2):
        await machine.write(pins.TAG_ENTRY, k_block << 16 | int(tags[k_block]))
    await run_gemm(machine, plan)

    # A channel that stands twice; clearing tags or order alone.
    await machine.write(pins.ORDER_ENTRY, order[0] << 16 | k)
    assert await machine.start(plan.job) == 14
    await machine.write(pins.TABLE_CLEAR, 1)
    assert await machine.start(plan.job) == 15
    for place, channel in enumerate(order):
        await machine.write(pins.ORDER_ENTRY, channel << 16 | place)
    await machine.write(pins.TABLE_CLEAR, 2)
    assert await machine.start(plan.job) == 16
    await run_gemm(machine, plan_gemm(rows, weights, selection=select_top(1), order=order, table=1))

    # A table that a job under way uses can't be written, the other one can.
    for k_block, tag in enumerate(tags):
        await machine.write(pins.TAG_ENTRY, k_block << 16 | int(tag))
    assert await machine.start(plan.job) == 0
    assert await machine.access(pins.TABLE_CLEAR, 3, 0xF) == SLVERR
    assert await machine.access(pins.ORDER_ENTRY, k << 16 | k, 0xF) == SLVERR
    assert await machine.access(pins.TAG_ENTRY, 3 << 16, 0xF) == SLVERR
    other = list(reversed(range(k)))
    await machine.load_table(0, other)
    send_gemm(machine, plan)
    await expect_end(machine, plan.results, plan.counters)

    # A conversion through an order; no such table.
    await run_conversion(
        machine,
        random_matrix(rng, 5, k, FP16),
        source=FP16,
        selection=select_top(1),
        order=other,
        table=0,
    )
    await machine.write(pins.TABLE_SELECT, TABLES)
    for address in (pins.ORDER_ENTRY, pins.TAG_ENTRY, pins.TABLE_CLEAR):
        assert await machine.access(address, 0, 0xF) == SLVERR

    # Entries beyond the largest K.
    await machine.load_table(0, range(K_MAX), [True] * (K_MAX // 16))
    assert await machine.access(pins.ORDER_ENTRY, K_MAX, 0xF) == SLVERR
    assert await machine.access(pins.TAG_ENTRY, K_MAX // 16 << 16, 0xF) == SLVERR


@cocotb_test
async def channel_maxima(dut):
    """MEASURE records each arriving channel; before any job all read 0."""
    machine = await Machine.begin(dut, 10)
    rng = machine.rng
    assert await machine.maxima(20) == [0] * 20
    for k, source, order in ((18, FP32, True), (9, FP16, False), (12, BF16, False)):
        rows = with_specials(rng, random_matrix(rng, 5, k, source), source, 1)
        permutation = rng.sample(range(k), k) if order else []
        await machine.load_table(0, permutation)
        plan = plan_gemm(
            rows,
            random_weights(rng, 2, k),
            source=source,
            selection=select_top(0),
            order=permutation,
            table=0,
            flags=MEASURE,
        )
        await run_gemm(machine, plan)
        wanted = column_maxima(rows, source)
        assert await machine.maxima(20) == wanted + [0] * (20 - k)
    plan = plan_gemm(rows, random_weights(rng, 2, k), source=BF16, selection=select_top(0))
    await run_gemm(machine, plan)
    assert await machine.maxima(20) == wanted + [0] * (20 - k)
    rows = random_matrix(rng, 2, 5)
    await run_conversion(machine, rows, selection=select_all(False), flags=MEASURE)
    wanted = column_maxima(rows, FP32)
    assert await machine.maxima(20) == wanted + [0] * 15

    # Aborted jobs leave what had arrived, or what was there if nothing had.
    rows = random_matrix(rng, 3, 17)
    job = plan_gemm(rows, random_weights(rng, 1, 17), selection=select_top(0), flags=MEASURE).job
    for arrived in (rows[:0], rows[:1]):
        for row in arrived:
            machine.act.send(row_bytes(row, FP32))
        assert await machine.start(job) == 0
        await machine.edges(50)
        await machine.write(pins.CONTROL, ABORT)
        await machine.write(pins.CONTROL, RESUME)
        if arrived:
            wanted = column_maxima(arrived, FP32)
        assert await machine.maxima(20) == wanted + [0] * (20 - len(wanted))
    await machine.reset()
    assert await machine.maxima(20) == [0] * 20


@cocotb_test
async def subnormal_magnitudes(dut):
    """Subnormals, zeros in every block, still rank by their patterns and are measured so."""
    machine = await Machine.begin(dut, 16)
    rng = machine.rng
    for source in (FP32, BF16):
        small, large = 0x1, (1 << (source.precision - 1)) - 1
        rows = [[0] * 16 + [small] * 16 + [large] * 16 + [small] * 16]
        weights = random_weights(rng, 1, 64)
        above = select_above(widen(small, source))
        plan = plan_gemm(rows, weights, source=source, selection=above, flags=MEASURE)
        await run_gemm(machine, plan)
        assert await machine.maxima(64) == column_maxima(rows, source)
        # A conversion's packet shows which blocks were chosen.
        for selection in (select_top(1), select_top(2), above):
            await run_conversion(machine, rows, source=source, selection=selection)


@cocotb_test
async def jobs_in_a_row(dut):
    """As many jobs of all kinds as fit, started at once, packets and results in their order."""
    machine = await Machine.begin(dut, 17)
    rng = machine.rng
    machine.act.pause_chance = machine.out.pause_chance = 0.2
    k = 30
    first, last = (
        plan_gemm(
            random_matrix(rng, m, k),
            random_weights(rng, 5, k),
            selection=select_top(1),
            target=target,
            biases=[x[0] for x in random_matrix(rng, 5, 1)],
        )
        for m, target in ((5, MX9), (3, FP16))
    )
    job, packets, results = conversion_of(rng, 6, k)
    tiles = [quantize_tile(random_matrix(rng, 3, k), [True, False])[0]]
    packed = plan_packed_gemm(tiles, k, random_weights(rng, 2, k))
    for plan in (first, packed):
        assert await machine.start(plan.job) == 0
    assert await machine.start(job) == 0
    assert await machine.start(last.job) == 0
    send_gemm(machine, first)
    send_gemm(machine, packed)
    for packet in packets:
        machine.act.send(packet)
    send_gemm(machine, last)
    await machine.wait_ended(4)
    wanted = first.results + packed.results + results + last.results
    await expect_end(machine, wanted, last.counters)
    assert await machine.read(pins.JOBS_ENDED) == 4
