"""How static tags are read from their tables."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for


def tag_read_signature(config):
    """Describe the read side of the static tags, seen from who reads.

    Members
    -------
    en : Out(1)
    table, k_block : Out
    is_mx9 : In(1)
        The tag of the last ``en``, one cycle later.
    """
    return wiring.Signature({
        "en": Out(1), "table": Out(range(max(2, config.tables))),
        "k_block": Out(bits_for(config.k_blocks_max - 1)), "is_mx9": In(1),
    })
