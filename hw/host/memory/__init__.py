"""Software's side of the command ring: NumPy in, NumPy out, over memory.

Tensors are placed into memory as commands read them, lists of commands are run, results are read.
Needs no Amaranth, and of the device no more than `hw.host.memory.device.Device` says::

    from hw.host.memory import RingHost, top

    with RingHost(device, address=0x8000_0000, size=1 << 22) as host:
        memory, commands = host.memory, host.commands()
        x, y = memory.place(tokens), memory.empty((64, 384), "fp16")
        hidden = memory.empty((64, 1536), "mx6")  # stays packed
        commands.gemm(x, memory.place_weights(first), hidden, selection=top(1))
        commands.gemm(hidden, memory.place_weights(second), y)
        host.run(commands)
        print(y.read())

What a command reads of an earlier one's results it waits for. A list runs as often as it is asked
to: ``x.write(...)`` brings it other numbers.
"""

from hw.host.driver_errors import CommandFaultError

from .bus_counters import BusCounters
from .commands import Commands
from .device import Device
from .matrix import Matrix
from .memory import Memory
from .packed import PackedActivations, PackedWeights
from .ring_host import RingHost
from .selection import Choice, above, every, top
from .side import Biases, Order, Tags, Word
from .stages import Stages

__all__ = ["Biases", "BusCounters", "Choice", "CommandFaultError", "Commands", "Device", "Matrix",
           "Memory", "Order", "PackedActivations", "PackedWeights", "RingHost", "Stages", "Tags",
           "Word", "above", "every", "top"]
