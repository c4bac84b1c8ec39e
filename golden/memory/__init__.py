"""Commands from memory to memory: what a list of them makes of every byte.

This is the specification of the memory system (docs/commands.md): descriptors as data, a memory of
bytes, and a machine that takes commands from a ring in that memory and writes their results into
it.
"""

from golden.memory.byte_memory import BusError, Memory
from golden.memory.descriptor import Command, Operation
from golden.memory.faults import Fault
from golden.memory.fences import FenceError
from golden.memory.machine import Machine
from golden.memory.ring import Ring

__all__ = ["BusError", "Command", "Fault", "FenceError", "Machine", "Memory", "Operation", "Ring"]
