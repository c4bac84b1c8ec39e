"""Addresses as they are inside: a bit more than the bus has says that they lie beyond its last."""

import numpy as np


def reached(address: int, address_bits: int) -> int:
    """Give what an address is inside, `address_bits` with that bit, however far it goes."""
    beyond = 1 << address_bits - 1
    return address if address < beyond else beyond | address % beyond


def near_the_last(rng: np.random.Generator, address_bits: int, unit: int = 1, *,
                  most_bits: int = 33) -> int:
    """Draw an address before the last of the bus, or before the one where all bits begin anew.

    Parameters
    ----------
    rng : numpy.random.Generator
    address_bits : int
        Of addresses inside.
    unit : int
        That it is a multiple of.
    most_bits : int
        Of how far before it.
    """
    edge = 1 << address_bits - int(rng.integers(2))
    return edge - unit * (1 + int(rng.integers(1 << int(rng.integers(1, most_bits))) // unit))
