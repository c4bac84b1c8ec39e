"""What the machine under test knows of a descriptor."""

from hw.memory.descriptor import PLAIN, WITH_VECTOR, Descriptor
from sim_tests import drive

KNOWN = {"plain": PLAIN, "vector": WITH_VECTOR}
"""By the name that a bench is handed as `descriptor`."""


def known() -> Descriptor:
    """Return what the bench was handed, inside the simulator."""
    return KNOWN[drive.parameters()["descriptor"]]
