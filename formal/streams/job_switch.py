"""Proof of `hw.streams.job_switch`."""

from amaranth import Signal

import hw.streams.job_switch as module
from formal.harness import Harness
from formal.proof import Mutant, Proof


class PacketSwitchHarness(Harness):
    """Packets of any lengths, and a loader that has counted its beats at any time."""

    def prove(self, m):
        m.submodules.dut = dut = module.PacketSwitch()
        self.free_inputs(m, dut)
        inside = Signal()  # a packet
        owed = Signal()  # the loader has counted, and the job has not ended
        with m.If(dut.transfer):
            m.d.sync += inside.eq(~dut.last)
        m.d.sync += owed.eq((owed | dut.loaded) & ~dut.ended)
        self.cover(m, "later", dut.ended & ~dut.loaded)
        self.check(m, "ends_behind_a_packet", ~dut.ended
                   | (~inside & ~dut.transfer) | (dut.transfer & dut.last))
        self.check(m, "ends_when_counted", ~dut.ended | owed | dut.loaded)
        self.check(m, "ends_at_once", dut.ended | ~(owed | dut.loaded)
                   | (inside & ~dut.transfer) | (dut.transfer & ~dut.last))
        self.check(m, "inside", self.look("dut.in_packet") == inside)
        self.check(m, "waits", self.look("dut.waits") == owed)


PROOFS = (Proof(
    name="packet_switch", make=PacketSwitchHarness, depth=1,
    says="A job ends on its stream once for each time that its loader has counted, with the end of "
         "the packet under way and not before.",
    mutants=(Mutant(module.__name__, "self.ended.eq((self.loaded | waits) & ~stays_in_packet)",
                    "self.ended.eq(self.loaded | waits)"),
             Mutant(module.__name__, "waits.eq((self.loaded | waits) & stays_in_packet)",
                    "waits.eq(self.loaded & stays_in_packet)"))),)
