"""The record of calibration tables against a list of the entries that were written."""

import cocotb
import pytest
from cocotb.triggers import Timer

from hw.contract.config import Config
from hw.control.table_record import TableRecord
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over

SETTLED = Timer(10, "ps")  # what is shown at once, within the cycle


class Bench:
    """The component, and what each table was loaded with."""

    def __init__(self, dut, config):
        self.dut, self.config = dut, config
        self.orders = [[] for _ in range(config.tables)]
        self.tags = [0] * config.tables

    def rest(self):
        """Write nothing."""
        self.dut.order_write__valid.value = self.dut.tag_write__valid.value = 0
        self.dut.clear__order.value = self.dut.clear__tags.value = 0

    async def ready(self):
        """Wait until entries need not wait; return for how many cycles."""
        waited = 0
        while int(self.dut.busy.value):
            await drive.ticks(self.dut, 1)
            waited += 1
            assert waited <= self.config.tables * self.config.k_blocks_max + 1
        return waited

    async def write(self, port, **values):
        """Write once, after a rest of a cycle at least, as registers do."""
        await drive.ticks(self.dut, 1)
        await self.ready()
        for name, value in values.items():
            getattr(self.dut, f"{port}__{name}").value = int(value)
        await drive.ticks(self.dut, 1)
        self.rest()
        await SETTLED

    async def order(self, table, channel):
        """Write the next entry of an order, after one that does not fit; check what is told."""
        place = len(self.orders[table])
        await drive.ticks(self.dut, 1)  # the entry before stands until here
        await self.ready()
        self.dut.order_write__table.value = table
        for other in {place + 1, place - 1, place}:
            if 0 <= other < self.config.k_max:
                self.dut.order_write__place.value = other
                await SETTLED
                assert int(self.dut.order_fits.value) == (other == place), f"{other} for {place}"
        await self.write("order_write", valid=1, table=table, channel=channel, place=place)
        self.orders[table].append(int(channel))

    async def tag(self, table, k_block):
        """Write a tag if it fits; check that it is told whether it does."""
        self.dut.tag_write__table.value, self.dut.tag_write__k_block.value = table, k_block
        self.dut.tag_write__is_mx9.value = (table + k_block) % 2
        await SETTLED
        fits = k_block == self.tags[table]
        assert int(self.dut.tag_fits.value) == fits
        if fits:
            await self.write("tag_write", valid=1)
            self.tags[table] += 1

    async def clear(self, table, order=True, tags=True):
        """Begin a table anew."""
        await self.write("clear", table=table, order=order, tags=tags)
        if order:
            self.orders[table] = []
        if tags:
            self.tags[table] = 0

    async def check(self):
        """Compare the record of every table, at once after what was written last."""
        for table, (order, tags) in enumerate(zip(self.orders, self.tags, strict=True)):
            self.dut.select.value = table
            await SETTLED
            is_double = len(set(order)) < len(order)
            assert int(self.dut.loaded__is_double.value) == is_double, f"table {table}, {order}"
            assert int(self.dut.loaded__tags.value) == tags
            if order and not is_double:
                assert int(self.dut.loaded__channels.value) == len(order)
                is_whole = sorted(order) == list(range(len(order)))
                assert int(self.dut.loaded__is_whole.value) == is_whole, f"table {table}, {order}"
            elif not order:
                assert not int(self.dut.loaded__is_whole.value), f"table {table}"


async def start(dut):
    """Reset; no entry need wait once all tables were walked."""
    record = Bench(dut, configuration())
    await drive.reset(dut)
    record.rest()
    await record.check()
    return record


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def permutations_are_whole_and_their_parts_are_not(dut):
    record = await start(dut)
    rng, config = drive.rng(), record.config
    for _ in range(drive.amount(20, 200)):
        table = int(rng.integers(config.tables))
        await record.clear(table)
        await record.check()
        for channel in rng.permutation(rng.integers(1, min(config.k_max, 40) + 1)):
            await record.order(table, channel)
            await record.check()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_channel_that_comes_twice_is_seen_at_once(dut):
    record = await start(dut)
    rng, config = drive.rng(), record.config
    for _ in range(drive.amount(100, 1000)):
        table = int(rng.integers(config.tables))
        if rng.random() < 0.2:
            await record.clear(table, *(rng.random(2) < 0.7))
        for _ in range(rng.integers(1, 6)):
            if len(record.orders[table]) < config.k_max:
                await record.order(table, rng.integers(config.k_max))
            await record.check()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_cleared_table_forgets_every_channel_and_no_other_table_does(dut):
    record = await start(dut)
    config = record.config
    for table in range(config.tables):
        for place in range(config.k_max - 1):
            await record.order(table, config.k_max - 1 - place)
    await record.check()
    for table in range(0, config.tables, 2):
        await record.clear(table)
        assert await record.ready() >= config.k_blocks_max - 1
        for channel in range(config.k_max):
            await record.order(table, channel)
        await record.check()
    if config.k_max > 1:
        for table in range(1, config.tables, 2):
            await record.order(table, 1)  # which it has
            await record.check()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def tags_come_one_after_the_other(dut):
    record = await start(dut)
    tables = range(record.config.tables)
    for table in (*tables, *reversed(tables)):  # empty ones, then full ones
        await record.clear(table, order=False)
        await record.check()
        for k_block in range(record.config.k_blocks_max):
            if k_block + 1 < record.config.k_blocks_max:
                await record.tag(table, k_block + 1)  # not yet
            await record.tag(table, k_block)
            await record.tag(table, k_block // 2)  # again
        await record.check()


@pytest.mark.parametrize("k_max, tables", [(100, 2), (256, 4), (5, 1), (1, 1)])
def test_table_record(k_max, tables):
    config = Config.sized(rows=2, cols=2, k_max=k_max, tables=tables)
    bench.simulate(TableRecord(config), __name__, f"table_record_{k_max}_{tables}",
                   parameters=handed_over(config))
