"""AXI4-Lite access to the registers."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .map import ADDRESS_BITS, REGISTER, REGISTERS
from .model import Access

OKAY, SLVERR = 0b00, 0b10

SETTLING_CYCLES = 4
"""Cycles after a write before the next read, so that MAXIMUM follows MAXIMUM_CHANNEL."""

AXI_LITE = wiring.Signature({
    "awaddr": Out(ADDRESS_BITS), "awprot": Out(3), "awvalid": Out(1), "awready": In(1),
    "wdata": Out(32), "wstrb": Out(4), "wvalid": Out(1), "wready": In(1),
    "bresp": In(2), "bvalid": In(1), "bready": Out(1),
    "araddr": Out(ADDRESS_BITS), "arprot": Out(3), "arvalid": Out(1), "arready": In(1),
    "rdata": In(32), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
})
"""AXI4-Lite with 32-bit data, seen from its manager."""


def register_signature(registers=REGISTERS):
    """Describe what the machine and the registers tell each other, seen from the registers.

    A CONSTANT or STATE register is an input of its width; a SETTING is an output, as is a LOCKABLE,
    which is not written while the input ``locked`` is high, if there is one; a COMMAND is an
    output that is high for the one cycle in which a 1 is written; an EVENT has an input ``…_set``.
    An ENTRY is an output that holds for the one cycle in which the output ``…_write`` is high,
    which it never is while the input ``…_busy`` is. ``…_busy`` may follow from the entry itself,
    which stands a cycle long whether it is written or not, and for one more after that. While the
    input ``entries_wait``, if there is one, is high no entry is written, nor answered.

    Parameters
    ----------
    registers : sequence of Register
    """
    accesses = {register.access for register in registers}
    members = {**({"entries_wait": In(1)} if Access.ENTRY in accesses else {}),
               **({"locked": In(1)} if Access.LOCKABLE in accesses else {})}
    for register in registers:
        name = register.name.lower()
        match register.access:
            case Access.CONSTANT | Access.STATE:
                members[name] = In(register.width)
            case Access.SETTING | Access.LOCKABLE:
                members[name] = Out(register.width, init=register.reset)
            case Access.COMMAND:
                members[name] = Out(register.width)
            case Access.ENTRY:
                members[name] = Out(register.width)
                members[f"{name}_write"] = Out(1)
                members[f"{name}_busy"] = In(1)
            case Access.EVENT:
                members[name] = Out(register.width, init=register.reset)
                members[f"{name}_set"] = In(register.width)
                members[f"{name}_cleared"] = Out(register.width)
    return wiring.Signature(members)


def field_layout(register):
    """Describe a register's bits by its fields' names in lower case."""
    return data.FlexibleLayout(register.width, {
        field.name.lower(): data.Field(field.width, field.low) for field in register.fields})


def fields_of(registers, name, end=""):
    """View a member of `register_signature` by the register's fields.

    Parameters
    ----------
    registers : interface object
        A component's side of `register_signature`.
    name : str
        The register's name in lower case.
    end : str
        What the member's name has behind the register's: "", "_set" or "_cleared".
    """
    return data.View(field_layout(REGISTER[name.upper()]), getattr(registers, f"{name}{end}"))


class CSR(wiring.Component):
    """Answer reads and writes, one of each at a time.

    A write takes effect the cycle after its address and data have arrived. Byte strobes are obeyed.
    A read-only or missing register answers a write with SLVERR and does nothing, a missing or
    write-only one a read; so does an entry that is not taken. Neither ready nor valid depends on an
    input of the same cycle; in reset and in the first cycle after it nothing is ready. Writes are
    at least two cycles apart. A read waits `SETTLING_CYCLES` after a write.

    Parameters
    ----------
    registers : sequence of Register
        That the machine has.

    Members
    -------
    bus : In(AXI_LITE)
    registers : Out(register_signature)
    """

    def __init__(self, registers=REGISTERS):
        self._map = registers
        super().__init__({"bus": In(AXI_LITE), "registers": Out(register_signature(registers))})

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        entries = [register for register in self._map if register.access is Access.ENTRY]

        # Address and data of a write arrive in any order; it happens once both are here and the
        # last answer has been taken. No ready depends on an input of this cycle.
        address, read_address = (Signal(ADDRESS_BITS, name=name, reset_less=True)
                                 for name in ("address", "read_address"))
        data = Signal(32, reset_less=True)
        strobes = Signal(4, reset_less=True)
        has_address = Signal()
        has_data = Signal()
        has_read = Signal()
        is_open = Signal()
        is_entry = Signal(reset_less=True)
        write = Signal()
        read = Signal()
        settling = Signal(range(SETTLING_CYCLES + 1))  # until what was written shows
        m.d.comb += [
            bus.awready.eq(is_open & ~has_address), bus.wready.eq(is_open & ~has_data),
            bus.arready.eq(is_open & ~has_read),
            write.eq(has_address & has_data & ~bus.bvalid
                     & ~(is_entry & self.registers.entries_wait if entries else 0)),
            read.eq(has_read & ~bus.rvalid & (settling == 0)),
        ]
        m.d.sync += is_open.eq(1)
        with m.If(bus.awready):
            m.d.sync += [
                has_address.eq(bus.awvalid), address.eq(bus.awaddr),
                is_entry.eq(Cat(bus.awaddr >> 2 == register.address >> 2
                                for register in entries).any()),
            ]
        with m.If(bus.wready):
            m.d.sync += [has_data.eq(bus.wvalid), data.eq(bus.wdata), strobes.eq(bus.wstrb)]
        with m.If(bus.arready):
            m.d.sync += [has_read.eq(bus.arvalid), read_address.eq(bus.araddr)]
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(settling != 0):
            m.d.sync += settling.eq(settling - 1)
        with m.If(write):
            m.d.sync += [settling.eq(SETTLING_CYCLES), has_address.eq(0), has_data.eq(0),
                         bus.bvalid.eq(1), bus.bresp.eq(SLVERR)]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(read):
            m.d.sync += [bus.rvalid.eq(1), bus.rresp.eq(SLVERR), bus.rdata.eq(0), has_read.eq(0)]

        for register in self._map:
            selected = Signal(name=f"writes_{register.name.lower()}")
            m.d.comb += selected.eq(write & (address >> 2 == register.address >> 2))
            if register.access is Access.ENTRY:
                self._connect_entry(m, register, selected, data, strobes)
            elif register.access not in (Access.CONSTANT, Access.STATE):
                self._connect(m, register, selected, data, strobes)
            if register.access.is_readable:
                with m.If(read & (read_address >> 2 == register.address >> 2)):
                    value = getattr(self.registers, register.name.lower())
                    m.d.sync += [bus.rdata.eq(value), bus.rresp.eq(OKAY)]
        return m

    def _connect(self, m, register, selected, data, strobes):
        """Let a write reach a register."""
        bus, value = self.bus, getattr(self.registers, register.name.lower())
        if register.access is Access.LOCKABLE:
            selected &= ~self.registers.locked
        with m.If(selected):
            m.d.sync += bus.bresp.eq(OKAY)
        written = Signal(register.width, name=f"written_{register.name.lower()}")
        for byte in range(0, register.width, 8):
            part = slice(byte, min(byte + 8, register.width))
            strobe = selected & strobes[byte // 8]
            match register.access:
                case Access.SETTING | Access.LOCKABLE:
                    with m.If(strobe):
                        m.d.sync += value[part].eq(data[part])
                case _:
                    m.d.comb += written[part].eq(Mux(strobe, data[part], 0))
        if register.access is Access.COMMAND:
            m.d.comb += value.eq(written)
        if register.access is Access.EVENT:
            arrives = getattr(self.registers, f"{register.name.lower()}_set")
            m.d.comb += getattr(self.registers, f"{register.name.lower()}_cleared").eq(written)
            m.d.sync += value.eq(value & ~written | arrives)

    def _connect_entry(self, m, register, selected, data, strobes):
        """Let a whole-word write hand over its value, if it can be taken."""
        name = register.name.lower()
        write, busy = (getattr(self.registers, f"{name}_{end}") for end in ("write", "busy"))
        m.d.comb += [
            getattr(self.registers, name).eq(data),
            write.eq(selected & strobes.all() & ~busy),
        ]
        with m.If(write):
            m.d.sync += self.bus.bresp.eq(OKAY)
