"""A few pins around a machine with hundreds of ports, so that a device can hold it."""

from amaranth import Cat, ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.parts.emit import emit, flat_ports

TOP, INNER = "top", "machine"
"""Verilog names of the harness and of what it holds."""


class SerialHarness(wiring.Component):
    """Shift a component's inputs in and its outputs out, one bit per cycle.

    Every input comes straight from a register and every output goes to one, behind one multiplexer:
    nothing of the component is optimized away, no path of the harness itself has more than one
    gate, and a longer path that begins or ends here is one to or from the component's ports.

    Parameters
    ----------
    component : wiring.Component
        Emitted elsewhere as the Verilog module `INNER`; its clock and reset are the ports ``aclk``
        and ``aresetn``.

    Members
    -------
    serial_in : In(1)
        The next bit of the inputs.
    capture : In(1)
        Take the outputs; otherwise they shift.
    serial_out : Out(1)
        One bit of the outputs taken.
    """

    def __init__(self, component):
        self.component = component
        super().__init__({"serial_in": In(1), "capture": In(1), "serial_out": Out(1)})

    def elaborate(self, platform):
        m = Module()
        inputs, outputs = [], []
        aresetn = Signal(reset_less=True)  # a register, so that the way from it counts too
        ports = {"i_aclk": ClockSignal(), "i_aresetn": aresetn}
        for name, flow, value in flat_ports(self.component.signature):
            if name not in ("aclk", "aresetn"):
                ports[f"{'i' if flow is In else 'o'}_{name}"] = value
                (inputs if flow is In else outputs).append(value)
        m.submodules.machine = Instance(INNER, **ports)

        driven = Signal(len(Cat(inputs)), reset_less=True)
        taken = Signal(len(Cat(outputs)), reset_less=True)
        capture = Signal(reset_less=True)
        m.d.comb += [Cat(inputs).eq(driven), self.serial_out.eq(taken[0])]
        m.d.sync += [
            driven.eq(Cat(driven[1:], self.serial_in)),
            aresetn.eq(~ResetSignal()),
            capture.eq(self.capture),
            taken.eq(taken >> 1),
        ]
        with m.If(capture):
            m.d.sync += taken.eq(Cat(outputs))
        return m


def emit_harnessed(component, *, header=None):
    """Emit a component, as users get it, and the harness around it as the top.

    Returns
    -------
    str
        One Verilog text.
    """
    return "\n".join([emit(component, INNER, header=header), emit(SerialHarness(component), TOP)])
