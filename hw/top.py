"""Which top a configuration has."""

from .accelerator import Accelerator
from .memory_accelerator import MemoryAccelerator


def top_of(config):
    """Make the top of a machine: between streams, or, with a bus, between memory and a ring.

    Parameters
    ----------
    config : Config

    Returns
    -------
    wiring.Component
    """
    return MemoryAccelerator(config) if config.bus_bytes else Accelerator(config)
