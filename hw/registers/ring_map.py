"""The registers of the command ring and of its bus, as data."""

from golden.memory.faults import Fault

from .codes import RingCommand, RingEvent
from .model import Access, Field, Register, consecutive, flag_fields, whole

FAULT_BITS = max(Fault).bit_length()

MARKED, STOPPED = 0, 1
"""Bits of RING_IRQ_PENDING and RING_IRQ_ENABLE, in the order of `RingEvent`."""

SETTINGS = consecutive(
    0x200, Access.SETTING,
    ("RING_ENABLE", (Field("ENABLE", 0, 1, "Carry commands out. Cleared: what is under way is "
                           "dropped, and IDLE says when the bus is quiet."),),
     "Whether the ring runs."),
    whole("RING_TAIL", "The doorbell: the count of all commands so far."),
    whole("RING_BASE_LOW", "Address of the ring, a multiple of 64; changed while it is IDLE."),
    whole("RING_BASE_HIGH", "Its upper word."),
    whole("RING_SIZE_LOG2", "The ring has two to this of descriptors; changed while it is IDLE.",
          width=5),
    whole("NOTIFY_ADDRESS_LOW", "Where commands with NOTIFY write the count of ended commands: a "
          "multiple of 4."),
    whole("NOTIFY_ADDRESS_HIGH", "Its upper word."),
    whole("BUS_TIMEOUT", "Cycles without anything happening on the bus that owes something, after "
          "which the ring stops with TIMEOUT; 0: never."),
    ("BUS_ATTRIBUTES", (
        Field("ARCACHE", 0, 4, "Of every read."), Field("ARPROT", 4, 3, "Of every read."),
        Field("AWCACHE", 8, 4, "Of every write."), Field("AWPROT", 12, 3, "Of every write."),
    ), "What the bus is told of every access; changed while the ring is IDLE.", 0x0303),
    ("RING_IRQ_ENABLE", flag_fields(RingEvent), "Which bits of RING_IRQ_PENDING raise irq."),
)

WINDOW = consecutive(
    0x230, Access.LOCKABLE,
    whole("WINDOW_BASE_LOW", "First address that the machine may touch, rounded up to a multiple "
          "of 4096."),
    whole("WINDOW_BASE_HIGH", "Its upper word."),
    whole("WINDOW_END_LOW", "First address above the window, rounded down to a multiple of 4096.",
          reset=0xFFFFFFFF),
    whole("WINDOW_END_HIGH", "Its upper word.", reset=0xFFFFFFFF),
)

CONTROL = (
    Register("RING_CONTROL", 0x240, Access.COMMAND, flag_fields(RingCommand), "Commands."),
    Register("RING_IRQ_PENDING", 0x244, Access.EVENT, flag_fields(RingEvent), "What happened."),
)

STATE = consecutive(
    0x248, Access.STATE,
    ("RING_STATUS", (
        Field("FAULT", 0, FAULT_BITS, "Why the ring stands still at the command RING_COMPLETED; 0: "
              "it does not.", Fault),
        Field("IDLE", 8, 1, "It stands still, and the bus is quiet."),
        Field("WAITS", 9, 1, "A WAIT whose word has not come holds commands up."),
        Field("TIMED_OUT", 10, 1, "The bus has been silent for BUS_TIMEOUT cycles, and still is."),
        Field("LOCKED", 11, 1, "The window stays what it is until a reset."),
    ), "What the ring is doing."),
    whole("RING_COMPLETED", "Commands that have ended, modulo 2^32."),
)

BUS_COUNTERS = (
    ("READ_BURSTS", "Reads that the bus has taken."),
    ("READ_BEATS", "Words that it has brought."),
    ("READ_STALLS", "Cycles in which a read was offered and not taken."),
    ("READ_OWED", "Reads that the bus owed, summed over cycles: by READ_BURSTS, their latency."),
    ("WRITE_BURSTS", "Writes that the bus has taken."),
    ("WRITE_BEATS", "Words that it has taken."),
    ("WRITE_STALLS", "Cycles in which a write or a word was offered and not taken."),
    ("WRITE_OWED", "Writes without an answer, summed over cycles: by WRITE_BURSTS, their latency."),
)
"""Counters that run from reset on, modulo 2^32."""

COUNTERS = consecutive(0x260, Access.STATE, *(whole(*row) for row in BUS_COUNTERS))

RING = (*SETTINGS, *WINDOW, *CONTROL, *STATE, *COUNTERS)
