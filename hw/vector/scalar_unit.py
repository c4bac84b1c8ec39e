"""A sum, a reciprocal root and a product, for who asks once per row."""

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from golden.vector.formats import DROPPED_BITS, V24
from hw.floats.fp32_adder import FP32Adder

from .product import Product
from .question import question
from .reciprocal import Reciprocal
from .v24 import V24Rounder


class ScalarUnit(wiring.Component):
    """Answer questions, one of each kind at a time, each after its unit's latency.

    Members
    -------
    sum : In(question("a", "b"))
        FP32, as `FP32Adder` adds: after 4 cycles.
    reciprocal_root : In(question("x"))
        1/sqrt(x), V24 with zeros below: after 3.
    product : In(question("a", "b"))
        Both rounded to V24, and their product to FP32: after 3, in all of which ``a`` stays.
    """

    product_latency = 1 + Product.latency
    """A factor rounded, 1 cycle: who asks has rounded it to FP32 in the same one."""

    sum: In(question("a", "b"))
    reciprocal_root: In(question("x"))
    product: In(question("a", "b"))

    def elaborate(self, platform):
        m = Module()
        m.submodules.adder = adder = FP32Adder()
        m.submodules.root = root = Reciprocal()
        m.submodules.rounder = rounder = V24Rounder()
        m.submodules.multiplier = multiplier = Product()
        factor = Signal(V24.width, reset_less=True)
        m.d.sync += factor.eq(rounder.o)
        m.d.comb += [
            adder.a.eq(self.sum.a), adder.b.eq(self.sum.b), adder.enable.eq(1),
            root.i.eq(self.reciprocal_root.x), root.of_root.eq(1),
            rounder.i.eq(self.product.b),
            multiplier.a.eq(self.product.a), multiplier.b.eq(factor), multiplier.enable.eq(1),
            self.sum.answer.eq(adder.o),
            self.reciprocal_root.answer.eq(Cat(Const(0, DROPPED_BITS), root.o)),
            self.product.answer.eq(multiplier.o),
        ]
        for name, latency in (("sum", adder.latency), ("reciprocal_root", root.latency),
                              ("product", self.product_latency)):
            asked, answered = getattr(self, name).ask, getattr(self, name).answered
            for cycle in range(latency):
                delayed = Signal(name=f"{name}_{cycle + 1}")
                m.d.sync += delayed.eq(asked)
                asked = delayed
            m.d.comb += answered.eq(asked)
        return m
