"""A command's descriptor as hardware sees it: views made of the data that software packs by."""

from amaranth.lib import data

from golden.memory.descriptor import (
    BASE_FIELDS,
    FIELDS,
    RESERVED,
    RESERVED_WITH_VECTOR,
    WORD_BYTES,
    WORDS,
)

DESCRIPTOR_BITS = 8 * WORD_BYTES * WORDS

ADDRESS_BITS = 64
"""Of an address in a descriptor."""


class Descriptor:
    """What a machine looks at in a descriptor.

    Parameters
    ----------
    fields : sequence of golden.memory.descriptor.Field
    reserved : dict of Operation to int
        Operations that there are, and for each the bits that must be zero.

    Attributes
    ----------
    bits : int
        From the first field to the last; all beyond are zero in every descriptor.
    layout : FlexibleLayout
        Every field by its name in lower case.
    places : dict of str to int
        First bits of the fields that hold addresses, by their names.
    stepped : tuple of str
        Addresses that have steps.
    """

    def __init__(self, fields, reserved):
        self.reserved = reserved
        at = {field.name.lower(): data.Field(field.width, 8 * WORD_BYTES * field.word + field.low)
              for field in fields}
        self.bits = max(each.offset + each.width for each in at.values())
        self.layout = data.FlexibleLayout(self.bits, at)
        self.places = {name: each.offset for name, each in at.items()
                       if each.width == ADDRESS_BITS}
        self.stepped = tuple(name for name in self.places if f"{name}_step_0" in at)


PLAIN = Descriptor(BASE_FIELDS, RESERVED)
"""Of machines without a vector unit."""

WITH_VECTOR = Descriptor(FIELDS, RESERVED_WITH_VECTOR)


def descriptor_of(config):
    """Give what a machine looks at."""
    return WITH_VECTOR if config.vector_lanes else PLAIN


def read_layout(descriptor):
    """Describe a descriptor that has been read.

    Members
    -------
    bits : unsigned(descriptor.bits)
        Of an address the bits of the bus, and one above them that says whether any above is set.
    reserved : unsigned
        For each operation that there is, in its order: a bit is set that must be zero.
    resp : unsigned(2)
        The largest answer of the bus for a part of it.
    """
    return data.StructLayout({
        "bits": descriptor.bits, "reserved": len(descriptor.reserved), "resp": 2})


def renewal_layout(descriptor, address_bits):
    """Describe where the next round of a command's iterations begins.

    Members
    -------
    valid : unsigned(1)
        The descriptor on offer is to say so from the next cycle on.
    a, b, c, … : unsigned(address_bits)
        Addresses with their reach, for which an address of 64 bits has no place.
    """
    return data.StructLayout({"valid": 1, **dict.fromkeys(descriptor.stepped, address_bits)})
