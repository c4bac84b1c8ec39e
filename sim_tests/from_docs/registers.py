"""Registers: identification, access, refusals in their order, several commands at once."""

from sim_tests.from_docs import pins
from sim_tests.from_docs.jobs import (
    plan_gemm,
    random_matrix,
    random_weights,
    select_top,
)
from sim_tests.from_docs.machine import Machine
from sim_tests.from_docs.numerics import (
    INFINITY,
)
from sim_tests.from_docs.pins import (
    ABORT,
    ACT_DEPTH,
    BIAS,
    COLS,
    CONVERT,
    CONVERT_TRANSPOSED,
    DRAIN_LANES,
    FRACTION_BITS,
    GEMM,
    GEMM_PACKED,
    HEAD,
    K_MAX,
    MEASURE,
    OKAY,
    REFUSED,
    REORDER,
    RESULT_BYTES,
    RESUME,
    ROWS,
    SLVERR,
    START,
    STATIC,
    TABLES,
    THRESHOLD,
    TILE_SLOTS,
    TOP,
)
from sim_tests.from_docs.runs import SETTINGS, cocotb_test, run_gemm


@cocotb_test
async def identification(dut):
    """The letters, the version and what the machine was built for."""
    machine = await Machine.begin(dut, 1)
    wanted = {
        "ID": int.from_bytes(b"MXDT", "big"),
        "VERSION": 3 << 16 | 1,
        "ROWS": ROWS,
        "COLS": COLS,
        "ACC_WIDTH": 40,
        "K_MAX": K_MAX,
        "ACT_BYTES": pins.ACT_BYTES,
        "WEIGHT_BYTES": pins.WEIGHT_BYTES,
        "RESULT_BYTES": RESULT_BYTES,
        "ACT_DEPTH": ACT_DEPTH,
        "WEIGHT_DEPTH": 32,
        "TILE_SLOTS": TILE_SLOTS,
        "FORMATS": 0b111,
        "STAGE_DEPTH": 98,
        "DRAIN_LANES": DRAIN_LANES,
        "TABLES": TABLES,
        "FRACTION_BITS": FRACTION_BITS,
        "ROUNDING": 0,
        "OUTPUTS": 0b11111,
        "CELL_STAGES": 1,
    }
    found = {name: await machine.read(address) for name, address in pins.CONSTANTS.items()}
    dut._log.info("%s", found)
    assert {name: found[name] for name in wanted} == wanted
    status = await machine.read(pins.STATUS)
    assert status == found["JOB_SLOTS"] << 8

@cocotb_test
async def register_access(dut):
    """SLVERR, unaligned addresses, byte strobes, widths, and either order of the channels."""
    machine = await Machine.begin(dut, 2)
    readable = {
        *pins.CONSTANTS.values(),
        *SETTINGS,
        *range(pins.STATUS, pins.IRQ_PENDING + 4, 4),
        pins.MAXIMUM,
        *range(0x100, 0x148, 4),
    }
    settable = {*SETTINGS, pins.IRQ_PENDING}
    entries = {pins.ORDER_ENTRY, pins.TAG_ENTRY, pins.TABLE_CLEAR}
    for address in [*range(0, 0x180, 4), 0x400, 0x800, 0x8C0, 0xFFC]:
        _, response = await machine.fetch(address)
        assert response == (OKAY if address in readable else SLVERR), f"read {address:#x}"
        if address not in entries | {pins.CONTROL}:
            response = await machine.access(address, 0, 0xF)
            assert response == (OKAY if address in settable else SLVERR), f"write {address:#x}"
    for address, width in SETTINGS.items():
        assert await machine.read(address) == 0
        await machine.write(address, 0xFFFFFFFF)
        assert await machine.read(address) == width
        assert await machine.access(address + 1, 0x12345678, 0b0101, delay=2) == OKAY
        partly = 0xFF34FF78 & width
        assert await machine.read(address + 3) == partly
        assert await machine.access(address + 2, 0, 0, delay=-3) == OKAY
        assert await machine.read(address + 2) == partly
    assert await machine.access(pins.CONTROL, ABORT, 0b1110) == OKAY
    assert not await machine.read(pins.STATUS) & 1 << 16
    assert await machine.access(pins.CONTROL + 3, ABORT, 0b0001) == OKAY
    assert await machine.read(pins.STATUS) & 1 << 16
    for address in entries:
        assert await machine.access(address, 0, 0b0111) == SLVERR


# Every job holds all later mistakes too that it can, so the order of the checks shows.
BAD = {
    "M": 0,
    "N": 0,
    "K": K_MAX + 1,
    "TILES": 0,
    "FORMAT": 3,
    "OUTPUT": 5,
    "FLAGS": BIAS | REORDER,
    "TABLE": TABLES,
    "SELECTION": 4,
}
CURES = (
    (9, {"KIND": 4}, {"KIND": GEMM}),
    (12, {"FLAGS": 8 | BIAS | REORDER}, {"FLAGS": BIAS | REORDER}),
    (1, {}, {"M": 1, "N": 1}),
    (2, {}, {"K": 33}),
    (3, {}, {"TILES": 1}),
    (4, {}, {"FORMAT": 2}),
    (10, {}, {"OUTPUT": 0}),
    (5, {}, {"SELECTION": TOP, "UNITS": 4}),
    (6, {}, {"SELECTION": THRESHOLD, "THRESHOLD": 0x80000000}),
    (7, {}, {"THRESHOLD": INFINITY + 1}),
    (7, {}, {"SELECTION": STATIC}),
    (11, {}, {"TABLE": 1}),
    (14, {}, {}),
)


@cocotb_test
async def refusals(dut):
    """Every refusal, in the order of the checks; none consumes anything."""
    machine = await Machine.begin(dut, 3)
    await machine.load_table(1, [5, 5, 6])
    job = dict(BAD)
    for code, ill, cured in CURES:
        job |= ill
        assert await machine.start(job) == code, (code, job)
        job |= cured
    await machine.load_table(1, [5, 6])
    assert await machine.start(job) == 15
    await machine.load_table(1, range(33), [False, True])
    assert await machine.start(job) == 16
    await machine.load_table(1, range(33), [False, True, False, True])
    assert await machine.start(job) == 16
    await machine.load_table(1, range(34), [False, True, False])
    assert await machine.start(job) == 15

    # Edges of single checks.
    good = {"KIND": GEMM, "M": 1, "N": 1, "K": 33, "TILES": 1}
    for change, code in (
        ({"N": 0}, 1),
        ({"K": 0}, 1),
        ({"TILES": TILE_SLOTS + 1}, 3),
        ({"TILES": 9, "K": K_MAX}, 3),
        ({"SELECTION": HEAD, "UNITS": 2}, 6),
        ({"SELECTION": STATIC, "TABLE": 0}, 16),
        ({"FLAGS": REORDER, "TABLE": 0}, 15),
        ({"KIND": GEMM_PACKED, "FLAGS": REORDER}, 12),
        ({"KIND": GEMM_PACKED, "FLAGS": MEASURE}, 12),
        ({"KIND": GEMM_PACKED, "OUTPUT": 5}, 10),
        ({"KIND": CONVERT, "OUTPUT": 1}, 12),
        ({"KIND": CONVERT, "FLAGS": BIAS}, 12),
        ({"KIND": CONVERT_TRANSPOSED, "FLAGS": REORDER}, 12),
        ({"KIND": CONVERT_TRANSPOSED, "FLAGS": MEASURE}, 12),
        ({"KIND": CONVERT_TRANSPOSED, "OUTPUT": 4}, 12),
    ):
        assert await machine.start(good | change) == code, change
    assert await machine.read(pins.IRQ_PENDING) == REFUSED
    await machine.write(pins.IRQ_ENABLE, REFUSED)
    await machine.edges(2)
    assert dut.irq.value == 1
    await machine.write(pins.IRQ_PENDING, REFUSED)
    await machine.edges(2)
    assert dut.irq.value == 0

    # A full queue, and all other mistakes beside it; then an abort, which counts before that.
    slots = await machine.read(pins.CONSTANTS["JOB_SLOTS"])
    for started in range(slots):
        assert await machine.start(good) == 0
        assert await machine.read(pins.STATUS) == (slots - started - 1) << 8 | started + 1
    assert await machine.start(BAD | {"KIND": 4}) == 8
    await machine.write(pins.CONTROL, ABORT)
    assert await machine.start(BAD | {"KIND": 4}) == 13
    await machine.write(pins.CONTROL, RESUME)
    assert await machine.read(pins.JOBS_ENDED) == 0
    rng = machine.rng
    plan = plan_gemm(random_matrix(rng, 1, 8), random_weights(rng, 2, 8), selection=select_top(0))
    await run_gemm(machine, plan)


@cocotb_test
async def commands_together(dut):
    """Several commands in one write of CONTROL."""
    machine = await Machine.begin(dut, 4)
    job = {"KIND": GEMM, "M": 1, "N": 1, "K": 1, "TILES": 1}
    assert await machine.start(job) == 0

    async def command(bits: int) -> tuple[int, int, bool]:
        await machine.write(pins.CONTROL, bits)
        status = await machine.read(pins.STATUS)
        return await machine.read(pins.REFUSAL), status & 0xFF, bool(status & 1 << 16)

    assert await command(START | ABORT) == (13, 0, True)
    assert await command(START | RESUME) == (13, 0, False)
    assert await command(START | RESUME) == (0, 1, False)
    assert await command(ABORT | RESUME) == (0, 0, True)
    assert await command(RESUME) == (0, 0, False)
    assert await command(START) == (0, 1, False)
    assert await command(START | ABORT | RESUME) == (13, 0, True)
