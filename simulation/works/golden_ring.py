"""What golden's ring makes of a memory, beside the machine's own."""

import numpy as np
from numpy.typing import NDArray

from golden.memory import Machine, Memory, Ring
from golden.memory.descriptor import BYTES
from golden.memory.jobs import Output
from hw.contract.config import Config

_SAME = ("rows", "cols", "act_bytes", "weight_bytes", "acc_width", "k_max", "act_depth",
         "tile_slots", "tables", "rounding", "float_formats", "address_bits")


def machine_of(config: Config) -> Machine:
    """Return what of a configuration decides the bytes that commands write."""
    return Machine(outputs=tuple(Output(each.value) for each in config.outputs),
                   has_vector=bool(config.vector_lanes),
                   **{name: getattr(config, name) for name in _SAME})


def carried_out(config: Config, before: NDArray[np.uint8], base: int, ring: tuple[int, int],
                first: int, commands: int) -> NDArray[np.uint8]:
    """Carry commands out, and return what memory holds then.

    Parameters
    ----------
    config : Config
    before : ndarray of uint8
        What memory held, with the commands in their ring.
    base : int
        Address of its first byte.
    ring : (int, int)
        Address and bytes of the ring.
    first, commands : int
        Commands that had ended before, and that are carried out.

    Raises
    ------
    ValueError
        If one of them has a fault.
    """
    memory = Memory()
    data = memory.add(base, len(before))
    data[:] = before
    golden_ring = Ring(machine_of(config), memory, ring[0], ring[1] // BYTES,
                       window=(base, base + len(before)))
    golden_ring.completed = golden_ring.tail = first
    golden_ring.doorbell(first + commands)
    if golden_ring.fault:
        raise ValueError(f"command {golden_ring.completed} has the fault "
                         f"{golden_ring.fault.name} {golden_ring.refusal}")
    return data
