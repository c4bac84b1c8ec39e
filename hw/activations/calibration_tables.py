"""What software learned of a layer's channels: the order they go into, and its outlier blocks."""

from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden.formats import BLOCK_SIZE
from hw.contract.tag_read import tag_read_signature
from hw.parts.sram import Sram

CHANNEL_BITS = (BLOCK_SIZE - 1).bit_length()
"""Bits that tell the channels of a block apart."""


def place_bits(config):
    """Give the width of a channel's index, or of its place in the order."""
    return bits_for(config.k_max - 1)


def table_address(config, table, k_block):
    """Give the address of a K-block in a table, in a memory of all tables, as an expression."""
    return Cat(table[:(config.tables - 1).bit_length()], k_block)


def order_write_signature(config):
    """Describe a write to an order table, seen from who writes.

    Members
    -------
    valid : Out(1)
    table : Out
    channel : Out
        What arrives as this channel...
    place : Out
        ...goes to this place.
    """
    return wiring.Signature({
        "valid": Out(1), "table": Out(range(max(2, config.tables))),
        "channel": Out(place_bits(config)), "place": Out(place_bits(config)),
    })


def order_read_signature(config):
    """Describe the read side of the order tables, seen from who reads.

    Members
    -------
    en : Out(1)
    table, k_block : Out
        The sixteen channels whose places are read, and in which table.
    destinations : In(16 x unsigned)
        The places of the channels of the last ``en``, one cycle after it.
    """
    return wiring.Signature({
        "en": Out(1), "table": Out(range(max(2, config.tables))),
        "k_block": Out(bits_for(config.k_blocks_max - 1)),
        "destinations": In(data.ArrayLayout(place_bits(config), BLOCK_SIZE)),
    })


def tag_write_signature(config):
    """Describe a write to a table of static tags, seen from who writes.

    Members
    -------
    valid : Out(1)
    table, k_block : Out
    is_mx9 : Out(1)
        Whether the K-block (of channels already in order) holds outliers.
    """
    return wiring.Signature({
        "valid": Out(1), "table": Out(range(max(2, config.tables))),
        "k_block": Out(bits_for(config.k_blocks_max - 1)), "is_mx9": Out(1),
    })


class CalibrationTables(wiring.Component):
    """Keep `config.tables` tables of a channel order and a static tag per K-block.

    Each port does one access per cycle; what is read holds until the next read. A table that is
    written while it is read gives no defined value. There is no initial content. A write to a
    table, a channel or a K-block that the machine does not have is dropped.

    Parameters
    ----------
    config : Config

    Members
    -------
    order_write : In(order_write_signature)
    order : In(order_read_signature)
    tag_write : In(tag_write_signature)
    tag, result_tag : In(tag_read_signature)
        The second one with a vector unit.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "order_write": In(order_write_signature(config)),
            "order": In(order_read_signature(config)),
            "tag_write": In(tag_write_signature(config)),
            "tag": In(tag_read_signature(config)),
            **({"result_tag": In(tag_read_signature(config))} if config.vector_lanes else {}),
        })

    def elaborate(self, platform):
        m = Module()
        depth = self.config.tables * self.config.k_blocks_max
        m.submodules.orders = orders = Sram(
            width=BLOCK_SIZE * place_bits(self.config), depth=depth, granules=BLOCK_SIZE)
        m.submodules.tags = tags = Sram(width=1, depth=depth)

        channel = Signal(CHANNEL_BITS)
        order_exists = self._locate(m, orders.write_addr, self.order_write.table,
                                    self.order_write.channel[CHANNEL_BITS:])
        tag_exists = self._locate(m, tags.write_addr, self.tag_write.table, self.tag_write.k_block)
        m.d.comb += [
            channel.eq(self.order_write.channel[:CHANNEL_BITS]),
            orders.write_en.eq((self.order_write.valid & order_exists) << channel),
            orders.write_data.eq(self.order_write.place.replicate(BLOCK_SIZE)),
            tags.write_en.eq(self.tag_write.valid & tag_exists),
            tags.write_data.eq(self.tag_write.is_mx9),
        ]
        self._locate(m, orders.read_addr, self.order.table, self.order.k_block)
        self._locate(m, tags.read_addr, self.tag.table, self.tag.k_block)
        m.d.comb += [
            orders.read_en.eq(self.order.en), self.order.destinations.eq(orders.read_data),
            tags.read_en.eq(self.tag.en), self.tag.is_mx9.eq(tags.read_data),
        ]
        if self.config.vector_lanes:  # a memory has one read port
            m.submodules.result_tags = copy = Sram(width=1, depth=depth)
            self._locate(m, copy.read_addr, self.result_tag.table, self.result_tag.k_block)
            m.d.comb += [
                copy.write_en.eq(tags.write_en), copy.write_addr.eq(tags.write_addr),
                copy.write_data.eq(tags.write_data), copy.read_en.eq(self.result_tag.en),
                self.result_tag.is_mx9.eq(copy.read_data)]
        return m

    def _locate(self, m, address, table, k_block):
        """Drive the address of a K-block in a table, and tell whether there is one."""
        k_blocks, table_bits = self.config.k_blocks_max, (self.config.tables - 1).bit_length()
        m.d.comb += address.eq(table_address(self.config, table, k_block))
        exists = ~table[table_bits:].any() if table_bits < len(table) else 1
        if k_blocks < 1 << len(k_block):  # a table's last K-blocks need not fill its index
            exists &= k_block < k_blocks
        return exists
