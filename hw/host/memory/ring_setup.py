"""Settings of a command ring, written while it stands still."""

from golden.arguments import whole
from golden.memory.descriptor import BYTES
from hw.contract.config import PAGE_BYTES
from hw.host.driver_errors import MachineError, NoMachineError
from hw.registers.codes import RingCommand, RingEvent
from hw.registers.map import REGISTER

from .memory import Memory
from .registers import NamedRegisters
from .side import Word
from .store import Block

MOST_SIZE_LOG2 = (1 << REGISTER["RING_SIZE_LOG2"].width) - 1

EVENTS = sum(event.value for event in RingEvent)
"""All bits of RING_IRQ_PENDING."""


def check_machine(values: dict[str, int], address: int, size: int) -> None:
    """Refuse a machine without a ring, and memory that its bus does not have.

    Raises
    ------
    NoMachineError, ValueError
    """
    if not values["BUS_BYTES"]:
        raise NoMachineError("the machine stands between streams, and has no ring: BUS_BYTES is 0")
    for name, value in (("address", address), ("size", size)):
        if value % PAGE_BYTES:
            raise ValueError(f"the memory's {name} must be a multiple of {PAGE_BYTES}, as the "
                             f"window's is, not {value:#x}")
    if address + size > 1 << values["ADDRESS_BITS"]:
        raise ValueError(f"{size:#x} bytes at {address:#x} end beyond the {values['ADDRESS_BITS']} "
                         "bits of the bus's addresses")


def ring_block(memory: Memory, size: int) -> Block:
    """Make room for a ring of some descriptors.

    Raises
    ------
    TypeError, ValueError
        If the size is no power of two, or too large.
    """
    size = whole(size, "ring_size", least=1)
    if size & (size - 1) or size.bit_length() - 1 > MOST_SIZE_LOG2:
        raise ValueError(f"ring_size must be a power of two up to 2^{MOST_SIZE_LOG2}, not {size}")
    return memory.allocate(size * BYTES)


def set_window(registers: NamedRegisters, address: int, end: int, lock: bool) -> None:
    """Let the machine touch nothing but a range; a window that is locked must hold it.

    Raises
    ------
    ValueError
        If it does not.
    """
    if registers.fields("RING_STATUS")["locked"]:
        first, last = (registers.read_long(f"WINDOW_{name}") for name in ("BASE", "END"))
        if address < -(-first // PAGE_BYTES) * PAGE_BYTES or end > last // PAGE_BYTES * PAGE_BYTES:
            raise ValueError(f"the window is locked from {first:#x} to {last:#x}, and the memory "
                             f"from {address:#x} to {end:#x} is not in it: reset the machine, or "
                             "take memory inside")
        return
    registers.write_long("WINDOW_BASE", address)
    registers.write_long("WINDOW_END", end)
    if lock:
        registers.write("RING_CONTROL", RingCommand.LOCK.value)


def set_ring(
    registers: NamedRegisters, ring: Block, notify: Word, bus_timeout: int,
    attributes: dict[str, int],
) -> None:
    """Write all that does not change while the ring runs."""
    registers.write_long("RING_BASE", ring.address)
    registers.write("RING_SIZE_LOG2", (ring.size // BYTES).bit_length() - 1)
    registers.write_long("NOTIFY_ADDRESS", notify.address)
    registers.write("BUS_TIMEOUT", REGISTER["BUS_TIMEOUT"].pack(
        value=whole(bus_timeout, "bus_timeout", least=0)))
    bus = REGISTER["BUS_ATTRIBUTES"]
    registers.write(bus.name, bus.pack(**(bus.unpack(bus.reset) | {
        name: whole(value, name, least=0) for name, value in attributes.items()})))
    registers.write("RING_IRQ_PENDING", EVENTS)
    registers.write("RING_IRQ_ENABLE", EVENTS)


def check_set(registers: NamedRegisters, notify: Word) -> None:
    """See that the settings are still there.

    Raises
    ------
    MachineError
        If they are not.
    """
    if registers.read("NOTIFY_ADDRESS_LOW") != notify.address & 0xFFFFFFFF:
        raise MachineError("the ring's settings are gone: the machine was reset, or somebody else "
                           "uses its ring; open it anew")
