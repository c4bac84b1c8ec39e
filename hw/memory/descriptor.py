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

ADDRESS_PLACES = tuple(
    8 * WORD_BYTES * field.word for field in BASE_FIELDS if field.width == ADDRESS_BITS)
"""First bits of the fields that hold addresses."""


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
