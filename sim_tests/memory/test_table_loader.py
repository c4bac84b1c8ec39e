"""Tables from memory, as a host would load them: every length, what is left out, words gone bad."""

import cocotb
import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.triggers import ReadOnly, RisingEdge, gather

from hw.contract.config import Config
from hw.control.table_record import TableRecord, loaded_signature
from hw.memory.axi4 import segment_layout
from hw.memory.read_channel import word_layout
from hw.memory.table_loader import ENTRY_BITS, TableLoader, load_layout
from sim_tests import bench, drive
from sim_tests.stimuli.operands import configuration, handed_over

SIZES = {"address_bits": 41, "length_bits": 24}
COUNT_BITS = 16
MOST_TAGS = 150
"""Of a load here, more than a word of the bus has; the record need not have as many."""

ENTRIES_PORTS = ("order_entry", "tag_entry")


class Recorded(wiring.Component):
    """The loader with the tables' record, which holds entries up while it clears its bits."""

    def __init__(self, loader):
        self.loader, self.config = loader, loader.config
        super().__init__({
            **{name: member for name, member in loader.signature.members.items()
               if name != "entries_wait"},
            "holds": In(1), "entries_wait": Out(1), "select": In(range(max(2, self.config.tables))),
            "loaded": Out(loaded_signature(self.config))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.writer = loader = self.loader
        m.submodules.record = record = TableRecord(self.config)
        for name, member in loader.signature.members.items():
            inner = getattr(loader, name)
            if name == "entries_wait":
                m.d.comb += [self.entries_wait.eq(record.busy | self.holds),
                             inner.eq(self.entries_wait)]
            elif member.is_signature:
                wiring.connect(m, inner, wiring.flipped(getattr(self, name)))
            else:
                m.d.comb += (getattr(self, name).eq(inner) if member.flow is Out
                             else inner.eq(getattr(self, name)))
        order, tag, clear = record.order_write, record.tag_write, record.clear
        m.d.comb += [
            order.valid.eq(loader.order_entry_write), order.table.eq(loader.table_select),
            order.place.eq(loader.order_entry.place), order.channel.eq(loader.order_entry.channel),
            tag.valid.eq(loader.tag_entry_write), tag.table.eq(loader.table_select),
            tag.k_block.eq(loader.tag_entry.k_block), tag.is_mx9.eq(loader.tag_entry.mx9),
            clear.table.eq(loader.table_select),
            clear.order.eq(loader.table_clear_write & loader.table_clear.order),
            clear.tags.eq(loader.table_clear_write & loader.table_clear.tags),
            record.select.eq(self.select)]
        wiring.connect(m, record.loaded, wiring.flipped(self.loaded))
        return m


class Registers:
    """What the registers see: clears and entries, by their rules.

    Attributes
    ----------
    seen : list of tuple of int
        ``(clear, table, order, tags)``, ``(order, table, place, channel)`` and
        ``(tag, table, k_block, mx9)``, with those words in front.
    """

    def __init__(self, dut, chance):
        self.dut, self.chance, self.rng = dut, chance, drive.rng("registers")
        self.seen, self.standing = [], None

    def _entry(self, name):
        """Give the fields of an entry: its upper half, and what of its lower half counts."""
        word = int(getattr(self.dut, name).value)
        return word & 0xFFFF, word >> 16

    async def watch(self):
        """Look at every cycle; now and then let entries wait, and a clear."""
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            dut.holds.value = int(self.rng.random() < self.chance)
            dut.table_clear_busy.value = int(self.rng.random() < self.chance)
            await edge
            self._look()

    def _look(self):
        dut = self.dut
        table = int(dut.table_select.value)
        entries = {name: int(getattr(dut, name).value) for name in ENTRIES_PORTS}
        if self.standing is not None:
            name, standing = self.standing
            assert (table, entries[name]) == standing, "the entry does not stand"
            self.standing = None
            assert not any(int(getattr(dut, f"{each}_write").value) for each in ENTRIES_PORTS)
        writes = [name for name in (*ENTRIES_PORTS, "table_clear")
                  if int(getattr(dut, f"{name}_write").value)]
        assert len(writes) <= 1
        if "table_clear" in writes:
            assert not int(dut.table_clear_busy.value) or self.seen
            flags = int(dut.table_clear.value)
            self.seen.append(("clear", table, flags & 1, flags >> 1))
        elif writes:
            name, = writes
            assert not int(dut.entries_wait.value)
            low, high = self._entry(name)
            kept = ("order", table, low, high) if name == "order_entry" else (
                "tag", table, high, low)
            self.seen.append(kept)
            self.standing = name, (table, entries[name])


def words_of(rng, load, channels, tags, size):
    """Give the words of the bus in which a load lies, and garbage behind its end."""
    if load["is_tags"]:
        octets = np.packbits(np.asarray(tags, np.uint8), bitorder="little").tobytes()
        bits = int.from_bytes(octets, "little")
        used, taken = load["count"], len(octets)
    else:
        bits = sum(channel << ENTRY_BITS * at for at, channel in enumerate(channels))
        used, taken = ENTRY_BITS * load["count"], 2 * load["count"]
    count = -(-taken // size)
    bits |= int.from_bytes(rng.bytes(count * size), "little") >> used << used
    return [bits >> 8 * size * at & (1 << 8 * size) - 1 for at in range(count)]


def expected_of(config, load, channels, tags):
    """List what a host would do."""
    table, is_tags = load["table"], load["is_tags"]
    seen = [("clear", table, 1 - is_tags, is_tags)]
    if is_tags:
        return seen + [("tag", table, block, tag) for block, tag in enumerate(tags)]
    there = [channel for channel in channels if channel < config.k_max]
    return seen + [("order", table, place, channel) for place, channel in enumerate(there)]


def most_of(config, is_tags):
    """Give the longest load: orders have to fit into the record."""
    return MOST_TAGS if is_tags else config.k_max


def draw(rng, config, is_tags, count=None):
    """Draw a load, its channels and its tags; some channels the machine does not have."""
    most = most_of(config, is_tags)
    count = int(rng.integers(1, most + 1)) if count is None else count
    channels = rng.permutation(count).tolist()
    if rng.random() < 0.5:
        for at in rng.integers(count, size=rng.integers(1, 4)):
            channels[at] = int(rng.choice([config.k_max, config.k_max - 1, 0xFFFF, 1 << int(
                rng.integers(ENTRY_BITS)), int(rng.integers(1 << ENTRY_BITS))]))
    load = {"table": int(rng.integers(config.tables)), "is_tags": is_tags, "count": count,
            "address": 64 * int(rng.integers(1 << SIZES["address_bits"] - 6))}
    return load, channels, rng.integers(2, size=count).tolist()


async def load_table(dut, registers, case, answers=None, idle=0.0, stall=0.0):
    """Load a table, and compare all that is done; give the words some answers of the bus."""
    config, size = configuration(), drive.parameters()["data_bytes"]
    load, channels, tags = case
    words = words_of(registers.rng, load, channels, tags, size)
    answers = [0] * len(words) if answers is None else answers(len(words))
    layout = word_layout(size)
    packed = [layout.const({"data": word, "resp": resp}).as_value().value
              for word, resp in zip(words, answers, strict=True)]
    registers.seen = []
    offered = load_layout(address_bits=SIZES["address_bits"]).const(load).as_value().value
    sending = cocotb.start_soon(drive.send(dut, "i", [offered]))
    asked, = await drive.receive(dut, "segments", 1, stall)
    segment = segment_layout(**SIZES).from_bits(asked)
    length = -(-load["count"] // 8) if load["is_tags"] else 2 * load["count"]
    assert (segment["address"], segment["length"]) == (load["address"], length)
    await gather(drive.send(dut, "words", packed, idle), sending)
    bad = [resp for resp in answers if resp]
    assert int(dut.resp.value) == (bad[-1] if bad else 0)
    expected = expected_of(config, load, channels, tags)
    if bad:
        assert registers.seen[0] == registers.seen[-1] == expected[0]
        assert all(entry[1] == load["table"] for entry in registers.seen)
    else:
        assert registers.seen == expected, f"{load}"
    await compare_record(dut, load, expected if not bad else expected[:1])


async def compare_record(dut, load, done):
    """Compare what the record says of a table that was loaded."""
    dut.select.value = load["table"]
    await drive.ticks(dut, 2)
    if load["is_tags"]:
        if len(done) - 1 <= configuration().k_blocks_max:
            assert int(dut.loaded__tags.value) == len(done) - 1
        return
    channels = [entry[3] for entry in done[1:]]
    is_double = len(set(channels)) < len(channels)
    assert int(dut.loaded__is_double.value) == is_double
    if not int(dut.entries_wait.value) and not is_double:
        assert int(dut.loaded__channels.value) == len(channels)
        is_whole = bool(channels) and sorted(channels) == list(range(len(channels)))
        assert int(dut.loaded__is_whole.value) == is_whole


async def begin(dut, chance=0.0):
    """Reset, and let the registers watch."""
    await drive.reset(dut)
    registers = Registers(dut, chance)
    cocotb.start_soon(registers.watch())
    return registers, drive.rng(), configuration()


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(is_tags=[0, 1], pause=[0.0, 0.5])
async def loads_what_lies_in_memory(dut, is_tags, pause):
    registers, rng, config = await begin(dut, pause)
    for _ in range(drive.amount(10, 100)):
        await load_table(dut, registers, draw(rng, config, is_tags), idle=pause, stall=pause)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(side=["idle", "stall"])
async def survives_a_long_pause(dut, side):
    registers, rng, config = await begin(dut)
    pause = {side: drive.LongPause(0, 300)}
    for is_tags in (0, 1):
        await load_table(dut, registers, draw(rng, config, is_tags), **pause)


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(is_tags=[0, 1])
async def loads_end_anywhere_in_a_word(dut, is_tags):
    registers, rng, config = await begin(dut, 0.1)
    of_a_word = 8 * drive.parameters()["data_bytes"] // (1 if is_tags else ENTRY_BITS)
    most = most_of(config, is_tags)
    counts = {*range(1, min(most, 40) + 1), most, *(
        count for count in (of_a_word - 1, of_a_word, of_a_word + 1, 2 * of_a_word)
        if 0 < count <= most)}
    for count in sorted(counts):
        await load_table(dut, registers, draw(rng, config, is_tags, count))


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(is_tags=[0, 1], resp=[1, 2, 3])
async def a_word_that_cannot_be_read_leaves_the_table_empty(dut, is_tags, resp):
    """In any place, alone or one of several; what is loaded then is whole again."""
    registers, rng, config = await begin(dut, 0.1)
    most, size = most_of(config, is_tags), drive.parameters()["data_bytes"]
    for at in range(min(5, -(-(most if is_tags else ENTRY_BITS * most) // (8 * size)))):
        def one(count, at=at):
            return [resp if each == min(at, count - 1) else 0 for each in range(count)]

        def several(count):
            return [resp, *rng.integers(4, size=count - 1).tolist()]

        for answers in (one, None, several):
            await load_table(dut, registers, draw(rng, config, is_tags, most), answers)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def entries_take_two_cycles(dut):
    registers, rng, config = await begin(dut)
    await drive.ticks(dut, config.tables * config.k_blocks_max + 1)  # since the record is cleared
    for is_tags in (0, 1):
        most, cycles = most_of(config, is_tags), []
        for count in (1, most):
            start = drive.cycle()
            await load_table(dut, registers, draw(rng, config, is_tags, count))
            cycles.append(drive.cycle() - start)
        assert cycles[1] - cycles[0] == 2 * (most - 1)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def nothing_is_done_to_a_table_that_is_busy(dut):
    registers, rng, config = await begin(dut, 1.0)
    load, _, _ = draw(rng, config, 0)
    dut.i__payload.value = load_layout(address_bits=41).const(load).as_value().value
    dut.i__valid.value = 1
    await drive.ticks(dut, 60)
    assert not registers.seen and not int(dut.segments__valid.value)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def nothing_is_done_without_a_load(dut):
    registers, _, _ = await begin(dut)
    await drive.ticks(dut, 60)
    assert not registers.seen and not int(dut.segments__valid.value)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def asks_for_the_bytes_of_loads_of_any_size(dut):
    """Of tables of any number; a reset ends each, which nobody brings."""
    await drive.reset(dut)
    rng = drive.rng()
    dut.segments__ready.value = 0
    bits = SIZES["address_bits"]
    cases = [(int(rng.integers(1 << COUNT_BITS)) >> int(rng.integers(COUNT_BITS - 1)) or 1)
             for _ in range(drive.amount(60, 600))]
    for number, count in enumerate((*cases, *(1 << bit for bit in range(COUNT_BITS)), 0xFFFF)):
        load = {"table": int(rng.integers(256)), "is_tags": number & 1, "count": count,
                "address": (int(rng.integers(1 << bits)) if number % 3 else 1 << number % bits)}
        dut.i__payload.value = load_layout(address_bits=bits).const(load).as_value().value
        dut.i__valid.value = 1
        await drive.ticks(dut, 3)
        assert int(dut.segments__valid.value)
        segment = segment_layout(**SIZES).from_bits(int(dut.segments__payload.value))
        length = (count + 7) // 8 if load["is_tags"] else 2 * count
        assert (segment["address"], segment["length"]) == (load["address"], length)
        assert int(dut.table_select.value) == load["table"]
        dut.i__valid.value, dut.rst.value = 0, 1
        await drive.ticks(dut, 1)
        dut.rst.value = 0
        await drive.ticks(dut, 1)


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def goes_on_to_the_last_of_many_entries(dut):
    """As many as there can be; nothing is looked at but the last entry of each word."""
    await drive.reset(dut)
    of_a_word, count = 8 * drive.parameters()["data_bytes"], (1 << COUNT_BITS) - 1
    load = {"table": 0, "is_tags": 1, "count": count, "address": 0}
    dut.i__payload.value = load_layout(address_bits=41).const(load).as_value().value
    dut.i__valid.value = dut.segments__ready.value = dut.words__valid.value = 1
    for word in range(-(-count // of_a_word)):
        await RisingEdge(dut.words__ready)
        await ReadOnly()
        place = min((word + 1) * of_a_word, count) - 1
        assert int(dut.tag_entry.value) >> 16 == place
    await RisingEdge(dut.i__ready)


@pytest.mark.parametrize("k_max, tables, data_bytes", [(100, 2, 8), (300, 1, 32), (600, 4, 64)])
def test_table_loader(k_max, tables, data_bytes):
    config = Config.sized(rows=2, cols=2, k_max=k_max, tables=tables)
    loader = TableLoader(config, data_bytes=data_bytes, **SIZES)
    bench.simulate(Recorded(loader), __name__, f"table_loader_{k_max}_{tables}_{data_bytes}",
                   parameters=handed_over(config, data_bytes=data_bytes))
