"""Software's side of the command ring: NumPy in, NumPy out, over memory.

Tensors are placed into memory as commands read them, lists of commands are run, results are read.
Needs no Amaranth, and of the device no more than `hw.host.memory.device.Device` says::

    from hw.host.memory import RingHost, top

    with RingHost(device, address=0x8000_0000, size=1 << 24) as host:
        memory, commands = host.memory, host.commands()
        x = memory.place(tokens)                      # float32, (64, 1152)
        first, second = (memory.place_weights(w) for w in weights)
        hidden = memory.empty((64, 4608), "mx6")      # stays packed
        y = memory.empty((64, 1152), "fp32")
        commands.gemm(x, first, hidden, selection=top(3))
        commands.gemm(hidden, second, y, bias=memory.place_bias(bias))
        host.run(commands)
        print(y.read())                               # float32, (64, 1152)

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

__all__ = ["Biases", "BusCounters", "Choice", "CommandFaultError", "Commands", "Device", "Matrix",
           "Memory", "Order", "PackedActivations", "PackedWeights", "RingHost", "Tags", "Word",
           "above", "every", "top"]
