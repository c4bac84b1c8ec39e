"""Numbers in hardware that software knows by name."""

from dataclasses import dataclass

from amaranth import Const, Shape
from amaranth.hdl import Format, ShapeCastable


@dataclass(frozen=True)
class Named(ShapeCastable):
    """The shape of a number that is a member of a plain enumeration.

    A signal of it is a plain value, compared with members as they are; waveforms and the Verilog's
    attributes show the members' names.

    Parameters
    ----------
    names : type of enum.Enum
        Of integers. It is no enumeration of Amaranth's, so that software can import it alone.
    """

    names: type

    def as_shape(self):
        return Shape.cast(self.names)

    def const(self, init):
        return Const(0 if init is None else Const.cast(init).value, self.as_shape())

    def from_bits(self, bits):
        return self.names(bits)

    def format(self, value, spec):
        return Format.Enum(value, self.names, name=self.names.__name__)

    def __call__(self, value):
        return value
