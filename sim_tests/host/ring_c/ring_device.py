"""Registers of a ring with golden's ring behind them, and the memory that it works on."""

from golden.memory import Fault, Memory, Ring
from hw.contract.config import Config
from hw.host.driver import BusError
from hw.registers.codes import Refusal, RingCommand, RingEvent
from hw.registers.map import IDENTIFICATION, REGISTER, RING_REGISTERS, VERSION, Access
from sim_tests.host.register_stand_in import build_parameters
from sim_tests.memory.lists import machine_of

BASE, SIZE = 0x12_3456_0000, 1 << 20
"""Where the machine sees the memory that it shares with the host."""

CONFIG = Config.sized(rows=4, cols=4, k_max=256, bus_bytes=16, tables=2)

BY_ADDRESS = {register.address: register for register in RING_REGISTERS}

QUIET = ("RING_BASE_LOW", "RING_BASE_HIGH", "RING_SIZE_LOG2", "BUS_ATTRIBUTES")
"""Changed while the ring is idle."""

_WORD = (1 << 32) - 1


class RingDevice:
    """Answer as a machine with a ring does; what it is asked for takes a while.

    Parameters
    ----------
    lag : int
        Reads of RING_COMPLETED and RING_STATUS until commands have been carried out.
    rest : int
        Such reads until a ring that was stopped is idle.

    Attributes
    ----------
    values : dict of str to int
        What the registers hold.
    memory : Memory
    ring : Ring
    events : list of str
        What the host did, in order: names of registers that it wrote, and of cache hooks.
    """

    def __init__(self, config: Config = CONFIG, *, lag: int = 0, rest: int = 0) -> None:
        self.values = {register.name: register.reset or 0 for register in RING_REGISTERS}
        self.values |= build_parameters(config)
        self.values |= {"ID": IDENTIFICATION, "VERSION": VERSION}
        self.machine, self.lag, self.rest = machine_of(config), lag, rest
        self.memory = Memory()
        self.data = self.memory.add(BASE, SIZE)
        self.ring = Ring(self.machine, self.memory, BASE, 1)
        self.events: list[str] = []
        self.is_locked, self._due, self._restless = False, None, 0

    @property
    def irq(self) -> bool:
        """The interrupt."""
        return bool(self.values["RING_IRQ_PENDING"] & self.values["RING_IRQ_ENABLE"])

    def address(self, name: str) -> int:
        """Return what a pair of registers holds."""
        return self.values[f"{name}_LOW"] | self.values[f"{name}_HIGH"] << 32

    def read(self, address: int) -> int:
        """Read a register."""
        register = BY_ADDRESS.get(address)
        if register is None or not register.access.is_readable:
            raise BusError(f"no register is read at {address:#x}")
        if register.name in ("RING_STATUS", "RING_COMPLETED"):
            self._pass_time()
        return self.values[register.name]

    def write(self, address: int, value: int) -> None:
        """Write a register."""
        register = BY_ADDRESS.get(address)
        if register is None or register.access in (Access.CONSTANT, Access.STATE):
            raise BusError(f"no register is written at {address:#x}")
        if register.access is Access.LOCKABLE and self.is_locked:
            raise BusError(f"{register.name} is locked")
        assert self.is_idle or register.name not in QUIET, f"{register.name} while it is not idle"
        was_enabled = self.values["RING_ENABLE"]
        if register.access is Access.EVENT:
            self.values[register.name] &= ~value
        elif register.access is Access.COMMAND:
            self._command(RingCommand(value))
        else:
            self.values[register.name] = value & (1 << register.width) - 1
        if register.name == "RING_TAIL" and was_enabled:
            assert self.events[-1] == "barrier", "a doorbell that may pass what it announces"
            self._begin()
        if register.name == "RING_ENABLE" and value != was_enabled:
            (self._turn_on if value else self._turn_off)()
        self.events.append(register.name)
        self._show()

    def clean(self, offset: int, data: bytes) -> None:
        """Take what the host wrote."""
        self.events.append("clean")
        self.memory.write(BASE + offset, data)

    def invalidate(self, offset: int, size: int) -> bytes:
        """Give what the machine wrote."""
        self.events.append("invalidate")
        return self.memory.read(BASE + offset, size)

    def barrier(self) -> None:
        """Note that the host lets nothing pass."""
        self.events.append("barrier")

    @property
    def is_idle(self) -> bool:
        """Whether the ring stands still, and the bus is quiet."""
        stands = not self.values["RING_ENABLE"] or self.ring.fault is not Fault.NONE
        return bool(stands and not self._restless)

    def _turn_on(self) -> None:
        old, size = self.ring, 1 << self.values["RING_SIZE_LOG2"]
        page = (1 << 12) - 1
        window = ((self.address("WINDOW_BASE") + page) & ~page, self.address("WINDOW_END") & ~page)
        self.ring = Ring(self.machine, self.memory, self.address("RING_BASE"), size,
                         window=window, notify_address=self.address("NOTIFY_ADDRESS"),
                         checks_fences=True)
        self.ring.completed, self.ring.interrupts = old.completed, old.interrupts
        self.ring.tables = old.tables
        self._begin()

    def _turn_off(self) -> None:
        """Drop what is under way."""
        self.ring.fault, self.ring.is_waiting, self._due = Fault.NONE, False, None
        self._restless = max(self._restless, self.rest)

    def _begin(self) -> None:
        self._due = self.lag
        self._carry_out()

    def _pass_time(self) -> None:
        if self._restless:
            self._restless -= 1
        elif self._due or self.ring.is_waiting:
            self._due = max((self._due or 0) - 1, 0)
            self._carry_out()
        self._show()

    def _carry_out(self) -> None:
        """Carry out all that can be, once its time has come."""
        if self._due != 0 or self.ring.fault is not Fault.NONE:
            return
        self._due, marked = None, self.ring.interrupts
        self.ring.doorbell(self.values["RING_TAIL"])
        if self.ring.interrupts != marked:
            self.values["RING_IRQ_PENDING"] |= RingEvent.MARKED
        if self.ring.fault is not Fault.NONE:
            self.values["RING_IRQ_PENDING"] |= RingEvent.STOPPED
            self._restless = self.rest
            self.values["REFUSAL"] = Refusal[self.ring.refusal] if self.ring.refusal else 0

    def _command(self, command: RingCommand) -> None:
        if RingCommand.LOCK in command:
            self.is_locked = True
        if not (self.ring.fault and self.is_idle):
            return  # nobody listens
        if RingCommand.SKIP in command:
            self.ring.completed = (self.ring.completed + 1) & _WORD
        if command & (RingCommand.SKIP | RingCommand.RESUME):
            self.ring.fault, self.ring.refusal = Fault.NONE, ""
            self._begin()

    def _show(self) -> None:
        self.values["RING_COMPLETED"] = self.ring.completed
        self.values["RING_STATUS"] = REGISTER["RING_STATUS"].pack(
            fault=self.ring.fault, idle=self.is_idle, waits=self.ring.is_waiting,
            timed_out=self.ring.fault is Fault.TIMEOUT, locked=self.is_locked)
