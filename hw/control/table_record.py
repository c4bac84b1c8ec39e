"""What has been loaded into the calibration tables: the life of an order and of static tags."""

from amaranth import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE
from hw.activations.calibration_tables import (
    CHANNEL_BITS,
    order_write_signature,
    place_bits,
    table_address,
    tag_write_signature,
)
from hw.parts.sram import Sram


def table_clear_signature(config):
    """Describe what begins a table anew, seen from who writes.

    Members
    -------
    order, tags : Out(1)
        Forget the order, the tags.
    table : Out
    """
    return wiring.Signature({
        "order": Out(1), "tags": Out(1), "table": Out(range(max(2, config.tables)))})


def loaded_signature(config):
    """Describe what a table holds, seen from who keeps the record.

    Members
    -------
    channels : Out
        Places of the order, from 0 on, that have a channel.
    is_double : Out(1)
        A channel came twice.
    is_whole : Out(1)
        Otherwise: the order is a permutation of so many channels.
    tags : Out
        K-blocks, from 0 on, that have a tag.
    """
    return wiring.Signature({
        "channels": Out(bits_for(config.k_max)), "is_double": Out(1), "is_whole": Out(1),
        "tags": Out(bits_for(config.k_blocks_max)),
    })


class TableRecord(wiring.Component):
    """Record what each calibration table was loaded with since it was cleared.

    Places come one after the other, so that they need only be counted. A bit per channel, in a
    memory, tells whether one comes twice; that shows in the cycle after its entry, in which no
    other may come. A reset, and a ``clear`` of an order, are followed by a walk that clears the
    bits, sixteen per cycle; ``busy`` tells that entries must wait for it.

    Parameters
    ----------
    config : Config

    Members
    -------
    order_write : In(order_write_signature), tag_write : In(tag_write_signature)
        Entries of tables and channels that the machine has, and that fit. All but ``valid`` stands
        for a cycle more.
    order_fits, tag_fits : Out(1)
        The entry is of the next place, of the next K-block of its table.
    clear : In(table_clear_signature)
    busy : Out(1)
    select : In
        The table whose record is shown...
    loaded : Out(loaded_signature)
        ...in the same cycle.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "order_write": In(order_write_signature(config)), "order_fits": Out(1),
            "tag_write": In(tag_write_signature(config)), "tag_fits": Out(1),
            "clear": In(table_clear_signature(config)), "busy": Out(1),
            "select": In(range(max(2, config.tables))), "loaded": Out(loaded_signature(config)),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        channels, is_double, tags = (
            [Signal.like(getattr(self.loaded, name), name=f"{name}_{table}")
             for table in range(config.tables)] for name in ("channels", "is_double", "tags"))
        last = [Signal(place_bits(config), name=f"last_{table}") for table in range(config.tables)]
        is_stale = [Signal(init=1, name=f"is_stale_{table}") for table in range(config.tables)]

        # Cycle 0: count the entry. While bits are cleared, `channels` counts their words instead.
        entry = self.order_write
        table = Signal(range(max(2, config.tables)))
        m.d.comb += [self.busy.eq(Cat(is_stale).any()), table.eq(entry.table)]
        for index in reversed(range(config.tables)):
            with m.If(is_stale[index]):
                m.d.comb += table.eq(index)
        count = Signal.like(self.loaded.channels)
        walk_ends = Signal()
        m.d.comb += [
            count.eq(Array(channels)[table]),
            walk_ends.eq(count == config.k_blocks_max - 1),
            self.order_fits.eq(entry.place == count),
        ]
        with m.If(entry.valid | self.busy):
            m.d.sync += Array(channels)[table].eq(Mux(self.busy & walk_ends, 0, count + 1))
        with m.If(self.busy & walk_ends):
            m.d.sync += Array(is_stale)[table].eq(0)
        with m.If(entry.valid & (entry.channel > Array(last)[table])):
            m.d.sync += Array(last)[table].eq(entry.channel)

        # Cycle 1: tell whether its channel came before.
        came_twice = self._look_up(m, table, count)
        is_double_now = [Signal(name=f"is_double_now_{index}") for index in range(config.tables)]
        for index, now in enumerate(is_double_now):
            m.d.comb += now.eq(is_double[index] | (table == index) & came_twice)
            m.d.sync += is_double[index].eq(now)

        tagged = Array(tags)[self.tag_write.table]
        m.d.comb += self.tag_fits.eq(self.tag_write.k_block == tagged)
        with m.If(self.tag_write.valid):
            m.d.sync += tagged.eq(tagged + 1)
        with m.If(self.clear.order):
            m.d.sync += [Array(channels)[self.clear.table].eq(0),
                         Array(last)[self.clear.table].eq(0),
                         Array(is_double)[self.clear.table].eq(0),
                         Array(is_stale)[self.clear.table].eq(1)]
        with m.If(self.clear.tags):
            m.d.sync += Array(tags)[self.clear.table].eq(0)
        m.d.comb += [
            self.loaded.channels.eq(Array(channels)[self.select]),
            self.loaded.is_double.eq(Array(is_double_now)[self.select]),
            self.loaded.is_whole.eq(~Array(is_stale)[self.select] & (
                Array(last)[self.select] < self.loaded.channels)),
            self.loaded.tags.eq(Array(tags)[self.select]),
        ]
        return m

    def _look_up(self, m, table, word):
        """Keep a bit per channel; tell whether that of the entry before was set."""
        config, entry = self.config, self.order_write
        m.submodules.seen = seen = Sram(
            width=BLOCK_SIZE, depth=config.tables * config.k_blocks_max, granules=BLOCK_SIZE)
        was_written = Signal()
        bit = Signal(BLOCK_SIZE)
        at = Signal(seen.address_width)
        m.d.sync += was_written.eq(entry.valid)
        m.d.comb += [
            bit.eq(was_written << entry.channel[:CHANNEL_BITS]),
            at.eq(table_address(config, table, Mux(
                self.busy, word, entry.channel[CHANNEL_BITS:]))),
            seen.read_en.eq(entry.valid), seen.read_addr.eq(at),
            seen.write_en.eq(bit | self.busy.replicate(BLOCK_SIZE)), seen.write_addr.eq(at),
            seen.write_data.eq((~self.busy).replicate(BLOCK_SIZE)),
        ]
        return (seen.read_data & bit).any()
