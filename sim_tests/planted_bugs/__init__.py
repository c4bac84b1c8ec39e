"""Mistakes that somebody could make, and the tests that have to notice them.

Each is a replacement in the sources; `command` plants them one at a time.
"""

from . import golden_model, hosts, machine, memory_system, vector_unit
from .bug import Bug

BUGS = (*golden_model.BUGS, *machine.BUGS, *vector_unit.BUGS, *memory_system.BUGS, *hosts.BUGS)

__all__ = ["BUGS", "Bug"]
