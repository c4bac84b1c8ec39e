"""Proof of `hw.vector.lane`."""

from amaranth import Cat, Mux, Value

import hw.vector.lane as module
from formal.harness import Harness
from formal.hollow import with_hollows
from formal.proof import Mutant, Proof
from formal.vector.delayed import delayed, is_known

SATURATED_FOR = 6
"""Cycles from the function to the end: a product and a sum."""


class LaneHarness(Harness):
    """A full lane, whose stages are anything."""

    def prove(self, m):
        dut = module.Lane(functions=("exp2", "gelu", "silu"))
        m.submodules.dut, hollow = with_hollows(
            self, dut, ((module, ("FP32Adder", "Product", "Functions")),))
        self.free_inputs(m, dut)
        first, second = hollow["FP32Adder"]
        row, channel = hollow["Product"]
        (functions,) = hollow["Functions"]
        addend, residual = dut.addend, dut.residual
        self.cover(m, "saturated", dut.saturated)
        self.check(m, "first_sum", (first.a == dut.i) & (first.enable == addend.enable) & (
            first.b == Cat(addend.value[:-1], addend.value[-1] ^ addend.subtracts)))
        self.check(m, "row_factor", (row.a == first.o) & (
            Cat(row.b, row.enable) == Value.cast(dut.row_factor)))
        self.check(m, "function", (functions.i == row.o) & (
            Value.cast(functions.chosen) == Value.cast(dut.chosen)))
        self.check(m, "channel_factor", (channel.a == functions.o) & (
            Cat(channel.b, channel.enable) == Mux(functions.uses_gate, Cat(functions.gate, 1),
                                                  Value.cast(dut.channel_factor))))
        self.check(m, "second_sum", (second.a == channel.o) & (second.enable == residual.enable)
                   & (second.b == residual.value))
        self.check(m, "mask", dut.o == Mux(dut.is_valid, second.o, 0))
        saturated = delayed(m, functions.saturated, SATURATED_FOR, "saturated")
        self.check(m, "saturated", ~is_known(m, SATURATED_FOR)
                   | (dut.saturated == (saturated & dut.is_valid)))


PROOFS = (Proof(
    name="lane", make=LaneHarness, depth=7, steps=8,
    says="Every stage takes what the one before hands out, and its own operand; a gate takes the "
         "place of the channel's factor; what is not valid leaves as +0; saturation leaves with "
         "its number, if that is valid.",
    bounds="A full lane with all functions, whose sums, products and functions are cut off and "
           "hand out anything.",
    mutants=(
        Mutant(module.__name__, " ^ (self.addend.subtracts << FP32.width - 1)", ""),
        Mutant(module.__name__, "saturated & self.is_valid", "saturated"),
        Mutant(module.__name__, "range(Product.latency + FP32Adder.latency)",
               "range(Product.latency)"),
        Mutant(module.__name__, "functions.uses_gate | self.channel_factor.enable",
               "self.channel_factor.enable"))),)
