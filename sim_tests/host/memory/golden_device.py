"""A machine of golden alone behind its ring's registers: the map's rules, and `golden.memory`."""

from collections.abc import Callable

from golden.memory import Fault, Machine, Memory, Ring
from golden.memory.jobs import Output
from hw.contract.config import Config
from hw.host.driver import BusError
from hw.host.memory import Device
from hw.registers.built import build_values
from hw.registers.codes import Refusal, RingCommand, RingEvent
from hw.registers.map import REGISTER, RING_REGISTERS, Access

BY_ADDRESS = {register.address: register for register in RING_REGISTERS}

COUNTS = 1 << 32

BASE, SIZE = 0x8000_0000, 1 << 20

SMALL = Config.sized(rows=4, cols=4, k_max=256, bus_bytes=32, tables=2)


def machine_of(config: Config) -> Machine:
    """Return what of a configuration decides the bytes that commands write."""
    same = ("rows", "cols", "act_bytes", "weight_bytes", "acc_width", "k_max", "act_depth",
            "tile_slots", "tables", "rounding", "float_formats", "address_bits")
    return Machine(outputs=tuple(Output(each.value) for each in config.outputs),
                   has_vector=bool(config.vector_lanes),
                   **{name: getattr(config, name) for name in same})


class GoldenDevice(Device):
    """Answer as a machine with a ring does.

    Parameters
    ----------
    config : Config
    pace : int, optional
        Commands that are carried out while the host waits once; all of them by default, and
        at the doorbell.
    first : int
        Commands that have ended before.
    size : int
        Bytes of memory.

    Attributes
    ----------
    memory : golden.memory.Memory
    calls : list of tuple
        What the host did, in order: names of methods, with registers' names, addresses and sizes.
    owes : int
        Waits until the bus is quiet, from a fault or the end of ENABLE on.
    is_stuck : bool
        No command ends any more.
    hurries : bool
        A command is carried out before each read of a register, too.
    on_wait : callable
        Called at every wait.
    """

    def __init__(self, config: Config = SMALL, pace: int | None = None, first: int = 0,
                 size: int = SIZE) -> None:
        self.config, self.pace = config, pace
        self.memory = Memory()
        self.memory.add(BASE, size)
        self.values = {register.name: register.reset or 0 for register in RING_REGISTERS}
        self.values |= build_values(config)
        self.ring = Ring(machine_of(config), self.memory, BASE, 1, checks_fences=True)
        self.ring.completed = self.ring.tail = first
        self.values["RING_COMPLETED"] = first
        self.calls: list[tuple] = []
        self.owes, self.is_stuck, self.is_locked, self.is_silent = 0, False, False, False
        self.hurries = False
        self.maxima: dict[int, int] = {}
        self.on_wait: Callable[[], None] = lambda: None

    def read_register(self, address: int) -> int:
        register = BY_ADDRESS.get(address)
        if register is None or not register.access.is_readable:
            raise BusError(f"no register is read at {address:#x}")
        if self.hurries:
            self._advance(1)
        if register.name == "RING_STATUS":
            return self._status()
        if register.name == "MAXIMUM":
            return self.maxima[self.values["MAXIMUM_CHANNEL"]]
        return self.values[register.name]

    def write_register(self, address: int, value: int) -> None:
        register = BY_ADDRESS.get(address)
        if register is None or register.access in (Access.CONSTANT, Access.STATE) or (
                register.access is Access.LOCKABLE and self.is_locked):
            raise BusError(f"no register is written at {address:#x}")
        assert 0 <= value < COUNTS
        self.calls.append(("write_register", register.name, value))
        match register.access:
            case Access.EVENT:
                self.values[register.name] &= ~value
            case Access.COMMAND:
                self._command(RingCommand(value))
            case _:
                self._check_still(register.name)
                self.values[register.name] = value & (1 << register.width) - 1
                if register.name == "RING_ENABLE":
                    self._enable()
                elif register.name == "RING_TAIL" and self.pace is None:
                    self._advance(COUNTS)

    def read_memory(self, address: int, size: int) -> bytes:
        self.calls.append(("read_memory", address, size))
        return self.memory.read(address, size)

    def write_memory(self, address: int, data: bytes) -> None:
        self.calls.append(("write_memory", address, len(data)))
        self.memory.write(address, data)

    def wait(self, seconds: float) -> None:
        self.calls.append(("wait", seconds))
        self.on_wait()
        self.owes = max(0, self.owes - 1)
        if self.pace is not None:
            self._advance(self.pace)

    def flush(self, address: int, size: int) -> None:
        self.calls.append(("flush", address, size))

    def invalidate(self, address: int, size: int) -> None:
        self.calls.append(("invalidate", address, size))

    def barrier(self) -> None:
        self.calls.append(("barrier",))

    @property
    def irq(self) -> bool:
        """Whether the interrupt is raised."""
        return bool(self.values["RING_IRQ_PENDING"] & self.values["RING_IRQ_ENABLE"])

    def _long(self, name: str) -> int:
        return self.values[f"{name}_LOW"] | self.values[f"{name}_HIGH"] << 32

    def _check_still(self, name: str) -> None:
        """See that what may change only while the ring is idle does."""
        if name.startswith(("RING_BASE", "RING_SIZE", "BUS_ATTRIBUTES")):
            assert self._status() >> 8 & 1, f"{name} is written while the ring runs"

    def _status(self) -> int:
        fault = self.ring.fault
        stands = bool(fault) or not self.values["RING_ENABLE"]
        return REGISTER["RING_STATUS"].pack(
            fault=fault, idle=stands and not self.owes, waits=self.ring.is_waiting,
            timed_out=self.is_silent, locked=self.is_locked)

    def _enable(self) -> None:
        """Take the settings, as the ring begins to run."""
        ring = self.ring
        if not self.values["RING_ENABLE"]:
            ring.fault, ring.refusal = Fault.NONE, ""
            return
        ring.base, ring.size = self._long("RING_BASE"), 1 << self.values["RING_SIZE_LOG2"]
        ring.window = (-(-self._long("WINDOW_BASE") // 4096) * 4096,
                       self._long("WINDOW_END") // 4096 * 4096)
        ring.notify_address = self._long("NOTIFY_ADDRESS")
        self._advance(COUNTS if self.pace is None else self.pace)

    def _command(self, command: RingCommand) -> None:
        if RingCommand.LOCK in command:
            self.is_locked = True
        if command & (RingCommand.RESUME | RingCommand.SKIP) and self._status() >> 8 & 1:
            self.ring.tail = self.ring.completed
            if RingCommand.SKIP in command:
                self.ring.tail = (self.ring.tail + 1) % COUNTS
                self.ring.skip()
            else:
                self.ring.resume()
            self._advance(0 if self.pace else COUNTS)

    def _advance(self, commands: int) -> None:
        """Carry so many commands out, if there are."""
        ring, before = self.ring, (self.ring.fault, self.ring.interrupts)
        if self.values["RING_ENABLE"] and not self.is_stuck:
            left = (self.values["RING_TAIL"] - ring.completed) % COUNTS
            ring.doorbell(ring.completed + (left if left > ring.size else min(commands, left)))
        if ring.fault and not before[0]:
            self.values["RING_IRQ_PENDING"] |= RingEvent.STOPPED
        if ring.interrupts != before[1]:
            self.values["RING_IRQ_PENDING"] |= RingEvent.MARKED
        self.values["RING_COMPLETED"] = ring.completed
        self.values["REFUSAL"] = Refusal[ring.refusal or "NONE"]
