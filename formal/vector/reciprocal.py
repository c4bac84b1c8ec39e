"""Proof of `hw.vector.reciprocal`."""

from amaranth import Cat, Const, Mux, Signal, signed

import hw.vector.reciprocal as module
from formal.harness import Harness
from formal.hollow import with_hollows
from formal.proof import Mutant, Proof
from formal.vector.delayed import delayed, is_known

INFINITY, QUIET_NAN = 0x7F8000, 0x7FC000


class ReciprocalHarness(Harness):
    """The table's value is anything from 1/2 to 1, and 1 of a power of two."""

    def prove(self, m):
        dut = module.Reciprocal()
        m.submodules.dut, hollow = with_hollows(
            self, dut, ((module, ("Interpolation", "V24Rounder")),))
        (table,), (rounder,) = hollow["Interpolation"], hollow["V24Rounder"]
        self.free_inputs(m, dut)
        ours = is_known(m, dut.latency)
        x = delayed(m, rounder.o, dut.latency, "x")
        of_root = delayed(m, dut.of_root, dut.latency, "of_root")
        value, argument = delayed(m, table.o, 2, "value"), delayed(m, table.argument, 3, "argument")
        mantissa, exponent, sign = x[:15], x[15:23], x[23]
        power = Signal(signed(9))
        m.d.comb += power.eq(exponent - 127)
        is_odd = power[0]
        is_power = (mantissa == 0) & ~(of_root & is_odd)
        self.assume(m, (value >= 1 << 15) & (value <= 1 << 16))
        self.assume(m, ~ours | (is_power == (value == 1 << 16)))
        is_zero, is_special = exponent == 0, exponent.all()
        is_nan = is_special & mantissa.any() | of_root & sign & ~is_zero
        # The value is at least 1/2: of its power of two, -power - 1 or half of that.
        result = Signal(signed(11))
        m.d.comb += result.eq(Mux(of_root, -(power >> 1), -power) - 1 + is_power)
        number = Signal(24)
        m.d.comb += number.eq(Cat(value[:15], (result + 127)[:8], sign))
        inner = ours & ~is_nan & ~is_zero & ~is_special
        self.cover(m, "least", inner & (dut.o[15:23] == 1) & ~of_root)
        self.check(m, "nan", ~(ours & is_nan) | (dut.o == QUIET_NAN))
        self.check(m, "zero", ~ours | is_nan | ~is_zero | (dut.o == Cat(Const(INFINITY, 23), sign)))
        self.check(m, "infinity", ~ours | is_nan | ~is_special | (dut.o == Cat(
            Const(0, 23), sign)) | ~is_power)
        self.check(m, "number", ~inner | (dut.o == Mux(
            result < -126, Cat(Const(0, 23), sign), number)))
        self.check(m, "argument", ~ours | (argument == Cat(mantissa, is_odd)))


PROOFS = (Proof(
    name="reciprocal", make=ReciprocalHarness, depth=4, steps=5,
    says="The result has the table's value and the power turned around, of a root half of it "
         "rounded down, with the last bit of the power in the table's argument; what is below "
         "FP32's normals is zero; zeros give infinities and infinities zeros of their signs; what "
         "has no value is the quiet NaN.",
    assumes="The table's value is from 1/2 to 1, and 1 of whole powers, of a root of even ones.",
    bounds="The table and the rounding to V24 are cut off.",
    mutants=(
        Mutant(module.__name__, "~x.exponent[0]", "x.exponent[0]"),
        Mutant(module.__name__, "Mux(is_infinite, -1,", "Mux(is_infinite, 0,"),
        Mutant(module.__name__, "(biased <= 0", "(biased < 0"),
        Mutant(module.__name__, "self.of_root & x.sign & ~is_zero", "self.of_root & x.sign"))),)
