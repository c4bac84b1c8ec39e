"""Verilog emission: deterministic text in which a repeated component appears once.

Amaranth writes one Verilog module per submodule *instance*. `instantiate` gives a component that
occurs many times (a cell, a row of cells, a normalizer) a single Verilog module of its own and
instantiates that, so that text and elaboration time do not grow with the number of copies.
"""

import os

from amaranth import ClockSignal, Instance, ResetSignal
from amaranth.back import verilog
from amaranth.lib.wiring import In

from .sram import SRAM_VERILOG


class VerilogPlatform:
    """The platform that `emit` hands to `elaborate`: gathers modules that are emitted once.

    Attributes
    ----------
    modules : dict of str to wiring.Component
        Components waiting for their own Verilog module, by module name.
    """

    def __init__(self):
        self.modules = {}


def instantiate(m, platform, make, *, module, name):
    """Add an instance of a component that is emitted once.

    Parameters
    ----------
    m : amaranth.Module
        Receives the submodule.
    platform : VerilogPlatform or None
        None (a Python simulation) makes an ordinary submodule.
    make : callable
        Returns the component to instantiate, which has a clock; equal `module` names must mean
        equal components.
    module : str
        Name of its Verilog module.
    name : str
        Name of the instance.

    Returns
    -------
    wiring.PureInterface or wiring.Component
        Something with the members of the component's signature.
    """
    if not isinstance(platform, VerilogPlatform):
        m.submodules[name] = component = make()
        return component
    if module not in platform.modules:
        platform.modules[module] = make()
    component = platform.modules[module]
    interface = component.signature.create(path=(name,))
    ports = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
    for port, flow, value in flat_ports(component.signature, interface):
        ports[f"{'i' if flow is In else 'o'}_{port}"] = value
    m.submodules[name] = Instance(module, **ports)
    return interface


def flat_ports(signature, interface=None):
    """List the ports of a component as its Verilog has them, clock and reset aside.

    Parameters
    ----------
    signature : wiring.Signature
        Of the component.
    interface : object, optional
        Something with the signature's members; without it the values are those of a fresh one.

    Yields
    ------
    tuple of (str, wiring.Flow, Value)
        Verilog name, direction seen from inside the component, value in `interface`.
    """
    interface = signature.create() if interface is None else interface
    for path, member, value in signature.flatten(interface):
        yield "__".join(map(str, path)), member.flow, value


def emit(component, name, *, header=None):
    """Emit a component, and everything it instantiates, as one Verilog text.

    Parameters
    ----------
    component : wiring.Component
        The top.
    name : str
        Verilog module name of the top.
    header : str, optional
        A first line, such as the exact configuration.

    Returns
    -------
    str
        The same bytes for the same parameters; no paths, no dates.

    Raises
    ------
    ValueError
        If the top would have the name of one of its parts.
    """
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    platform = VerilogPlatform()
    pending, done = {name: component}, set()
    texts = [f"// {header}"] if header else []
    while pending:
        for module, part in pending.items():
            texts.append(verilog.convert(part, name=module, platform=platform, emit_src=False,
                                         strip_internal_attrs=True))
            done.add(module)
        if name in (*platform.modules, "sram_1r1w"):
            raise ValueError(f"the top can't be called {name!r}: a module inside it is")
        pending = {module: part for module, part in platform.modules.items() if module not in done}
    if any("sram_1r1w" in text for text in texts):
        texts.append(SRAM_VERILOG)
    return "\n".join(texts)
