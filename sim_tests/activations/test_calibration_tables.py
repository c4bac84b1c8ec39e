"""Channel orders and static tags: every word of every table, apart from each other, held."""

import cocotb
import numpy as np
import pytest

from hw.activations.calibration_tables import CalibrationTables, order_read_signature
from hw.contract.config import Config
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over


async def write(dut, port, **values):
    """Write once through a port."""
    for name, value in values.items():
        getattr(dut, f"{port}__{name}").value = int(value)
    getattr(dut, f"{port}__valid").value = 1
    await drive.ticks(dut, 1)
    getattr(dut, f"{port}__valid").value = 0


async def fill(dut, rng, config):
    """Write all tables in any order; return places (tables, channels) and tags (tables, blocks)."""
    places = rng.integers(0, config.k_max, (config.tables, config.k_max))
    tags = rng.integers(0, 2, (config.tables, config.k_blocks_max))
    for table, channel in rng.permutation(list(np.ndindex(places.shape))):
        await write(dut, "order_write", table=table, channel=channel, place=places[table, channel])
    for table, k_block in rng.permutation(list(np.ndindex(tags.shape))):
        await write(dut, "tag_write", table=table, k_block=k_block, is_mx9=tags[table, k_block])
    return places, tags


async def check(dut, rng, config, places, tags):
    """Read all tables in any order, both ports at once; what was read must hold meanwhile."""
    layout = order_read_signature(config).members["destinations"].shape
    padded = np.zeros((config.tables, 16 * config.k_blocks_max), int)
    padded[:, : config.k_max] = places
    words = list(np.ndindex(tags.shape))
    for order_at, tag_at in zip(rng.permutation(words), rng.permutation(words), strict=True):
        for port, (table, k_block) in (("order", order_at), ("tag", tag_at)):
            getattr(dut, f"{port}__en").value = 1
            getattr(dut, f"{port}__table").value = int(table)
            getattr(dut, f"{port}__k_block").value = int(k_block)
        await drive.ticks(dut, 1)
        for port in ("order", "tag"):  # elsewhere, and not enabled
            getattr(dut, f"{port}__en").value = 0
            getattr(dut, f"{port}__k_block").value = 0
        for _ in range(int(rng.integers(1, 4))):
            await drive.ticks(dut, 1)
            table, k_block = order_at
            present = min(16, config.k_max - 16 * k_block)
            actual = drive.unpack(layout, [int(dut.order__destinations.value)])[0, :present]
            wanted = padded[table, 16 * k_block : 16 * k_block + present]
            drive.compare(actual, wanted, "destinations", table=table, k_block=k_block)
            assert int(dut.tag__is_mx9.value) == tags[tuple(tag_at)], tag_at


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def keeps_what_is_written(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    for _ in range(drive.amount(2, 10)):
        places, tags = await fill(dut, rng, config)
        await check(dut, rng, config, places, tags)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def drops_writes_to_what_is_not_there(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    places, tags = await fill(dut, rng, config)
    tables, channels, k_blocks = (1 << len(getattr(dut, f"{port}__{name}")) for port, name in (
        ("order_write", "table"), ("order_write", "channel"), ("tag_write", "k_block")))
    for table in range(tables):
        for channel in range(0 if table >= config.tables else 16 * config.k_blocks_max, channels):
            await write(dut, "order_write", table=table, channel=channel,
                        place=~places[0, channel % config.k_max] & 1)
        for k_block in range(0 if table >= config.tables else config.k_blocks_max, k_blocks):
            await write(dut, "tag_write", table=table, k_block=k_block,
                        is_mx9=1 - tags[0, k_block % config.k_blocks_max])
    await check(dut, rng, config, places, tags)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def one_table_is_read_while_another_is_written(dut):
    rng, config = drive.rng(), configuration()
    await drive.reset(dut)
    places, tags = await fill(dut, rng, config)
    if config.tables == 1:
        return

    async def rewrite():
        for channel in range(config.k_max):
            places[1, channel] = config.k_max - 1 - channel
            await write(dut, "order_write", table=1, channel=channel, place=places[1, channel])

    writing = cocotb.start_soon(rewrite())
    for k_block in np.arange(2 * config.k_blocks_max) % config.k_blocks_max:
        dut.order__en.value, dut.order__table.value = 1, 0
        dut.order__k_block.value = int(k_block)
        await drive.ticks(dut, 2)
        width = len(dut.order_write__place)
        first = int(dut.order__destinations.value) & ((1 << width) - 1)
        assert first == places[0, 16 * k_block]
    await writing
    await check(dut, rng, config, places, tags)


@pytest.mark.parametrize("tables, k_max", [(1, 100), (2, 40), (4, 256), (2, 1)])
def test_calibration_tables(tables, k_max):
    config = Config.sized(rows=1, cols=1, k_max=k_max, tables=tables)
    bench.simulate(CalibrationTables(config), __name__, f"calibration_tables_{tables}_{k_max}",
                   parameters=handed_over(config))
