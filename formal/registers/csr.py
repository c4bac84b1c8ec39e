"""Proof of `hw.registers.csr`."""

from amaranth import Cat, Mux, Signal, Value

import hw.registers.csr as module
from formal.harness import Harness
from formal.proof import Mutant, Proof
from hw.registers.map import ADDRESS_BITS, REGISTERS, RING_REGISTERS, Access

OKAY, SLVERR = 0, 2

ADDRESS, DATA, READ = ("awvalid", "awready", "awaddr"), ("wvalid", "wready", "wdata", "wstrb"), (
    "arvalid", "arready", "araddr")
ANSWER, RESULT = ("bvalid", "bready", "bresp"), ("rvalid", "rready", "rdata", "rresp")
"""Channels of AXI4-Lite: valid, ready, payload."""


class CSRHarness(Harness):
    """A host of any kind, and a machine whose states, events and tables do anything.

    What the host asked for is remembered from the pins alone; from that alone follows what every
    register must hold and every answer say.
    """

    registers_of = REGISTERS

    def prove(self, m):
        m.submodules.dut = dut = module.CSR(self.registers_of)
        self.bus, self.registers = dut.bus, dut.registers
        self.free_inputs(m, dut)
        for channel in (ADDRESS, DATA, READ):
            waits, before, now = self._channel(m, channel)
            self.assume(m, ~waits | now & (before == self._payload(channel)))
        for channel in (ANSWER, RESULT):
            waits, before, now = self._channel(m, channel)
            self.check(m, f"{channel[0]}_stays", ~waits | now & (before == self._payload(channel)))
        self._remember(m)
        self._answer_once(m)
        for register in self.registers_of:
            self._write(m, register)
        self._answers_say(m)

    def _payload(self, channel):
        return Cat(getattr(self.bus, name) for name in channel[2:])

    def _channel(self, m, channel):
        valid, ready = (getattr(self.bus, name) for name in channel[:2])
        payload = self._payload(channel)
        waits = Signal(name=f"{channel[0]}_waits")
        before = Signal(len(payload), name=f"{channel[0]}_before")
        m.d.sync += [waits.eq(valid & ~ready), before.eq(payload)]
        return waits, before, valid

    def _remember(self, m):
        """Hold the write and the read that were asked for, and not yet carried out."""
        bus = self.bus
        self.has_address = Signal()
        self.has_data = Signal()
        self.has_read = Signal()
        self.address = Signal(ADDRESS_BITS)
        self.read_address = Signal(ADDRESS_BITS)
        self.data = Signal(32)
        self.strobes = Signal(4)
        opened = Signal()
        m.d.sync += opened.eq(1)
        self.check(m, "opened", self.look("dut.is_open") == opened)
        self.happens, self.is_read = self.look("dut.write"), self.look("dut.read")
        for has, done, channel, values in (
                (self.has_address, self.happens, ADDRESS, (self.address,)),
                (self.has_data, self.happens, DATA, (self.data, self.strobes)),
                (self.has_read, self.is_read, READ, (self.read_address,))):
            valid, ready = (getattr(bus, name) for name in channel[:2])
            with m.If(done):
                m.d.sync += has.eq(0)
            with m.If(valid & ready):
                m.d.sync += [has.eq(1), Cat(values).eq(self._payload(channel))]
            self.check(m, f"{channel[1]}_from_registers", ready == (opened & ~has))
        for name, mine in (("has_address", self.has_address), ("has_data", self.has_data),
                           ("has_read", self.has_read)):
            self.check(m, name, self.look(f"dut.{name}") == mine)
        self.check(m, "address", ~self.has_address
                   | (self.look("dut.address", ADDRESS_BITS) == self.address))
        self.check(m, "data", ~self.has_data | (Cat(self.look("dut.data", 32),
                                                    self.look("dut.strobes", 4))
                                                == Cat(self.data, self.strobes)))
        self.check(m, "read_address", ~self.has_read
                   | (self.look("dut.read_address", ADDRESS_BITS) == self.read_address))
        self.check(m, "is_entry", ~self.has_address
                   | (self.look("dut.is_entry") == self._is_at(self.address, Access.ENTRY)))

    def _is_at(self, address, *accesses):
        return Cat(address >> 2 == register.address >> 2 for register in self.registers_of
                   if register.access in accesses).any()

    def _has(self, access):
        return any(register.access is access for register in self.registers_of)

    def _answer_once(self, m):
        """Carry out a write when both halves are there, a read when nothing settles."""
        bus = self.bus
        may_wait = (self.registers.entries_wait & self._is_at(self.address, Access.ENTRY)
                    if self._has(Access.ENTRY) else 0)
        settling = self.look("dut.settling", module.SETTLING_CYCLES.bit_length())
        self.check(m, "write_happens", self.happens
                   == (self.has_address & self.has_data & ~bus.bvalid & ~may_wait))
        self.check(m, "read_happens", self.is_read
                   == (self.has_read & ~bus.rvalid & (settling == 0)))
        self.check(m, "settles", settling <= module.SETTLING_CYCLES)
        for happens, valid, ready in ((self.happens, bus.bvalid, bus.bready),
                                      (self.is_read, bus.rvalid, bus.rready)):
            owes = Signal(name=f"owes_{valid.name}")
            m.d.sync += owes.eq(happens | owes & ~(valid & ready))
            self.cover(m, valid.name, valid & ready)
            self.check(m, f"one_{valid.name}", valid == owes)

    def _write(self, m, register):
        """Keep what a register must hold, byte by byte, and compare."""
        name = register.name.lower()
        hit = self.happens & (self.address >> 2 == register.address >> 2)
        if register.access is Access.LOCKABLE:
            hit &= ~self.registers.locked
        strobed = Cat(self.strobes[bit // 8] for bit in range(register.width))
        data, value = self.data[:register.width], getattr(self.registers, name)
        written = Mux(hit, data & strobed, 0)
        if register.access in (Access.SETTING, Access.LOCKABLE):
            kept = Signal(register.width, init=register.reset, name=f"kept_{name}")
            with m.If(hit):
                m.d.sync += kept.eq(kept & ~strobed | data & strobed)
            self.check(m, name, Value.cast(value) == kept)
        elif register.access is Access.COMMAND:
            self.check(m, name, Value.cast(value) == written)
        elif register.access is Access.EVENT:
            kept = Signal(register.width, name=f"kept_{name}")
            m.d.sync += kept.eq(kept & ~written | getattr(self.registers, f"{name}_set"))
            self.check(m, name, (Value.cast(value) == kept)
                       & (getattr(self.registers, f"{name}_cleared") == written))
        elif register.access is Access.ENTRY:
            taken = getattr(self.registers, f"{name}_write")
            busy = getattr(self.registers, f"{name}_busy")
            self.check(m, name, (taken == (hit & self.strobes.all() & ~busy))
                       & (~taken | (Value.cast(value) == data)))

    def _answers_say(self, m):
        """Compare answers and read data with what they must be, worked out a cycle before."""
        bus = self.bus
        takes = [(self.address >> 2 == register.address >> 2)
                 & (~self.registers.locked if register.access is Access.LOCKABLE else 1)
                 for register in self.registers_of
                 if register.access not in (Access.CONSTANT, Access.STATE, Access.ENTRY)]
        takes += [getattr(self.registers, f"{register.name.lower()}_write")
                  for register in self.registers_of if register.access is Access.ENTRY]
        answer, read_answer, read_data = Signal(2), Signal(2), Signal(32)
        with m.If(self.happens):
            m.d.sync += answer.eq(Mux(Cat(takes).any(), OKAY, SLVERR))
        with m.If(self.is_read):
            m.d.sync += [read_answer.eq(SLVERR), read_data.eq(0)]
            for register in self.registers_of:
                if register.access.is_readable:
                    with m.If(self.read_address >> 2 == register.address >> 2):
                        m.d.sync += [read_answer.eq(OKAY), read_data.eq(
                            getattr(self.registers, register.name.lower()))]
        self.check(m, "write_answer", ~bus.bvalid | (bus.bresp == answer))
        self.check(m, "read_answer", ~bus.rvalid
                   | ((bus.rresp == read_answer) & (bus.rdata == read_data)))



class RingCSRHarness(CSRHarness):
    """The same with a ring's registers, some of which may be locked at any time."""

    registers_of = RING_REGISTERS


PROOFS = (Proof(
    name="csr", make=CSRHarness, depth=2, steps=8,
    says="Every access is answered once, and in order; every register holds the bytes that were "
         "written to it, and nothing else changes one; commands and entries take effect once; "
         "answers and read data are those of the map; no ready depends on an input.",
    assumes="What the host offers stays until it is taken.",
    mutants=(Mutant(module.__name__, "write.eq(has_address & has_data & ~bus.bvalid",
                    "write.eq(has_address & has_data"),
             Mutant(module.__name__, "with m.If(bus.rready):", "with m.If(1):"),
             Mutant(module.__name__, "strobe = selected & strobes[byte // 8]",
                    "strobe = selected & strobes[0]"),
             Mutant(module.__name__, "value.eq(value & ~written | arrives)",
                    "value.eq((value | arrives) & ~written)"))), Proof(
    name="ring_csr", make=RingCSRHarness, depth=2, steps=8,
    says="The same of a machine with a ring; what is locked is not written, and says so.",
    assumes="What the host offers stays until it is taken.",
    mutants=(Mutant(module.__name__, "selected &= ~self.registers.locked", "pass"),)))
