"""A command's descriptor as hardware sees it: views made of the data that software packs by."""

from amaranth.lib import data

from golden.memory.descriptor import BASE_FIELDS, RESERVED, WORD_BYTES, WORDS

DESCRIPTOR_BITS = 8 * WORD_BYTES * WORDS
FIELD_BITS = max(8 * WORD_BYTES * field.word + field.low + field.width for field in BASE_FIELDS)
"""Bits from the first field to the last; all beyond are zero in every descriptor."""

ADDRESS_BITS = 64
"""Of an address in a descriptor."""

DESCRIPTOR = data.FlexibleLayout(FIELD_BITS, {
    field.name.lower(): data.Field(field.width, 8 * WORD_BYTES * field.word + field.low)
    for field in BASE_FIELDS})
"""Every field by its name in lower case."""

PLACES = {field.name.lower(): 8 * WORD_BYTES * field.word
          for field in BASE_FIELDS if field.width == ADDRESS_BITS}
"""First bits of the fields that hold addresses, by their names."""


def read_layout():
    """Describe a descriptor that has been read.

    Members
    -------
    bits : unsigned(FIELD_BITS)
        Of an address the bits of the bus, and one above them that says whether any above is set.
    reserved : unsigned
        For each operation of `RESERVED`, in its order: a bit is set that must be zero.
    resp : unsigned(2)
        The largest answer of the bus for a part of it.
    """
    return data.StructLayout({"bits": FIELD_BITS, "reserved": len(RESERVED), "resp": 2})


STEPPED = ("a", "b", "c", "bias")
"""Addresses that have steps."""


def renewal_layout(address_bits):
    """Describe where the next round of a command's iterations begins.

    Members
    -------
    valid : unsigned(1)
        The descriptor on offer is to say so from the next cycle on.
    a, b, c, bias : unsigned(address_bits)
        Addresses with their reach, for which an address of 64 bits has no place.
    """
    return data.StructLayout({"valid": 1, **dict.fromkeys(STEPPED, address_bits)})
