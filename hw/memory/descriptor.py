"""A command's descriptor as hardware sees it: views made of the data that software packs by."""

from amaranth.lib import data

from golden.memory.descriptor import BASE_FIELDS, RESERVED, WORD_BYTES, WORDS

DESCRIPTOR_BITS = 8 * WORD_BYTES * WORDS

ADDRESS_BITS = 64
"""Of an address in a descriptor."""

DESCRIPTOR = data.FlexibleLayout(DESCRIPTOR_BITS, {
    field.name.lower(): data.Field(field.width, 8 * WORD_BYTES * field.word + field.low)
    for field in BASE_FIELDS})
"""Every field by its name in lower case."""

ADDRESS_PLACES = tuple(
    8 * WORD_BYTES * field.word for field in BASE_FIELDS if field.width == ADDRESS_BITS)
"""First bits of the fields that hold addresses."""

FIELD_BITS = max(8 * WORD_BYTES * field.word + field.low + field.width for field in BASE_FIELDS)
"""Bits from the first field to the last; all beyond are zero in every descriptor."""

RESERVED_BITS = {operation: [bit for bit in range(DESCRIPTOR_BITS) if mask >> bit & 1]
                 for operation, mask in RESERVED.items()}
"""Bits that have to be zero, by operation."""
