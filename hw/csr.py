"""AXI4-Lite access to the registers."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .registers import ADDRESS_BITS, REGISTERS, Access

OKAY, SLVERR = 0b00, 0b10

AXI_LITE = wiring.Signature({
    "awaddr": Out(ADDRESS_BITS), "awprot": Out(3), "awvalid": Out(1), "awready": In(1),
    "wdata": Out(32), "wstrb": Out(4), "wvalid": Out(1), "wready": In(1),
    "bresp": In(2), "bvalid": In(1), "bready": Out(1),
    "araddr": Out(ADDRESS_BITS), "arprot": Out(3), "arvalid": Out(1), "arready": In(1),
    "rdata": In(32), "rresp": In(2), "rvalid": In(1), "rready": Out(1),
})
"""AXI4-Lite with 32-bit data, seen from its manager."""


def register_signature():
    """Describe what the machine and the registers tell each other, seen from the registers.

    A CONSTANT or STATE register is an input of its width; a SETTING is an output; a COMMAND is an
    output that is high for the one cycle in which a 1 is written; an EVENT has an input ``…_set``.
    """
    members = {}
    for register in REGISTERS:
        name = register.name.lower()
        match register.access:
            case Access.CONSTANT | Access.STATE:
                members[name] = In(register.width)
            case Access.SETTING | Access.COMMAND:
                members[name] = Out(register.width)
            case Access.EVENT:
                members[name] = Out(register.width)
                members[f"{name}_set"] = In(register.width)
                members[f"{name}_cleared"] = Out(register.width)
    return wiring.Signature(members)


class CSR(wiring.Component):
    """Answer reads and writes, one of each at a time.

    A write takes effect in the cycle in which address and data are accepted. Byte strobes are
    obeyed. A read-only or missing register answers a write with SLVERR and does nothing, a missing
    or write-only one a read.

    Members
    -------
    bus : In(AXI_LITE)
    registers : Out(register_signature())
    """

    bus: In(AXI_LITE)
    registers: Out(register_signature())

    def elaborate(self, platform):
        m = Module()
        bus = self.bus

        # Write: address and data are accepted together, once the last answer has been taken.
        write = Signal()
        m.d.comb += [
            write.eq(bus.awvalid & bus.wvalid & (~bus.bvalid | bus.bready)),
            bus.awready.eq(write), bus.wready.eq(write),
        ]
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(write):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(SLVERR)]

        read = Signal()
        m.d.comb += [read.eq(bus.arvalid & (~bus.rvalid | bus.rready)), bus.arready.eq(read)]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(read):
            m.d.sync += [bus.rvalid.eq(1), bus.rresp.eq(SLVERR), bus.rdata.eq(0)]

        for register in REGISTERS:
            selected = Signal(name=f"writes_{register.name.lower()}")
            m.d.comb += selected.eq(write & (bus.awaddr >> 2 == register.address >> 2))
            self._connect(m, register, selected)
            with m.If(read & (bus.araddr >> 2 == register.address >> 2)):
                if register.access is not Access.COMMAND:
                    value = getattr(self.registers, register.name.lower())
                    m.d.sync += [bus.rdata.eq(value), bus.rresp.eq(OKAY)]
        return m

    def _connect(self, m, register, selected):
        """Let a write reach a register."""
        bus, value = self.bus, getattr(self.registers, register.name.lower())
        if register.access in (Access.CONSTANT, Access.STATE):
            return
        with m.If(selected):
            m.d.sync += bus.bresp.eq(OKAY)
        written = Signal(register.width, name=f"written_{register.name.lower()}")
        for byte in range(0, register.width, 8):
            part = slice(byte, min(byte + 8, register.width))
            strobe = selected & bus.wstrb[byte // 8]
            match register.access:
                case Access.SETTING:
                    with m.If(strobe):
                        m.d.sync += value[part].eq(bus.wdata[part])
                case _:
                    m.d.comb += written[part].eq(Mux(strobe, bus.wdata[part], 0))
        if register.access is Access.COMMAND:
            m.d.comb += value.eq(written)
        if register.access is Access.EVENT:
            arrives = getattr(self.registers, f"{register.name.lower()}_set")
            m.d.comb += getattr(self.registers, f"{register.name.lower()}_cleared").eq(written)
            m.d.sync += value.eq(value & ~written | arrives)
